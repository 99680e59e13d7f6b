"""The registry of connections and the public API."""

from __future__ import annotations

import asyncio
import importlib
import math
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

from manager import plugins
from manager.drivers.base import Driver, DriverFactory, Session
from manager.effective import SettingRow, rows_of
from manager.engine import operator
from manager.engine.budget import LoginBudget
from manager.engine.clock import Clock, SystemClock
from manager.engine.containment import ContainedSession, contained
from manager.engine.group import Groups
from manager.engine.health import band
from manager.engine.mutes import Mutes
from manager.engine.reload import difference
from manager.engine.supervisor import Supervisor
from manager.engine.timekeeper import Timekeeper
from manager.engine.watchdog import Stall, Watchdog
from manager.errors import ManagerGoneError, NotConnectedError, UnknownConnectionError, UnknownGroupError
from manager.events import (
    Added,
    BudgetChanged,
    Changed,
    ClockJumped,
    Commanded,
    Event,
    Gap,
    Muted,
    Reloaded,
    ReloadFailed,
    Removed,
    Stalled,
    Unmuted,
)
from manager.history import History
from manager.listeners import Listener
from manager.messages import MessageStream, MessageStreams
from manager.model import BudgetStatus, MuteStatus, Outcome, Phase, Position, Snapshot, Status
from manager.plugins import Plugins
from manager.publisher import Publisher
from manager.ring import EventRing
from manager.settings import ConnectionSettings
from manager.store import Store
from manager.wire import WireMessage
from manager.wirering import WireRing, WireRings

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
            drivers: factories by connection type, beside those that come with trunkline or are installed; a
                program answers for its own (`manager.engine.containment.contained` holds what they do wrong).
            chance: gives the random numbers from 0 to 1 of the jitter.
        """
        self._initial = tuple(connections)
        self._store = store or Store()
        self._clock = clock or SystemClock()
        self._drivers = dict(drivers or {})
        self._chance = chance
        self._supervisors: dict[str, Supervisor] = {}
        self._stopped = False
        self._reloading = asyncio.Lock()
        self._timekeeping: asyncio.Task[None] | None = None
        # The thread knows no time but the machine's.
        self._watchdog = Watchdog(self._stalled) if isinstance(self._clock, SystemClock) else None
        self._publisher = Publisher(self._clock)
        self._streams = MessageStreams()
        self._wires = WireRings(self._clock)
        self._groups = Groups(self._clock)
        self._budget = LoginBudget(self._clock, self._store.section("login budget"), self._budget_changed)
        self._mutes = Mutes(self._clock, self._group_muted, self._group_unmuted)

    # --- life -------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._budget.load()
        if self._watchdog is not None:
            self._watchdog.start()
        self._timekeeping = asyncio.create_task(self._keep_time(), name="timekeeper")
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
        self._mutes.stop()
        if self._timekeeping is not None:
            self._timekeeping.cancel()
            await asyncio.wait([self._timekeeping])
        try:
            await _side_by_side(each.stop(for_good=True) for each in self._supervisors.values())
        finally:
            await self._groups.peeks.stop()
            if self._watchdog is not None:
                self._watchdog.stop()
            self._streams.end_all()
            self._wires.close()
            self._publisher.ring.close()
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
        supervisor = self._supervisors[settings.name] = self._new_supervisor(settings)
        self._publisher.publish(Added, supervisor.status)
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
                self._streams.end(name)
                self._wires.remove(name)
                self._publisher.publish(Removed, supervisor.status)

    async def reload(self, connections: Iterable[ConnectionSettings]) -> None:
        """Add, remove and change connections so that these are managed; those that are equal are not touched.

        A connection that changes is closed politely and begins anew; one that is paused stays so.

        Raises:
            ValueError: two have one name, or nothing knows a type; nothing has changed then.
            ManagerGoneError: the manager was stopped.
        """
        connections = tuple(connections)
        async with self._reloading:
            now = {name: supervisor.settings for name, supervisor in self._supervisors.items()}
            found = difference(now, connections)
            for settings in (*found.added, *found.changed):
                self._factory(settings.type)
            await _side_by_side(self._remove_if_there(name) for name in found.removed)
            await _side_by_side(self._change(settings) for settings in found.changed)
            for settings in found.added:
                if settings.name not in self._supervisors:
                    self.add(settings)
            for settings in connections:
                # One that is the same may stand in another line by now.
                supervisor = self._supervisors.get(settings.name)
                if supervisor is not None and supervisor.settings == settings:
                    supervisor.settings = settings
            order = {settings.name: place for place, settings in enumerate(connections)}
            self._supervisors = dict(
                sorted(self._supervisors.items(), key=lambda item: order.get(item[0], len(order)))
            )
        self._publisher.emit(
            Reloaded,
            added=tuple(settings.name for settings in found.added),
            removed=found.removed,
            changed=tuple(settings.name for settings in found.changed),
        )

    def reload_failed(self, reason: str) -> None:
        """Tell that settings could not be taken up."""
        self._publisher.emit(ReloadFailed, reason=reason)

    # --- what is known ----------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Return every status, the aggregate, and the position in the event stream that they stand for."""
        health = self._publisher.health
        return Snapshot(
            position=self._publisher.ring.position,
            time=self._clock.wall(),
            monotonic=self._clock.monotonic(),
            statuses=tuple(supervisor.status for supervisor in self._supervisors.values()),
            budgets=self._budget.statuses(),
            mutes=self._mutes.statuses(),
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
        return self._publisher.health

    def health_costs(self) -> dict[str, int]:
        """Return how many points of the aggregate health each connection costs, the dearest first.

        They sum up to exactly 100 less `health`; `costs` of a status says what cost it its own.
        """
        return self._publisher.health_costs()

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

    def history(self, name: str) -> History:
        """Return what became of a connection: its phases, attempts, sessions, failures and latencies.

        Raises:
            UnknownConnectionError: no connection has the name.
        """
        self._supervisor(name)
        return self._publisher.chronicle.history(name, self._clock.wall())

    def settings(self, name: str) -> tuple[SettingRow, ...]:
        """Return the settings that count for a connection and where each comes from; secrets are masked.

        Raises:
            UnknownConnectionError: no connection has the name.
        """
        return rows_of(self._supervisor(name).settings)

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
        self._commanded("reconnect", name)
        return await _side_by_side(
            operator.reconnect(each, self._clock, override=override) for each in supervisors
        )

    async def refresh_status(self, name: str | None = None) -> Outcome:
        """Run heartbeat and check of one connection, or of all, side by side, and return what they found.

        Raises:
            UnknownConnectionError: no connection has the name.
        """
        supervisors = [self._supervisor(name)] if name is not None else self._taken_up()
        self._commanded("refresh", name)
        return await _side_by_side(operator.refresh(each) for each in supervisors)

    async def pause(self, name: str) -> None:
        """Close a connection politely and keep it closed until it is resumed.

        Raises:
            UnknownConnectionError: no connection has the name.
        """
        supervisor = self._supervisor(name)
        self._commanded("pause", name)
        await supervisor.stop(Phase.PAUSED)

    def resume(self, name: str) -> None:
        """Take a connection that is paused or stopped up again; nothing happens to any other.

        Raises:
            UnknownConnectionError: no connection has the name.
        """
        supervisor = self._supervisor(name)
        self._commanded("resume", name)
        supervisor.start()

    async def skip(self, name: str) -> Outcome:
        """End the wait of a connection now and return what came of its attempt.

        The attempt keeps its number and the login budget holds. `ok` is False, and the text says why, where
        there is no wait to end: it is up, connecting, blocked or at rest, or the budget withholds the login.

        Raises:
            UnknownConnectionError: no connection has the name.
        """
        supervisor = self._supervisor(name)
        self._commanded("skip", name)
        return (await operator.skip(supervisor, self._clock),)

    def acknowledge(self, name: str, *, withdraw: bool = False) -> Outcome:
        """Say that the trouble of a connection is known; `acknowledged` of its status then tells since when.

        It ends by itself when the connection is stable again, is put to rest, or gets into a worse phase.

        Args:
            name: the connection.
            withdraw: take it back instead.

        Raises:
            UnknownConnectionError: no connection has the name.
        """
        return (operator.acknowledge(self._supervisor(name), withdraw=withdraw),)

    def mute(self, group: str, seconds: float) -> Outcome:
        """Have nobody alarmed about a group for so many seconds from now on; 0 ends that.

        It ends by itself (`group:unmuted`). What is wrong in the group is told as always.

        Returns:
            a result for each connection that is in the group now.

        Raises:
            UnknownGroupError: no connection is in the group, and it is not muted.
            ValueError: that is less than nothing, or more than 7 days.
            ManagerGoneError: the manager was stopped.
        """
        if self._stopped:
            raise ManagerGoneError("the manager has been stopped")
        members = [each.status for each in self._supervisors.values() if each.status.group == group]
        if not members and all(mute.group != group for mute in self._mutes.statuses()):
            raise UnknownGroupError(f"no connection is in a group called {group!r}")
        return operator.mute(self._mutes, group, seconds, members)

    # --- what is heard ----------------------------------------------------------------------------------

    def on(self, event: str, listener: Listener) -> None:
        """Call `listener` with each event of this name (`connection:stateChanged`…), on the manager's loop.

        A listener that raises or takes longer than 0.25 s three times is detached (`listener:detached`).

        Raises:
            ValueError: there is no such event.
            TypeError: the listener is a coroutine function.
        """
        self._publisher.listeners.on(event, listener)

    def off(self, event: str, listener: Listener) -> None:
        """No longer call `listener` for this event."""
        self._publisher.listeners.off(event, listener)

    @property
    def position(self) -> Position:
        """The place after the newest event."""
        return self._publisher.ring.position

    @property
    def ring(self) -> EventRing:
        """The last 10,000 events."""
        return self._publisher.ring

    def events(self, since: Position | None = None) -> AsyncIterator[Event | Gap]:
        """Yield the events after a position (by default: from now on), then those to come.

        Ends when the manager is stopped.
        """
        return self._publisher.ring.read(since or self._publisher.ring.position)

    def messages(self, name: str) -> MessageStream:
        """Return the messages that a connection receives from now on: AMI events, WebSocket messages.

        Raises:
            UnknownConnectionError: no connection has the name.
        """
        self._supervisor(name)
        return self._streams.open(name)

    def wire_ring(self, name: str) -> WireRing:
        """Return the last protocol messages of a connection, their secrets masked.

        Raises:
            UnknownConnectionError: no connection has the name.
        """
        self._supervisor(name)
        return self._wires[name]

    def wire(self, name: str, since: Position | None = None) -> AsyncIterator[WireMessage | Gap]:
        """Yield what a connection sent and received after a position, then what follows, secrets masked.

        All that is held where `since` is None (32 KiB a connection, 16 MiB in all); a `Gap` counts what is no
        longer. Ends when the connection is removed or the manager stopped.

        Raises:
            UnknownConnectionError: no connection has the name.
        """
        return self.wire_ring(name).read(since)

    def session(self, name: str) -> Session:
        """Return the usable session of a connection, to send on; it is gone when the connection drops.

        Raises:
            UnknownConnectionError: no connection has the name.
            NotConnectedError: it has no usable session now.
        """
        session = self._supervisor(name).session
        if session is None:
            raise NotConnectedError(f"{name} is not connected")
        return session.inner if isinstance(session, ContainedSession) else session

    # --- inside -----------------------------------------------------------------------------------------

    def _new_supervisor(self, settings: ConnectionSettings) -> Supervisor:
        return Supervisor(
            settings,
            self._driver(settings),
            clock=self._clock,
            budget=self._budget,
            groups=self._groups,
            publish=self._publisher.publish,
            deliver=partial(self._streams.deliver, settings.name),
            record=self._wires[settings.name].record,
            chance=self._chance,
        )

    async def _remove_if_there(self, name: str) -> None:
        with suppress(UnknownConnectionError):
            await self.remove(name)

    async def _change(self, settings: ConnectionSettings) -> None:
        old = self._supervisors.get(settings.name)
        if old is None:
            return
        paused = old.status.phase is Phase.PAUSED
        await old.stop(for_good=True)
        if self._stopped or self._supervisors.get(settings.name) is not old:
            return
        new = self._supervisors[settings.name] = self._new_supervisor(settings)
        self._publisher.publish(Changed, new.status)
        if paused:
            await new.stop(Phase.PAUSED)
        else:
            new.start()

    async def _keep_time(self) -> None:
        timekeeper = Timekeeper(self._clock)
        while True:
            jump = await timekeeper.jump()
            self._publisher.emit(ClockJumped, suspended=jump.suspended, stepped=jump.stepped)
            self._mutes.clock_jumped()
            for supervisor in tuple(self._supervisors.values()):
                supervisor.clock_jumped(jump)
            for supervisor in tuple(self._supervisors.values()):
                supervisor.look_anew()
                await asyncio.sleep(1.0 / (supervisor.settings.policy.start_rate or math.inf))

    def _driver(self, settings: ConnectionSettings) -> Driver:
        return self._factory(settings.type)(settings, self._store.section(f"connection {settings.name}"))

    def _factory(self, kind: str) -> DriverFactory:
        if kind not in self._drivers:
            if kind in DRIVERS:
                self._drivers[kind] = importlib.import_module(DRIVERS[kind]).create
            elif kind in (installed := Plugins(plugins.DRIVERS)).names:
                self._drivers[kind] = contained(
                    kind, lambda settings, memory: installed.load(kind).create(settings, memory)
                )
            else:
                raise ValueError(f"no driver knows the connection type {kind!r}")
        return self._drivers[kind]

    def _supervisor(self, name: str) -> Supervisor:
        try:
            return self._supervisors[name]
        except KeyError:
            raise UnknownConnectionError(f"no connection is called {name!r}") from None

    def _taken_up(self) -> list[Supervisor]:
        return [each for each in self._supervisors.values() if each.status.phase.counts]

    def _stalled(self, stall: Stall) -> None:
        self._publisher.emit(Stalled, seconds=stall.seconds, connection=stall.connection, where=stall.where)

    def _commanded(self, command: str, name: str | None) -> None:
        self._publisher.emit(Commanded, command=command, connection=name)

    def _group_muted(self, mute: MuteStatus) -> None:
        self._publisher.emit(Muted, mute=mute)

    def _group_unmuted(self, group: str, expired: bool) -> None:
        self._publisher.emit(Unmuted, group=group, expired=expired)

    def _budget_changed(self, budget: BudgetStatus) -> None:
        self._publisher.emit(BudgetChanged, budget=budget)


async def _side_by_side(jobs: Iterable[Coroutine[Any, Any, Answer]]) -> tuple[Answer, ...]:
    """Run them all and return what they gave; none outlives this, also when it is cancelled."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(job) for job in jobs]
    return tuple(task.result() for task in tasks)
