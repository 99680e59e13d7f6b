"""The registry of connections and the public API."""

from __future__ import annotations

import asyncio
import importlib
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

from manager.drivers.base import Driver, DriverFactory, Session
from manager.engine import operator
from manager.engine.budget import LoginBudget
from manager.engine.clock import Clock, SystemClock
from manager.engine.group import Groups
from manager.engine.health import Aggregate, band
from manager.engine.outage import Outage
from manager.engine.supervisor import Supervisor
from manager.errors import ManagerGoneError, NotConnectedError, UnknownConnectionError
from manager.events import (
    Added,
    BudgetChanged,
    ConnectionEvent,
    Event,
    Gap,
    ListenerDetached,
    Reconnected,
    Removed,
    event_name,
)
from manager.listeners import Listener, Listeners
from manager.messages import MessageStream
from manager.model import BudgetStatus, Outcome, Phase, Position, Snapshot, Status
from manager.ring import EventRing
from manager.settings import ConnectionSettings
from manager.store import Store

DRIVERS = {
    "ami": "manager.drivers.ami",
    "sip": "manager.drivers.sip",
    "websocket": "manager.drivers.websocket",
}
"""Module of each connection type; imported when a connection of the type is added."""

Answer = TypeVar("Answer")


class ConnectionManager:
    """Keeps named connections up. Use it as an async context manager, on one event loop.

    Example:
        async with ConnectionManager(connections) as manager:
            async for event in manager.events():
                print(event)
    """

    def __init__(
        self,
        connections: Iterable[ConnectionSettings] = (),
        *,
        store: Store | None = None,
        clock: Clock | None = None,
        drivers: Mapping[str, DriverFactory] | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Prepare a manager; nothing is opened before it is entered.

        Args:
            connections: what to keep up.
            store: what is remembered over restarts; in memory where none is given.
            clock: where the time is read.
            drivers: factories by connection type, beside the three that come with trunkline.
            chance: gives the random numbers from 0 to 1 of the jitter.
        """
        self._initial = tuple(connections)
        self._store = store or Store()
        self._clock = clock or SystemClock()
        self._drivers = dict(drivers or {})
        self._chance = chance
        self._supervisors: dict[str, Supervisor] = {}
        self._stopped = False
        self._ring = EventRing()
        self._listeners = Listeners(self._listener_detached)
        self._streams: dict[str, set[MessageStream]] = {}
        self._aggregate = Aggregate()
        self._known: dict[str, Status] = {}
        """The last published status of each connection, as counted in the aggregate."""
        self._outage = Outage()
        self._groups = Groups(self._clock)
        self._budget = LoginBudget(self._clock, self._store.section("login budget"), self._budget_changed)

    # --- life -------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._budget.load()
        try:
            for settings in self._initial:
                self.add(settings)
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Close every connection politely, side by side; each takes 3 s at most. It is for good."""
        self._stopped = True
        try:
            await _side_by_side(each.stop(for_good=True) for each in self._supervisors.values())
        finally:
            await self._groups.peeks.stop()
            for name in tuple(self._streams):
                self._end_messages(name)
            self._ring.close()
            self._store.save()

    def add(self, settings: ConnectionSettings) -> None:
        """Manage one more connection and take it up.

        Raises:
            ValueError: its name is taken, or nothing knows its type.
            ManagerGoneError: the manager was stopped.
        """
        if self._stopped:
            raise ManagerGoneError("the manager has been stopped")
        if settings.name in self._supervisors:
            raise ValueError(f"a connection named {settings.name!r} is managed already")
        name = settings.name
        supervisor = Supervisor(
            settings,
            self._driver(settings),
            clock=self._clock,
            budget=self._budget,
            groups=self._groups,
            publish=self._publish,
            deliver=lambda message: self._deliver(name, message),
            chance=self._chance,
        )
        self._supervisors[name] = supervisor
        self._publish(Added, supervisor.status)
        supervisor.start()

    async def remove(self, name: str) -> None:
        """Close a connection politely and forget it; the streams of its messages end.

        Raises:
            UnknownConnectionError: no connection has the name.
        """
        supervisor = self._supervisor(name)
        try:
            await supervisor.stop(for_good=True)
        finally:
            if self._supervisors.get(name) is supervisor:
                del self._supervisors[name]
                self._end_messages(name)
                self._publish(Removed, supervisor.status)

    # --- what is known ----------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Return every status, the aggregate, and the position in the event stream that they stand for."""
        health = self._aggregate.health
        return Snapshot(
            position=self._ring.position,
            time=self._clock.wall(),
            monotonic=self._clock.monotonic(),
            statuses=tuple(supervisor.status for supervisor in self._supervisors.values()),
            budgets=self._budget.statuses(),
            health=health,
            band=band(health),
        )

    def get_connection_status(self, name: str | None = None) -> dict[str, Status]:
        """Return the status of one connection, or of all, by name.

        Raises:
            UnknownConnectionError: no connection has the name.
        """
        if name is not None:
            return {name: self._supervisor(name).status}
        return {name: supervisor.status for name, supervisor in self._supervisors.items()}

    @property
    def health(self) -> int | None:
        """The aggregate health, 0 to 100; None where nothing counts."""
        return self._aggregate.health

    @property
    def states(self) -> dict[str, Phase]:
        """The phase of every connection, by name."""
        return {name: supervisor.status.phase for name, supervisor in self._supervisors.items()}

    @property
    def reconnect_state(self) -> dict[str, Status]:
        """The status of every connection that is not up and is being brought back, by name.

        `attempt`, `max_attempts`, `wait` and `next_attempt` say where its reconnection stands.
        """
        return {
            name: supervisor.status
            for name, supervisor in self._supervisors.items()
            if supervisor.status.phase.counts and not supervisor.status.phase.connected
        }

    # --- what is asked for ------------------------------------------------------------------------------

    async def force_reconnection(self, name: str | None = None, *, override: bool = False) -> Outcome:
        """Close and reopen one connection, or all that are not paused, and return what was measured.

        Args:
            name: the connection; all where it is None.
            override: try also where the login budget of a host is used up.

        Raises:
            UnknownConnectionError: no connection has the name.
        """
        supervisors = [self._supervisor(name)] if name is not None else self._taken_up()
        return await _side_by_side(
            operator.reconnect(each, self._clock, override=override) for each in supervisors
        )

    async def refresh_status(self, name: str | None = None) -> Outcome:
        """Run heartbeat and check of one connection, or of all, side by side, and return what they found.

        Raises:
            UnknownConnectionError: no connection has the name.
        """
        supervisors = [self._supervisor(name)] if name is not None else self._taken_up()
        return await _side_by_side(operator.refresh(each) for each in supervisors)

    async def pause(self, name: str) -> None:
        """Close a connection politely and keep it closed until it is resumed.

        Raises:
            UnknownConnectionError: no connection has the name.
        """
        await self._supervisor(name).stop(Phase.PAUSED)

    def resume(self, name: str) -> None:
        """Take a connection that is paused or stopped up again; nothing happens to any other.

        Raises:
            UnknownConnectionError: no connection has the name.
        """
        self._supervisor(name).start()

    # --- what is heard ----------------------------------------------------------------------------------

    def on(self, event: str, listener: Listener) -> None:
        """Call `listener` with each event of this name (`connection:stateChanged`…), on the manager's loop.

        A listener that raises or takes longer than 0.25 s three times is detached (`listener:detached`).

        Raises:
            ValueError: there is no such event.
            TypeError: the listener is a coroutine function.
        """
        self._listeners.on(event, listener)

    def off(self, event: str, listener: Listener) -> None:
        """No longer call `listener` for this event."""
        self._listeners.off(event, listener)

    @property
    def position(self) -> Position:
        """The place after the newest event."""
        return self._ring.position

    @property
    def ring(self) -> EventRing:
        """The last 10,000 events."""
        return self._ring

    def events(self, since: Position | None = None) -> AsyncIterator[Event | Gap]:
        """Yield the events after a position (by default: from now on), then those to come.

        Ends when the manager is stopped.
        """
        return self._ring.read(since or self._ring.position)

    def messages(self, name: str) -> MessageStream:
        """Return the messages that a connection receives from now on: AMI events, WebSocket messages.

        Raises:
            UnknownConnectionError: no connection has the name.
        """
        self._supervisor(name)
        streams = self._streams.setdefault(name, set())
        stream = MessageStream(streams.discard)
        streams.add(stream)
        return stream

    def session(self, name: str) -> Session:
        """Return the usable session of a connection, to send on; it is gone when the connection drops.

        Raises:
            UnknownConnectionError: no connection has the name.
            NotConnectedError: it has no usable session now.
        """
        session = self._supervisor(name).session
        if session is None:
            raise NotConnectedError(f"{name} is not connected")
        return session

    # --- inside -----------------------------------------------------------------------------------------

    def _driver(self, settings: ConnectionSettings) -> Driver:
        factory = self._drivers.get(settings.type)
        if factory is None:
            if settings.type not in DRIVERS:
                raise ValueError(f"no driver knows the connection type {settings.type!r}")
            factory = importlib.import_module(DRIVERS[settings.type]).create
        return factory(settings, self._store.section(f"connection {settings.name}"))

    def _supervisor(self, name: str) -> Supervisor:
        try:
            return self._supervisors[name]
        except KeyError:
            raise UnknownConnectionError(f"no connection is called {name!r}") from None

    def _taken_up(self) -> list[Supervisor]:
        return [each for each in self._supervisors.values() if each.status.phase.counts]

    def _end_messages(self, name: str) -> None:
        for stream in self._streams.pop(name, ()):
            stream.end()

    def _deliver(self, name: str, message: object) -> None:
        for stream in tuple(self._streams.get(name, ())):
            stream.put(message)

    def _publish(self, kind: type[ConnectionEvent], status: Status, **fields: object) -> None:
        gone = kind is Removed
        self._aggregate.replace(self._known.get(status.name), None if gone else status)
        if gone:
            self._known.pop(status.name, None)
        else:
            self._known[status.name] = status
        self._emit(kind, status=status, **fields)
        over = self._outage.note(status, gone=gone)
        if over is not None:
            self._emit(Reconnected, connections=over.connections, downtime=over.downtime)

    def _budget_changed(self, budget: BudgetStatus) -> None:
        self._emit(BudgetChanged, budget=budget)

    def _listener_detached(self, listener: str, errors: int) -> None:
        self._emit(ListenerDetached, listener=listener, errors=errors)

    def _emit(self, kind: type[Event], **fields: object) -> None:
        event = kind(
            seq=self._ring.last + 1, time=self._clock.wall(), health=self._aggregate.health, **fields
        )
        self._ring.append(event)
        self._listeners.emit(event_name(kind), event)


async def _side_by_side(jobs: Iterable[Coroutine[Any, Any, Answer]]) -> tuple[Answer, ...]:
    """Run them all and return what they gave; none outlives this, also when it is cancelled."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(job) for job in jobs]
    return tuple(task.result() for task in tasks)
