"""The lab: hosts of small servers on loopback, and the settings of connections to them."""

from __future__ import annotations

import errno
import secrets
import socket
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from manager.endpoint import parse_endpoint
from manager.lab.ami import AmiServer
from manager.lab.registrar import Registrar
from manager.lab.server import LabServer
from manager.lab.sip import SipServer
from manager.lab.websocket import WebSocketServer
from manager.secret import Secret, SecretSource
from manager.settings import (
    AmiSettings,
    ConnectionSettings,
    Policy,
    SipSettings,
    WebSocketSettings,
)

_FALLBACK = "127.0.0.1"
_EXPIRES = 60


@dataclass(frozen=True, slots=True)
class Host:
    """A host and the names of the connections to it, by type; it runs the servers that these need."""

    name: str
    address: str = _FALLBACK
    sip: tuple[str, ...] = ()
    """The account is what stands behind the last dash; UDP and TCP take turns."""
    websocket: tuple[str, ...] = ()
    ami: tuple[str, ...] = ()


ONE_OF_EACH = (Host("lab", sip=("lab-6001",), websocket=("lab-websocket",), ami=("lab-ami",)),)


class Lab:
    """Servers on free ports, with secrets that are made up anew for each run.

    Entered, it starts them all; left, it stops them all. A host whose address this machine does not have
    (loopback is one address in some systems) runs on 127.0.0.1.
    """

    def __init__(
        self, hosts: Sequence[Host] = ONE_OF_EACH, *, policy: Policy | None = None, delay: float = 1.0
    ) -> None:
        """Set the servers up.

        Args:
            hosts: what runs where.
            policy: by which the connections are kept up.
            delay: seconds by which the answers of a slow server are late.
        """
        self.hosts = tuple(hosts)
        self.policy = policy or Policy()
        self.sip: dict[str, SipServer] = {}
        """By name of the host, as the two that follow."""
        self.websocket: dict[str, WebSocketServer] = {}
        self.ami: dict[str, AmiServer] = {}
        self._secrets = {name: Secret(secrets.token_urlsafe(12)) for name in self._names()}
        self._stack = AsyncExitStack()
        for host in self.hosts:
            self._equip(host, host.address if _is_ours(host.address) else _FALLBACK)
        for server in self.servers:
            server.delay = delay

    def _names(self) -> Iterator[str]:
        for host in self.hosts:
            yield from (host.name, *host.sip, *host.websocket, *host.ami)

    def _equip(self, host: Host, address: str) -> None:
        if host.sip:
            accounts = {account_of(name): self._secrets[name] for name in host.sip}
            self.sip[host.name] = SipServer(Registrar(accounts, realm=host.name), host=address)
        if host.websocket:
            secret = self._secrets[host.name]
            self.websocket[host.name] = WebSocketServer(query={"api_key": secret}, host=address)
        if host.ami:
            self.ami[host.name] = AmiServer(
                username="monitor", password=self._secrets[host.name], host=address
            )

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            for server in self.servers:
                await stack.enter_async_context(server)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    @property
    def servers(self) -> tuple[LabServer, ...]:
        """All of them."""
        return (*self.sip.values(), *self.websocket.values(), *self.ami.values())

    def servers_of(self, host: str) -> tuple[LabServer, ...]:
        """Return the servers of a host."""
        found = (self.sip.get(host), self.websocket.get(host), self.ami.get(host))
        return tuple(server for server in found if server is not None)

    def mend(self) -> None:
        """Take back every fault."""
        for server in self.servers:
            server.fault = None

    def connections(self) -> tuple[ConnectionSettings, ...]:
        """Return the settings of a connection for each name; the servers have to be started before."""
        return tuple(settings for host in self.hosts for settings in self._connections_to(host))

    def _connections_to(self, host: Host) -> Iterator[ConnectionSettings]:
        password = SecretSource(plain=self._secrets[host.name])
        for place, name in enumerate(host.sip):
            yield self._registration(host, name, "tcp" if place % 2 else "udp")
        for name in host.websocket:
            websocket = self.websocket[host.name]
            yield WebSocketSettings(
                name=name,
                endpoints=(parse_endpoint(f"ws://{websocket.host}:{websocket.port}/events"),),
                group=host.name,
                policy=self.policy,
                query={"api_key": password},
                check_message='{"type": "status"}',
                check_reply="status",
            )
        for name in host.ami:
            ami = self.ami[host.name]
            yield AmiSettings(
                name=name,
                endpoints=(parse_endpoint(f"ami://{ami.host}:{ami.port}"),),
                group=host.name,
                policy=self.policy,
                username=ami.username,
                password=password,
            )

    def _registration(self, host: Host, name: str, transport: str) -> SipSettings:
        server, account = self.sip[host.name], account_of(name)
        return SipSettings(
            name=name,
            endpoints=(parse_endpoint(f"sip:{server.host}:{server.port};transport={transport}"),),
            group=host.name,
            policy=self.policy,
            aor=f"sip:{account}@{server.host}",
            username=account,
            password=SecretSource(plain=self._secrets[name]),
            expires=_EXPIRES,
        )


def account_of(connection: str) -> str:
    """Return the account that a SIP connection registers: `6001` of `desk-6001`."""
    return connection.rpartition("-")[2]


def _is_ours(address: str) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((address, 0))
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL:
                raise
            return False
    return True
