"""Settings of connections to the real servers, and a session outside of any engine."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TypeVar

import msgspec

from manager.drivers.base import DriverError, Memory, Session
from manager.endpoint import parse_endpoint
from manager.model import Facts, Failure, Stage
from manager.registry import DRIVERS
from manager.secret import Secret, SecretSource
from manager.settings import AmiSettings, ConnectionSettings, Policy, SipSettings, Tls, WebSocketSettings
from manager.wire import WireKind
from tests.real.asterisk import Asterisk
from tests.real.authority import Authority
from tests.real.kamailio import Kamailio

AnySettings = TypeVar("AnySettings", bound=ConnectionSettings)

TRANSPORTS = ("udp", "tcp", "tls", "ws", "wss")

SHORT = Policy(
    base_delay=0.2,
    max_delay=1.0,
    connect_timeout=3.0,
    heartbeat_interval=1.0,
    heartbeat_timeout=0.9,
    suspect_timeout=0.5,
    health_interval=5.0,
    stable_after=1.0,
    jitter=0.0,
)
"""The default numbers, shortened so that an outage fits into a few seconds."""


def plain(secret: str) -> SecretSource:
    return SecretSource(plain=Secret(secret))


def ami(
    server: Asterisk, user: str = "monitor", *, secret: str | None = None, tls: Authority | None = None
) -> AmiSettings:
    where = f"amis://{server.host}:{server.ports.amis}" if tls else f"ami://{server.host}:{server.ports.ami}"
    return AmiSettings(
        name=f"ami-{user}",
        endpoints=(parse_endpoint(where),),
        username=user,
        password=plain(secret or server.secrets[user]),
        tls=_trusting(tls),
    )


def ari(
    server: Asterisk, *, key: str | None = None, app: str = "trunkline", tls: Authority | None = None
) -> WebSocketSettings:
    base = f"wss://{server.host}:{server.ports.https}" if tls else f"ws://{server.host}:{server.ports.http}"
    return WebSocketSettings(
        name=f"ari-{app}",
        endpoints=(parse_endpoint(f"{base}/ari/events?app={app}&subscribeAll=true"),),
        query={"api_key": plain(key or f"ari:{server.secrets['ari']}")},
        tls=_trusting(tls),
    )


def sip(
    server: Asterisk | Kamailio,
    user: str = "6001",
    transport: str = "tcp",
    *,
    secret: str | None = None,
    tls: Authority | None = None,
) -> SipSettings:
    port = _sip_port(server, transport)
    return SipSettings(
        name=f"sip-{user}-{transport}",
        endpoints=(parse_endpoint(f"sip:{server.host}:{port};transport={transport}"),),
        aor=f"sip:{user}@{server.host}",
        username=user,
        password=plain(secret or server.secrets[user]),
        tls=_trusting(tls),
    )


def everything(server: Asterisk | Kamailio, authority: Authority) -> list[ConnectionSettings]:
    """One connection of every kind that a server knows, over every transport."""
    found: list[ConnectionSettings] = [
        sip(server, f"600{number}", transport, tls=authority if transport in ("tls", "wss") else None)
        for number, transport in enumerate(TRANSPORTS, start=1)
    ]
    if isinstance(server, Asterisk):
        found += [ami(server), ami(server, "limited", tls=authority)]
        found += [ari(server), ari(server, app="second", tls=authority)]
    return found


def named(prefix: str, connections: Iterable[AnySettings]) -> list[AnySettings]:
    return [msgspec.structs.replace(each, name=f"{prefix}-{each.name}") for each in connections]


def under(policy: Policy, *connections: AnySettings) -> list[AnySettings]:
    return [msgspec.structs.replace(each, policy=policy) for each in connections]


def _sip_port(server: Asterisk | Kamailio, transport: str) -> int:
    if isinstance(server, Asterisk):
        over_http = {"ws": server.ports.http, "wss": server.ports.https}
        return over_http.get(transport) or int(getattr(server.ports, transport))
    return {"udp": server.ports.udp, "tcp": server.ports.tcp, "ws": server.ports.tcp}.get(
        transport, server.ports.tls
    )


def _trusting(authority: Authority | None) -> Tls:
    return Tls(ca_file=authority.ca_file) if authority else Tls()


class Witness:
    """Listens to one session and keeps what it says."""

    def __init__(self) -> None:
        self.stages: list[Stage] = []
        self.refreshes: list[Failure | None] = []
        self.reports: list[tuple[str, str, Facts]] = []
        self.messages: asyncio.Queue[object] = asyncio.Queue()

    def reached(self, stage: Stage) -> None:
        self.stages.append(stage)

    def ordered(self, addresses):
        return list(addresses)

    def using(self, address: str) -> None: ...

    def facts_changed(self) -> None:
        pass

    def refreshed(self, failure: Failure | None) -> None:
        self.refreshes.append(failure)

    def reported(self, report: str, text: str, fields: Facts) -> None:
        self.reports.append((report, text, fields))

    def received(self, message: object) -> None:
        self.messages.put_nowait(message)

    def wire(self, kind: WireKind, content: bytes, *, sent: bool) -> None: ...


@asynccontextmanager
async def opened(
    settings: ConnectionSettings, witness: Witness | None = None, memory: Memory | None = None
) -> AsyncIterator[Session]:
    """Open a session, and close it politely at the end."""
    driver = importlib.import_module(DRIVERS[settings.type]).create(
        settings, {} if memory is None else memory
    )
    async with asyncio.timeout(10):
        session: Session = await driver.open(settings.endpoints[0], witness or Witness())
    try:
        yield session
    finally:
        await session.close(graceful=True)


async def refusal(settings: ConnectionSettings) -> Failure:
    """Return why a session cannot be opened."""
    try:
        async with opened(settings):
            raise AssertionError("it was opened")
    except DriverError as error:
        return error.failure


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Return when the condition holds; fail when it does not in `seconds`."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)
