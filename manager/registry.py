"""Which connections are managed: added, removed, and changed by other settings, each with its supervisor."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from manager import plugins
from manager.drivers.base import Driver, DriverFactory
from manager.engine.budget import LoginBudget
from manager.engine.clock import Clock
from manager.engine.containment import contained
from manager.engine.group import Groups
from manager.engine.reload import difference
from manager.engine.supervisor import Supervisor
from manager.errors import ManagerGoneError, UnknownConnectionError
from manager.events import Added, Changed, Reloaded, Removed
from manager.messages import MessageStreams
from manager.model import Phase
from manager.plugins import Plugins
from manager.publisher import Publisher
from manager.settings import ConnectionSettings
from manager.store import Store
from manager.wirering import WireRings

DRIVERS = {
    "ami": "manager.drivers.ami",
    "sip": "manager.drivers.sip",
    "websocket": "manager.drivers.websocket",
}
"""Module of each connection type; imported when a connection of the type is added."""

Answer = TypeVar("Answer")


class Registry:
    """The supervisors of all connections, by name, in the order of the settings."""

    def __init__(
        self,
        publisher: Publisher,
        store: Store,
        budget: LoginBudget,
        *,
        clock: Clock,
        drivers: Mapping[str, DriverFactory],
        chance: Callable[[], float],
    ) -> None:
        self.supervisors: dict[str, Supervisor] = {}
        self.groups = Groups(clock)
        self.streams = MessageStreams()
        self.wires = WireRings(clock)
        self.stopped = False
        self._publisher = publisher
        self._publish = publisher.publish
        self._deliver = self.streams.deliver
        """Bound once, like `_publish`, for thousands of connections."""
        self._store = store
        self._budget = budget
        self._clock = clock
        self._drivers = dict(drivers)
        self._chance = chance
        self._reloading = asyncio.Lock()

    def __getitem__(self, name: str) -> Supervisor:
        """Return the supervisor of a connection; raise `UnknownConnectionError` where there is none."""
        try:
            return self.supervisors[name]
        except KeyError:
            raise UnknownConnectionError(f"no connection is called {name!r}") from None

    async def stop(self) -> None:
        """Close every connection politely, side by side, for good."""
        self.stopped = True
        try:
            await side_by_side(each.stop(for_good=True) for each in self.supervisors.values())
        finally:
            self.streams.end_all()
            self.wires.close()
            await self.groups.peeks.stop()

    def add(self, settings: ConnectionSettings) -> None:
        """Manage one more connection and take it up.

        Raises:
            ValueError: its name is taken, or nothing knows its type.
            ManagerGoneError: the manager was stopped.
        """
        if self.stopped:
            raise ManagerGoneError("the manager has been stopped")
        if settings.name in self.supervisors:
            raise ValueError(f"a connection named {settings.name!r} is managed already")
        supervisor = self.supervisors[settings.name] = self._new_supervisor(settings)
        self._publisher.publish(Added, supervisor.status)
        supervisor.start()

    async def remove(self, name: str) -> None:
        """Close a connection politely and forget it; the streams of its messages end.

        Raises:
            UnknownConnectionError: no connection has the name.
        """
        supervisor = self[name]
        try:
            await supervisor.stop(for_good=True)
        finally:
            if self.supervisors.get(name) is supervisor:
                del self.supervisors[name]
                self.streams.end(name)
                self.wires.remove(name)
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
            now = {name: supervisor.settings for name, supervisor in self.supervisors.items()}
            found = difference(now, connections)
            for settings in (*found.added, *found.changed):
                self._factory(settings.type)
            await side_by_side(self._remove_if_there(name) for name in found.removed)
            await side_by_side(self._change(settings) for settings in found.changed)
            for settings in found.added:
                if settings.name not in self.supervisors:
                    self.add(settings)
            for settings in connections:
                # One that is the same may stand in another line by now.
                supervisor = self.supervisors.get(settings.name)
                if supervisor is not None and supervisor.settings == settings:
                    supervisor.settings = settings
            order = {settings.name: place for place, settings in enumerate(connections)}
            self.supervisors = dict(
                sorted(self.supervisors.items(), key=lambda item: order.get(item[0], len(order)))
            )
        self._publisher.emit(
            Reloaded,
            added=tuple(settings.name for settings in found.added),
            removed=found.removed,
            changed=tuple(settings.name for settings in found.changed),
        )

    def _new_supervisor(self, settings: ConnectionSettings) -> Supervisor:
        return Supervisor(
            settings,
            self._driver(settings),
            clock=self._clock,
            budget=self._budget,
            groups=self.groups,
            publish=self._publish,
            deliver=self._deliver,
            record=self.wires[settings.name].record,
            chance=self._chance,
        )

    async def _remove_if_there(self, name: str) -> None:
        with suppress(UnknownConnectionError):
            await self.remove(name)

    async def _change(self, settings: ConnectionSettings) -> None:
        old = self.supervisors.get(settings.name)
        if old is None:
            return
        paused = old.status.phase is Phase.PAUSED
        try:
            await old.stop(for_good=True)
        finally:
            # Also where this is given up: the old one cannot be taken up any more.
            if not self.stopped and self.supervisors.get(settings.name) is old:
                new = self.supervisors[settings.name] = self._new_supervisor(settings)
                self._publisher.publish(Changed, new.status)
                if paused:
                    await new.stop(Phase.PAUSED)
                else:
                    new.start()

    def _driver(self, settings: ConnectionSettings) -> Driver:
        return self._factory(settings.type)(settings, self._store.section(f"connection {settings.name}"))

    def _factory(self, kind: str) -> DriverFactory:
        if kind not in self._drivers:
            self._drivers[kind] = driver_factory(kind)
        return self._drivers[kind]


def driver_factory(kind: str) -> DriverFactory:
    """Return what makes the drivers of a connection type, of trunkline itself or of another package.

    Raises:
        ValueError: nothing knows the type.
    """
    if kind in DRIVERS:
        factory: DriverFactory = importlib.import_module(DRIVERS[kind]).create
        return factory
    installed = Plugins(plugins.DRIVERS)
    if kind in installed.names:
        return contained(kind, lambda settings, memory: installed.load(kind).create(settings, memory))
    raise ValueError(f"no driver knows the connection type {kind!r}")


async def side_by_side(jobs: Iterable[Coroutine[Any, Any, Answer]]) -> tuple[Answer, ...]:
    """Run them all and return what they gave; none outlives this, also when it is cancelled."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(job) for job in jobs]
    return tuple(task.result() for task in tasks)
