"""The public API: what is known of the connections, what is asked for, what is heard."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from types import TracebackType
from typing import Self

import msgspec

from manager.drivers.base import DriverFactory, Session
from manager.effective import SettingRow, rows_of
from manager.engine import operator
from manager.engine.budget import LoginBudget
from manager.engine.clock import Clock, SystemClock
from manager.engine.containment import ContainedSession
from manager.engine.health import band
from manager.engine.mutes import Mutes
from manager.engine.supervisor import Supervisor
from manager.errors import ManagerGoneError, NotConnectedError, UnknownGroupError
from manager.events import Commanded, Event, Gap, ReloadFailed
from manager.history import History, SetAside
from manager.interruptions import Interruptions
from manager.listeners import Listener
from manager.messages import MessageStream
from manager.model import Outcome, Phase, Position, Snapshot, Status
from manager.publisher import Publisher
from manager.registry import Registry, side_by_side
from manager.ring import EventRing
from manager.settings import ConnectionSettings
from manager.store import Store
from manager.wire import WireMessage
from manager.wirering import WireRing


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
        self._publisher = Publisher(self._clock)
        self._budget = LoginBudget(
            self._clock, self._store.section("login budget"), self._publisher.budget_changed
        )
        self._registry = Registry(
            self._publisher,
            self._store,
            self._budget,
            clock=self._clock,
            drivers=drivers or {},
            chance=chance,
        )
        self._mutes = Mutes(self._clock, self._publisher.muted, self._publisher.unmuted)
        self._interruptions = Interruptions(self._clock, self._publisher, self._registry, self._mutes)

    # --- life -------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._budget.load()
        self._interruptions.start()
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
        self._registry.stopped = True
        self._mutes.stop()
        self._interruptions.end_timekeeping()
        try:
            await self._registry.stop()
        finally:
            self._publisher.ring.close()
            self._store.save()
            await self._interruptions.stop()

    def add(self, settings: ConnectionSettings) -> None:
        """Manage one more connection and take it up.

        Raises:
            ValueError: its name is taken, or nothing knows its type.
            ManagerGoneError: the manager was stopped.
        """
        self._registry.add(settings)

    async def remove(self, name: str) -> None:
        """Close a connection politely and forget it; the streams of its messages end.

        Raises:
            UnknownConnectionError: no connection has the name.
        """
        await self._registry.remove(name)

    async def reload(self, connections: Iterable[ConnectionSettings]) -> None:
        """Add, remove and change connections so that these are managed; those that are equal are not touched.

        A connection that changes is closed politely and begins anew; one that is paused stays so.

        Raises:
            ValueError: two have one name, or nothing knows a type; nothing has changed then.
            ManagerGoneError: the manager was stopped.
        """
        await self._registry.reload(connections)

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
            statuses=tuple(supervisor.status for supervisor in self._registry.supervisors.values()),
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
            return {name: self._registry[name].status}
        return {name: supervisor.status for name, supervisor in self._registry.supervisors.items()}

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
        return {name: supervisor.status.phase for name, supervisor in self._registry.supervisors.items()}

    @property
    def reconnect_state(self) -> dict[str, Status]:
        """The status of every connection that is not up and is being brought back, by name.

        `attempt`, `max_attempts`, `wait` and `next_attempt` say where its reconnection stands.
        """
        return {
            name: supervisor.status
            for name, supervisor in self._registry.supervisors.items()
            if supervisor.status.phase.counts and not supervisor.status.phase.connected
        }

    def history(self, name: str) -> History:
        """Return what became of a connection: its phases, attempts, sessions, failures and latencies.

        Raises:
            UnknownConnectionError: no connection has the name.
        """
        aside, now = self._registry[name].aside, self._clock.wall()
        to_wall = now - self._clock.monotonic()
        set_aside = tuple(SetAside(label, until + to_wall) for label, until in aside.items())
        history = self._publisher.chronicle.history(name, now)
        return msgspec.structs.replace(history, set_aside=set_aside)

    def settings(self, name: str) -> tuple[SettingRow, ...]:
        """Return the settings that count for a connection and where each comes from; secrets are masked.

        Raises:
            UnknownConnectionError: no connection has the name.
        """
        return rows_of(self._registry[name].settings)

    # --- what is asked for ------------------------------------------------------------------------------

    async def force_reconnection(self, name: str | None = None, *, override: bool = False) -> Outcome:
        """Close and reopen one connection, or all that are not paused, and return what was measured.

        Args:
            name: the connection; all where it is None.
            override: try also where the login budget of a host is used up.

        Raises:
            UnknownConnectionError: no connection has the name.
        """
        supervisors = [self._registry[name]] if name is not None else self._taken_up()
        self._commanded("reconnect", name)
        return await side_by_side(
            operator.reconnect(each, self._clock, override=override) for each in supervisors
        )

    async def refresh_status(self, name: str | None = None) -> Outcome:
        """Run heartbeat and check of one connection, or of all, side by side, and return what they found.

        Raises:
            UnknownConnectionError: no connection has the name.
        """
        supervisors = [self._registry[name]] if name is not None else self._taken_up()
        self._commanded("refresh", name)
        return await side_by_side(operator.refresh(each) for each in supervisors)

    async def pause(self, name: str) -> None:
        """Close a connection politely and keep it closed until it is resumed.

        Raises:
            UnknownConnectionError: no connection has the name.
        """
        supervisor = self._registry[name]
        self._commanded("pause", name)
        await supervisor.stop(Phase.PAUSED)

    def resume(self, name: str) -> None:
        """Take a connection that is paused or stopped up again; nothing happens to any other.

        Raises:
            UnknownConnectionError: no connection has the name.
        """
        supervisor = self._registry[name]
        self._commanded("resume", name)
        supervisor.start()

    async def skip(self, name: str) -> Outcome:
        """End the wait of a connection now and return what came of its attempt.

        The attempt keeps its number and the login budget holds. `ok` is False, and the text says why, where
        there is no wait to end: it is up, connecting, blocked or at rest, or the budget withholds the login.

        Raises:
            UnknownConnectionError: no connection has the name.
        """
        supervisor = self._registry[name]
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
        return (operator.acknowledge(self._registry[name], withdraw=withdraw),)

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
        if self._registry.stopped:
            raise ManagerGoneError("the manager has been stopped")
        members = [each.status for each in self._registry.supervisors.values() if each.status.group == group]
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

        Ends when the connection is removed or the manager stopped.

        Raises:
            UnknownConnectionError: no connection has the name.
        """
        self._registry[name]
        return self._registry.streams.open(name)

    def wire_ring(self, name: str) -> WireRing:
        """Return the last protocol messages of a connection, their secrets masked.

        Raises:
            UnknownConnectionError: no connection has the name.
        """
        self._registry[name]
        return self._registry.wires[name]

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
        session = self._registry[name].session
        if session is None:
            raise NotConnectedError(f"{name} is not connected")
        return session.inner if isinstance(session, ContainedSession) else session

    # --- inside -----------------------------------------------------------------------------------------

    def _taken_up(self) -> list[Supervisor]:
        return [each for each in self._registry.supervisors.values() if each.status.phase.counts]

    def _commanded(self, command: str, name: str | None) -> None:
        self._publisher.emit(Commanded, command=command, connection=name)
