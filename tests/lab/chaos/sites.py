"""A server for each type of connection, and the settings of a connection to it."""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manager.endpoint import parse_endpoint
from manager.lab.ami import AmiServer
from manager.lab.faults import Fault
from manager.lab.registrar import Registrar
from manager.lab.server import LabServer
from manager.lab.sip import SipServer
from manager.lab.websocket import WebSocketServer
from manager.model import Stage
from manager.secret import Secret, SecretSource
from manager.settings import (
    AmiSettings,
    ConnectionSettings,
    Policy,
    SipSettings,
    Tls,
    WebSocketSettings,
)
from tests.pki import Pki

SECRET = Secret("canary-of-the-chaos")
HURRY = 3.0
"""Seconds in which a session has to be open where silence is looked for."""
SLOW_BY = 4.0
"""Seconds; longer than that."""
_CERTIFIED_NAME = "pbx.example"


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of connection over one transport."""

    type: str
    scheme: str
    transport: str = ""

    def __str__(self) -> str:
        return f"{self.type}/{self.transport or self.scheme}"

    @property
    def tls(self) -> bool:
        return self.transport == "tls" or self.scheme in ("amis", "wss")

    @property
    def streams(self) -> bool:
        """Whether there is a connection below the session, which can be cut."""
        return self.transport != "udp"


KINDS = (
    Kind("ami", "ami"),
    Kind("ami", "amis"),
    Kind("sip", "sip", "udp"),
    Kind("sip", "sip", "tcp"),
    Kind("sip", "sip", "tls"),
    Kind("sip", "sip", "ws"),
    Kind("websocket", "ws"),
    Kind("websocket", "wss"),
)


class Names:
    """Stands in for the resolver: every `*.lab` is this machine until told otherwise."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.lost: set[str] = set()
        self.unanswered: set[str] = set()
        self._really = loop.getaddrinfo
        loop.getaddrinfo = self._look_up  # type: ignore[method-assign]

    async def _look_up(self, host: str, port: int, **options: Any) -> Any:
        if host in self.lost:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if host in self.unanswered:
            await asyncio.get_running_loop().create_future()
        return await self._really("127.0.0.1" if host.endswith(".lab") else host, port, **options)


@dataclass
class Site:
    """One server under its own name."""

    kind: Kind
    name: str
    names: Names
    ours: ssl.SSLContext
    """What the server shows in TLS, and what another one would."""
    theirs: ssl.SSLContext
    ca_file: Path

    def __post_init__(self) -> None:
        self.registrar = Registrar({"6001": SECRET}, expires_range=(1, 300))
        self.server: LabServer = self._server()
        self.server.delay = SLOW_BY
        if self.kind.tls:
            self.server.tls = self.ours

    @classmethod
    def of(cls, kind: Kind, name: str, names: Names, pki: Pki, stranger: Pki) -> Site:
        return cls(kind, name, names, pki.server_context(), stranger.server_context(), pki.cert)

    def _server(self) -> LabServer:
        if self.kind.type == "ami":
            return AmiServer(username="monitor", password=SECRET, boot_time=0, refusal_hold=0)
        if self.kind.type == "websocket":
            return WebSocketServer()
        return SipServer(self.registrar)

    def settings(self, policy: Policy, *, first_stage: Stage | None, expires: int) -> ConnectionSettings:
        """Return the settings of the connection; a WebSocket shakes hands without a login where asked."""
        kind, port = self.kind, self.server.port
        password = SecretSource(plain=SECRET)
        address = f"{kind.scheme}://{self.name}:{port}"
        common: dict[str, Any] = {"name": self.name, "policy": policy}
        if kind.tls:
            common["tls"] = Tls(ca_file=self.ca_file, server_name=_CERTIFIED_NAME)
        if kind.type == "ami":
            return AmiSettings(
                endpoints=(parse_endpoint(address),), username="monitor", password=password, **common
            )
        if kind.type == "websocket":
            return WebSocketSettings(
                endpoints=(parse_endpoint(f"{address}/events"),),
                query={} if first_stage is Stage.HANDSHAKE else {"api_key": password},
                check_message="status",
                check_reply="status",
                **common,
            )
        return SipSettings(
            endpoints=(parse_endpoint(f"sip:{self.name}:{port};transport={kind.transport}"),),
            aor=f"sip:6001@{self.name}",
            username="6001",
            password=password,
            expires=expires,
            **common,
        )

    def is_held_once(self) -> bool:
        """Whether the server sees one session and no more, and is late with nothing of an earlier one."""
        if isinstance(self.server, SipServer) and (
            self.server._late or len(self.registrar.bindings("6001")) != 1
        ):
            return False
        return self.server.sessions == int(self.kind.streams)

    def is_left(self) -> bool:
        """Whether the server sees no session any more."""
        return not self.server.sessions and not self.registrar.bindings("6001")

    def cut(self) -> None:
        self.server.drop()

    def stop(self) -> None:
        """Go away as a server does that is stopped by hand, and forget what is only in memory."""
        for peer in self.server.peers:
            self.server.say_goodbye(peer)
        self.server.fault = Fault.REFUSE
        self.registrar.forget_bindings()
