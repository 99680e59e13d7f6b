"""A driver whose every step can be told to succeed, fail or hang."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from manager.drivers.base import DriverError, DriverFactory, Memory, SessionListener
from manager.endpoint import Endpoint, parse_endpoint
from manager.events import Event
from manager.listeners import EVENT_NAMES
from manager.manager import ConnectionManager
from manager.model import FactValue, Failure, FailureClass, Phase, Stage, Status
from manager.secret import Secret, SecretSource
from manager.settings import ConnectionSettings, Policy
from manager.store import Store
from tests.engine.virtual import VirtualClock

CANARY = "canary-7f3e9"


class FakeSettings(ConnectionSettings, frozen=True, kw_only=True):
    type: ClassVar[str] = "fake"
    password: SecretSource | None = None

    def secrets(self) -> tuple[SecretSource, ...]:
        return (self.password,) if self.password else ()


def failure(
    kind: FailureClass = FailureClass.TRANSIENT, reason: str = "connection refused", **fields
) -> Failure:
    return Failure(kind=kind, stage=fields.pop("stage", Stage.CONNECT), reason=reason, **fields)


REFUSED = failure()
WRONG_SECRET = failure(FailureClass.CREDENTIALS, "wrong secret", stage=Stage.LOGIN)
LOST = failure(reason="connection reset", stage=Stage.SESSION)


class FakeSession:
    def __init__(self, server: FakeServer, listener: SessionListener) -> None:
        self.server = server
        self.listener = listener
        self.facts: dict[str, FactValue] = {}
        self.heartbeats = 0
        self.checks = 0
        self.closed: list[bool] = []
        self.over: asyncio.Future[Failure] = asyncio.get_running_loop().create_future()

    async def heartbeat(self) -> float:
        self.heartbeats += 1
        await self.server.answer(self.server.heartbeat)
        return self.server.latency

    async def check(self) -> str:
        self.checks += 1
        await self.server.answer(self.server.check)
        return self.server.finding

    async def ended(self) -> Failure:
        return await asyncio.shield(self.over)

    def drop(self, why: Failure = LOST) -> None:
        if not self.over.done():
            self.over.set_result(why)

    async def close(self, *, graceful: bool) -> None:
        self.closed.append(graceful)
        try:
            await asyncio.sleep(self.server.close_takes if graceful else self.server.abort_takes)
        finally:
            self.server.open_sessions.discard(self)


class FakeServer:
    """What the drivers of a test talk to. None answers, a Failure fails, HANG never answers.

    Peeks see nothing unless a test says otherwise: its waits are those of the schedule.
    """

    HANG = "hang"

    def __init__(self) -> None:
        self.open: Failure | str | BaseException | None = None
        self.heartbeat: Failure | str | BaseException | None = None
        self.check: Failure | str | BaseException | None = None
        self.peek: Failure | str | BaseException | None = REFUSED
        self.promote: Failure | str | BaseException | None = None
        self.answers_promotions = True
        self.open_takes = 0.0
        self.close_takes = 0.0
        self.abort_takes = 0.0
        self.latency = 0.01
        self.finding = "all well"
        self.swallow = False
        """Whether a cancellation of what hangs is swallowed, as `asyncio.wait_for` may do."""
        self.stage = Stage.CONNECT
        self.opens: list[float] = []
        self.peeks: list[float] = []
        self.sessions: list[FakeSession] = []
        self.open_sessions: set[FakeSession] = set()
        self.most_open = 0

    async def answer(self, how: Failure | str | BaseException | None) -> None:
        if how == self.HANG:
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                if not self.swallow:
                    raise
                how = self.open
        if isinstance(how, Failure):
            raise DriverError(how)
        if isinstance(how, BaseException):
            raise how

    def create(self, settings: ConnectionSettings, memory: Memory) -> FakeDriver:
        return FakeDriver(self)

    def drop_all(self, why: Failure = LOST) -> None:
        for session in list(self.open_sessions):
            session.drop(why)


class FakeDriver:
    def __init__(self, server: FakeServer) -> None:
        self._server = server

    async def open(
        self, endpoint: Endpoint, listener: SessionListener, kind: type[FakeSession] = FakeSession
    ) -> FakeSession:
        server = self._server
        server.opens.append(asyncio.get_running_loop().time())
        listener.reached(server.stage)
        await asyncio.sleep(server.open_takes)
        await server.answer(server.open)
        session = kind(server, listener)
        server.sessions.append(session)
        server.open_sessions.add(session)
        server.most_open = max(server.most_open, len(server.open_sessions))
        return session

    async def peek(self, endpoint: Endpoint) -> None:
        self._server.peeks.append(asyncio.get_running_loop().time())
        await self._server.answer(self._server.peek)


class House:
    """A manager over fake servers, with everything that it said."""

    def __init__(
        self,
        *,
        store: Store | None = None,
        chance: Callable[[], float] = lambda: 0.0,
        create: DriverFactory | None = None,
    ) -> None:
        self.server = FakeServer()
        self.servers: dict[str, FakeServer] = {}
        """Of the connections that have a server of their own, by name."""
        self.clock = VirtualClock()
        self.events: list[Event] = []
        self.manager = ConnectionManager(
            store=store, clock=self.clock, drivers={"fake": create or self._create}, chance=chance
        )

    def _create(self, settings: ConnectionSettings, memory: Memory) -> FakeDriver:
        return FakeDriver(self.servers.get(settings.name, self.server))

    async def __aenter__(self) -> House:
        for name in EVENT_NAMES:
            self.manager.on(name, self.events.append)
        await self.manager.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.manager.stop()

    def add(
        self,
        name: str = "one",
        *,
        secret: bool = False,
        host: str = "pbx1",
        group: str | None = None,
        **policy,
    ) -> None:
        self._add(name, SecretSource(plain=Secret(CANARY)) if secret else None, host, policy, group)

    def add_with_secret_file(self, path: Path, name: str = "one") -> None:
        self._add(name, SecretSource(file=path), "pbx1", {})

    def _add(
        self,
        name: str,
        password: SecretSource | None,
        host: str,
        policy: dict[str, float],
        group: str | None = None,
    ) -> None:
        self.manager.add(
            FakeSettings(
                name=name,
                endpoints=(parse_endpoint(f"ami://{host}"),),
                policy=Policy(**{"jitter": 0.0, **policy}),
                password=password,
                group=group,
            )
        )

    def status(self, name: str = "one") -> Status:
        return self.manager.get_connection_status(name)[name]

    def of(self, kind: type, name: str | None = None) -> list:
        found = [event for event in self.events if isinstance(event, kind)]
        return [event for event in found if name is None or event.connection == name]

    async def until(self, phase: Phase, name: str = "one", within: float = 10_000.0) -> None:
        async with asyncio.timeout(within):
            async for event in self.manager.events():
                if self.status(name).phase is phase:
                    return
                del event


async def until(condition: Callable[[], bool], within: float = 10_000.0) -> None:
    """Wait in virtual time until a condition holds, looking every tenth of a second."""
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.1)
