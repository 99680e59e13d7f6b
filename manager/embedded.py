"""A manager in this process, in a thread with a loop of its own.

A terminal that does not read freezes the loop of a screen; heartbeats must not wait for it. So the manager
runs beside it, and what crosses is frozen: snapshots, events, commands and their outcomes.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from manager.client import Acknowledge, Command, Mute, Pause, Reconnect, Refresh, Reload, Resume, Skip
from manager.effective import SettingRow
from manager.errors import ManagerGoneError, TrunklineError
from manager.events import Event, Gap
from manager.history import History
from manager.model import Cost, Outcome, Phase, Position, Result, Snapshot, Status
from manager.settings import ConnectionSettings
from manager.trace import frames_of
from manager.wire import WireMessage

if TYPE_CHECKING:
    from manager.drivers.base import DriverFactory
    from manager.manager import ConnectionManager
    from manager.ring import EventRing
    from manager.wirering import WireRing

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

STOP_TIMEOUT = 4.0
"""Seconds that Logoff, un-REGISTER and closing get when the manager is stopped."""
TOGETHER = 0.02
"""Seconds after which more events may cross: to fetch each by itself would take longer than to show it."""


class EmbeddedClient:
    """Runs a manager in a thread and speaks to it from any other loop or thread: a `ManagerClient`."""

    def __init__(
        self,
        connections: Iterable[ConnectionSettings],
        *,
        store: Path | None = None,
        drivers: Mapping[str, DriverFactory] | None = None,
        load: Callable[[], Iterable[ConnectionSettings]] | None = None,
    ) -> None:
        """Prepare the manager.

        Args:
            connections: what to keep up.
            store: file of what is remembered over restarts; in memory where none is given.
            drivers: factories by connection type, beside those that come with trunkline.
            load: reads the settings anew for `Reload`, on a thread of its own; raises `TrunklineError`.
        """
        self._load = load
        self._connections = tuple(connections)
        self._store = store
        self._drivers = drivers
        self._loop: asyncio.AbstractEventLoop | None = None
        self._manager: ConnectionManager | None = None
        self._ring: EventRing | None = None
        self._stopping: asyncio.Event | None = None
        self._unwanted = False
        """Whether it was stopped, be it before there was a loop to tell."""
        self._error: BaseException | None = None
        self._ready = threading.Event()
        self._door = threading.Lock()
        """Held to hand something over to the loop, and to end that for good (`_manager` is None then)."""
        self._thread = threading.Thread(target=self._run, name="manager", daemon=True)

    @property
    def expected(self) -> tuple[Status, ...]:
        """How the connections stand when the manager begins: what can be shown before it is loaded."""
        now = time.time()
        return tuple(
            Status(
                name=settings.name,
                type=settings.type,
                group=settings.group or settings.endpoints[0].host,
                phase=Phase.CONNECTING,
                since=now,
                weight=settings.weight,
                endpoint=settings.endpoints[0].label,
                max_attempts=settings.policy.max_attempts,
                threshold=settings.policy.unhealthy_threshold,
                costs=(Cost(100, Phase.CONNECTING.value),),
            )
            for settings in self._connections
        )

    # --- life -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread and return at once; calls wait until the manager is ready."""
        self._thread.start()

    def stop(self) -> None:
        """Close every connection politely and end the thread; may be called from any thread, and again.

        Returns after 4 s at the latest; a manager that has not even loaded by then ends as soon as it has.
        """
        self._unwanted = True
        if not self._thread.is_alive():
            return
        end = time.monotonic() + STOP_TIMEOUT
        self._ready.wait(STOP_TIMEOUT)
        loop, stopping = self._loop, self._stopping
        if loop is not None and stopping is not None:
            try:
                loop.call_soon_threadsafe(stopping.set)
            except RuntimeError:
                log.debug("the manager's loop is closed already")
        self._thread.join(max(0.0, end - time.monotonic()))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except Exception as error:  # noqa: BLE001 - told to whoever asks for anything from then on
            log.critical("the manager's thread ended: %s", frames_of(error))
            self._error = error
        finally:
            self._ready.set()

    async def _main(self) -> None:
        # Imported here: the engine and the drivers load while the screen draws its first frame.
        from manager.manager import ConnectionManager  # noqa: PLC0415
        from manager.store import Store  # noqa: PLC0415

        stopping = self._stopping = asyncio.Event()
        async with ConnectionManager(
            self._connections, store=Store(self._store), drivers=self._drivers
        ) as manager:
            self._begun(manager)
            self._manager = manager
            self._ring = manager.ring
            self._loop = asyncio.get_running_loop()
            self._ready.set()
            if not self._unwanted:
                await stopping.wait()
            with self._door:
                self._manager = None
            # What was handed over just before begins now, so that it is cancelled and its caller let go.
            await asyncio.sleep(0)

    def _begun(self, manager: ConnectionManager) -> None:
        """Meet the manager on its loop before it has opened anything."""

    # --- ManagerClient ----------------------------------------------------------------------------------

    @property
    def embedded(self) -> bool:
        """True: the manager ends with this process."""
        return True

    async def snapshot(self) -> Snapshot:
        """Return every status, the aggregate, and the position in the event stream that they stand for."""
        return await self._ask(self._snapshot)

    async def events(self, since: Position) -> AsyncIterator[Event | Gap]:
        """Yield the events after a position, then those to come; a `Gap` where some are no longer held."""
        position = since
        while True:
            batch, position = await self.next_events(position)
            for event in batch:
                yield event
            await asyncio.sleep(TOGETHER)

    async def next_events(self, since: Position) -> tuple[list[Event | Gap], Position]:
        """Return the events after a position, as soon as there are any, and the position they lead to."""
        return await self._ask(self._next_events, since)

    def remaining(self, since: Position) -> list[Event | Gap]:
        """Return the events after a position once the manager has been stopped."""
        if self._ring is None or self._thread.is_alive():
            return []
        return self._ring.after(since, limit=self._ring.last)[0]

    async def command(self, command: Command) -> Outcome:
        """Carry a command out and return when it is done.

        Raises:
            manager.errors.UnknownConnectionError: no connection has the name.
            manager.errors.UnknownGroupError: no connection is in the group.
            ValueError: a group cannot be muted for so long.
        """
        return await self._ask(self._carry_out, command)

    async def history(self, name: str) -> History:
        """Return what became of a connection: its phases, attempts, sessions, failures and latencies.

        Raises:
            manager.errors.UnknownConnectionError: no connection has the name.
        """
        return await self._ask(self._history, name)

    async def settings(self, name: str) -> tuple[SettingRow, ...]:
        """Return the settings that count for a connection and where each comes from; secrets are masked.

        Raises:
            manager.errors.UnknownConnectionError: no connection has the name.
        """
        return await self._ask(self._settings, name)

    async def wire(self, name: str, since: Position | None = None) -> AsyncIterator[WireMessage | Gap]:
        """Yield what a connection sent and received after a position, then what follows, secrets masked.

        All that is held where `since` is None; a `Gap` counts what is no longer. Ends with the connection.

        Raises:
            manager.errors.UnknownConnectionError: no connection has the name.
        """
        ring = await self._ask(self._wire_ring, name)
        position = since
        while batch := await self._ask(self._next_wire, ring, position):
            messages, position = batch
            for message in messages:
                yield message

    async def _history(self, manager: ConnectionManager, name: str) -> History:
        return manager.history(name)

    async def _settings(self, manager: ConnectionManager, name: str) -> tuple[SettingRow, ...]:
        return manager.settings(name)

    async def _wire_ring(self, manager: ConnectionManager, name: str) -> WireRing:
        return manager.wire_ring(name)

    async def _next_wire(
        self,
        manager: ConnectionManager,  # noqa: ARG002 - who owns the ring
        ring: WireRing,
        since: Position | None,
    ) -> tuple[list[WireMessage | Gap], Position] | None:
        return ring.after(since) if await ring.wait(since) else None

    async def _snapshot(self, manager: ConnectionManager) -> Snapshot:
        return manager.snapshot()

    async def _next_events(
        self, manager: ConnectionManager, since: Position
    ) -> tuple[list[Event | Gap], Position]:
        await manager.ring.wait(since)
        return manager.ring.after(since)

    async def _carry_out(self, manager: ConnectionManager, command: Command) -> Outcome:
        match command:
            case Reconnect():
                return await manager.force_reconnection(command.name, override=command.override)
            case Refresh():
                return await manager.refresh_status(command.name)
            case Pause():
                await manager.pause(command.name)
                return (_done(manager, command.name, "closed until it is resumed"),)
            case Resume():
                rests = not manager.get_connection_status(command.name)[command.name].phase.counts
                manager.resume(command.name)
                text = "taken up again" if rests else "was not paused"
                return (_done(manager, command.name, text),)
            case Skip():
                return await manager.skip(command.name)
            case Acknowledge():
                return manager.acknowledge(command.name, withdraw=command.withdraw)
            case Mute():
                return manager.mute(command.group, command.seconds)
            case Reload():
                return await self._reload(manager)

    async def _reload(self, manager: ConnectionManager) -> Outcome:
        if self._load is None:
            raise TrunklineError("there is no file to read the settings from")
        try:
            await manager.reload(await asyncio.to_thread(self._load))
        except (TrunklineError, ValueError) as error:
            reason = error.summary if isinstance(error, TrunklineError) else str(error)
            manager.reload_failed(reason)
            raise TrunklineError(reason) from error
        return ()

    async def _ask(self, question: Callable[..., Coroutine[Any, Any, Answer]], *arguments: object) -> Answer:
        """Run a coroutine of ours on the manager's loop and await its answer on the caller's."""
        if not self._ready.is_set():
            await asyncio.to_thread(self._ready.wait)
        with self._door:
            if self._loop is None or self._manager is None:
                raise ManagerGoneError("the manager has ended") from self._error
            future = asyncio.run_coroutine_threadsafe(question(self._manager, *arguments), self._loop)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise ManagerGoneError("the manager has ended") from None


def _done(manager: ConnectionManager, name: str, text: str) -> Result:
    return Result(connection=name, ok=True, text=text, status=manager.get_connection_status(name)[name])
