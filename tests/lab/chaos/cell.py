"""One cell of the matrix: a trouble that falls into one phase of one connection's life."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from manager.drivers.base import Driver, Memory, Session, SessionListener
from manager.endpoint import Endpoint
from manager.events import ConnectionEvent, Event, ProbeAnswered, StateChanged
from manager.listeners import EVENT_NAMES
from manager.manager import ConnectionManager
from manager.model import FactValue, Phase, Stage
from manager.registry import DRIVERS
from manager.settings import ConnectionSettings, Policy
from tests.conftest import CANARIES
from tests.lab.chaos.sites import HURRY, Kind, Site
from tests.lab.chaos.troubles import Trouble

LONG = 300
"""Seconds of a registration that has to survive until it is refreshed, which is due early then."""
_DEADLINE = 150.0
_POLICY = Policy(
    base_delay=0.05,
    max_delay=0.1,
    connect_timeout=10.0,
    heartbeat_interval=1.0,
    heartbeat_timeout=0.9,
    suspect_timeout=0.6,
    health_interval=0.6,
    unhealthy_threshold=2,
    stable_after=0.1,
    cooldown=0.2,
    blocked_retry=0.3,
    jitter=0.0,
    login_budget=1000,
)
_PATIENT = msgspec.structs.replace(
    _POLICY, heartbeat_interval=3.0, heartbeat_timeout=2.9, suspect_timeout=2.9, unhealthy_threshold=3
)
"""Where the session has to survive: a machine that stands still for a second must not end it."""
_DOWN = (Phase.WAITING, Phase.PARKED, Phase.BLOCKED)
_MAY_FOLLOW = {
    Phase.STOPPED: {Phase.CONNECTING},
    Phase.CONNECTING: {Phase.UP, *_DOWN, Phase.STOPPED},
    Phase.UP: {Phase.SUSPECT, Phase.CONNECTING, *_DOWN, Phase.STOPPED},
    Phase.SUSPECT: {Phase.UP, Phase.CONNECTING, *_DOWN, Phase.STOPPED},
    **{phase: {Phase.CONNECTING, Phase.STOPPED} for phase in _DOWN},
}
_FALLS_INTO = {"idle": (Phase.UP, Phase.SUSPECT), "waiting": (Phase.WAITING,), "parked": (Phase.PARKED,)}
_FALLS_INTO |= dict.fromkeys(("heartbeat", "check", "refresh"), _FALLS_INTO["idle"])
"""In which phases of a status a trouble may begin; else while it is connecting."""
_STAGES = {"lookup": Stage.LOOKUP, "connect": Stage.CONNECT, "login": Stage.LOGIN}


@dataclass(frozen=True, slots=True)
class Outcome:
    """Seconds from the trouble to its first sign, and from its end until the session was usable again."""

    noticed: float | None
    """None where the session had to survive, and did."""
    recovered: float = 0.0


class Cell:
    """Runs a connection into the trouble, puts that right after two losses, and waits for its return."""

    def __init__(self, trouble: Trouble, kind: Kind, phase: str, site: Site) -> None:
        self.phase = phase
        self.stage = _STAGES.get(phase)
        if phase == "handshake":
            self.stage = Stage.TLS if kind.tls else Stage.HANDSHAKE
        self.open_sessions = 0
        self.begun = self.noticed = self.ended = self.recovered = 0.0
        """Wall times; 0 until then."""
        self._trouble = trouble
        self._harmless = trouble.harmless(kind, phase)
        self._site = site
        self._events: list[Event] = []
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._losses = 0
        """Sessions lost and attempts failed since the trouble began."""
        self._answers = 0
        """Heartbeats and the like that were answered since it was up again, or survived."""
        self._outage = False
        """Whether the server was taken away so that the connection waits."""

    async def run(self) -> Outcome:
        try:
            async with asyncio.timeout(_DEADLINE):
                await self._live()
        except TimeoutError:
            pytest.fail(f"not over; it went through {', '.join(map(_briefly, self._events[-20:]))}")
        self._judge()
        if self._harmless:
            return Outcome(None)
        return Outcome(self.noticed - self.begun, self.recovered - self.ended)

    async def _live(self) -> None:
        async with self._site.server:
            policy = _PATIENT if self._harmless else _POLICY
            if self._trouble.silent and not self._harmless:
                policy = msgspec.structs.replace(policy, connect_timeout=HURRY)
            policy = msgspec.structs.replace(policy, max_attempts=1 if self.phase == "parked" else 15)
            settings = self._site.settings(policy, first_stage=self.stage, expires=self._expires)
            manager = ConnectionManager(drivers={settings.type: self._create})
            for name in EVENT_NAMES:
                manager.on(name, self._heard)
            async with manager:
                manager.add(settings)
                if self.phase == "close":
                    await self._reopen(manager, settings.name)
                await self._over
                await self._until(self._site.is_held_once)
            await self._until(self._site.is_left)

    @property
    def _expires(self) -> int:
        """Seconds; soon refreshed where that is what the trouble meets."""
        if self.phase != "refresh":
            return 60
        return LONG if self._harmless else 4

    def reached(self, here: bool) -> None:
        """Let the trouble begin, if it is to begin here and has not."""
        if here and not self.begun:
            self.begun = time.time()
            self._trouble.begin(self._site)

    async def _reopen(self, manager: ConnectionManager, name: str) -> None:
        while not manager.get_connection_status(name)[name].stable:
            await asyncio.sleep(0.02)
        await manager.force_reconnection(name)

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await asyncio.sleep(0.02)

    def _create(self, settings: ConnectionSettings, memory: Memory) -> Driver:
        module = __import__(DRIVERS[settings.type], fromlist=["create"])
        return _WatchedDriver(module.create(settings, memory), self)

    # --- what is heard ----------------------------------------------------------------------------------

    def _heard(self, event: Event) -> None:
        self._events.append(event)
        if isinstance(event, StateChanged):
            self._moved(event)
        elif isinstance(event, ProbeAnswered) and event.phase is Phase.UP:
            self._answered()

    def _moved(self, event: StateChanged) -> None:
        if self.begun:
            self._affected(event)
        elif event.phase is Phase.UP:
            self.reached(self.phase == "idle")
            if self.phase in ("waiting", "parked"):
                self._outage = True
                self._site.stop()
        elif self._outage and event.phase == self.phase:
            self._site.server.fault = None
            self.reached(True)

    def _affected(self, event: StateChanged) -> None:
        if event.phase is Phase.SUSPECT or event.phase in _DOWN:
            self.noticed = self.noticed or event.time
            self._losses += event.phase in _DOWN
            if not self.ended and self._losses == (1 if self._trouble.end is None else 2):
                self._put_right()
        elif event.phase is Phase.UP and self.ended:
            self.recovered = self.recovered or event.time

    def _put_right(self) -> None:
        self.ended = time.time()
        if self._trouble.end is not None:
            self._trouble.end(self._site)

    def _answered(self) -> None:
        if self.begun and (self.recovered or self._harmless):
            self._answers += 1
            if self._answers == 3 and not self._over.done():
                self._over.set_result(None)

    # --- what must hold ---------------------------------------------------------------------------------

    def _judge(self) -> None:
        told = [event for event in self._events if isinstance(event, ConnectionEvent)]
        changes = [event for event in told if isinstance(event, StateChanged)]
        at = next(event for event in reversed(told) if event.time <= self.begun)
        assert at.phase in _FALLS_INTO.get(self.phase, (Phase.CONNECTING,)), f"it began while {at.phase}"
        for change in changes:
            assert change.phase in _MAY_FOLLOW[change.previous], f"{change.previous} to {change.phase}"
        lost = [change.phase for change in changes if change.phase in _DOWN]
        assert not (self._harmless and lost), f"it was lost: {lost}"
        assert self.open_sessions == 0
        assert not CANARIES.search(msgspec.json.encode(self._events).decode())


def _briefly(event: Event) -> str:
    if not isinstance(event, StateChanged):
        return type(event).__name__
    failure = event.status.failure
    return f"{event.phase} ({failure.reason})" if failure else str(event.phase)


class _WatchedDriver:
    """A real driver that lets the cell know how far it is."""

    def __init__(self, driver: Driver, cell: Cell) -> None:
        self._driver = driver
        self._cell = cell

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    async def open(self, endpoint: Endpoint, listener: SessionListener) -> Session:
        assert self._cell.open_sessions == 0, "a second session at once"
        session = await self._driver.open(endpoint, _WatchedListener(listener, self._cell))
        self._cell.open_sessions += 1
        return _WatchedSession(session, self._cell)


class _WatchedListener:
    def __init__(self, listener: SessionListener, cell: Cell) -> None:
        self._listener = listener
        self._cell = cell

    def __getattr__(self, name: str) -> Any:
        return getattr(self._listener, name)

    def reached(self, stage: Stage) -> None:
        self._listener.reached(stage)
        self._cell.reached(stage is self._cell.stage)


class _WatchedSession:
    def __init__(self, session: Any, cell: Cell) -> None:
        self._session = session
        self._cell = cell
        self._closed = False
        if cell.phase == "refresh":
            self._register = session.register
            session.register = self._refresh

    @property
    def facts(self) -> dict[str, FactValue]:
        return dict(self._session.facts)

    async def heartbeat(self) -> float:
        self._cell.reached(self._cell.phase == "heartbeat")
        return float(await self._session.heartbeat())

    async def check(self) -> str:
        self._cell.reached(self._cell.phase == "check")
        return str(await self._session.check())

    async def _refresh(self, stage: Stage) -> None:
        self._cell.reached(True)
        await self._register(stage)

    def ended(self) -> Awaitable[Any]:
        ended: Awaitable[Any] = self._session.ended()
        return ended

    async def close(self, *, graceful: bool) -> None:
        self._cell.reached(graceful and self._cell.phase == "close")
        try:
            await self._session.close(graceful=graceful)
        finally:
            self._cell.open_sessions -= not self._closed
            self._closed = True
