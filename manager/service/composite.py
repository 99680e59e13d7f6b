"""Several services as one manager: a `ManagerClient` whose names begin with the label of their service.

Each attachment is itself a connection, of the type `service`: it is kept up by a manager of this process,
with phase, countdown and details like any other, and takes commands of its own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Coroutine, Mapping
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

from msgspec.structs import replace

from manager.client import Command, Mute, Reconnect, Refresh, Reload
from manager.effective import SettingRow
from manager.embedded import EmbeddedClient
from manager.errors import ManagerGoneError, TrunklineError, UnknownConnectionError, UnknownGroupError
from manager.events import Event, Gap
from manager.history import History
from manager.listeners import EVENT_NAMES
from manager.model import Outcome, Position, Result, Snapshot
from manager.service.address import Address
from manager.service.attachment import TYPE, Attacher, settings_of
from manager.service.merge import Merge
from manager.service.prefix import split
from manager.service.remote import RemoteClient
from manager.wire import WireMessage

if TYPE_CHECKING:
    from manager.manager import ConnectionManager

_SETTLED_WITHIN = 3.0
"""Seconds that the first snapshot waits for services that do not answer at once."""


class CompositeClient(EmbeddedClient):
    """Attaches to several services."""

    def __init__(self, services: Mapping[str, Address]) -> None:
        """Prepare.

        Args:
            services: where they are, by their labels; a label holds no slash.
        """
        self._remotes = {label: RemoteClient(address) for label, address in services.items()}
        self._merge = Merge(services, time.time)
        super().__init__(
            [settings_of(label, address) for label, address in services.items()],
            drivers={TYPE: Attacher(self._remotes, self._merge)},
        )

    @property
    def embedded(self) -> bool:
        """False: the services go on when this process ends."""
        return False

    async def history(self, name: str) -> History:
        """Return what became of a connection, or of an attachment.

        Raises:
            manager.errors.UnknownConnectionError: no connection has the name.
            manager.errors.ManagerGoneError: its service is not attached.
        """
        label, within = await self._ask(self._routed, name)
        if not within:
            return await super().history(name)
        return replace(await self._remotes[label].history(within), connection=name)

    async def settings(self, name: str) -> tuple[SettingRow, ...]:
        """Return the settings that count for a connection or an attachment; secrets are masked.

        Raises:
            manager.errors.UnknownConnectionError: no connection has the name.
            manager.errors.ManagerGoneError: its service is not attached.
        """
        label, within = await self._ask(self._routed, name)
        if not within:
            return await super().settings(name)
        return await self._remotes[label].settings(within)

    async def wire(self, name: str, since: Position | None = None) -> AsyncGenerator[WireMessage | Gap]:
        """Yield what a connection sent and received after a position, then what follows, secrets masked.

        Raises:
            manager.errors.UnknownConnectionError: no connection has the name.
            manager.errors.ManagerGoneError: its service is not attached.
        """
        label, within = await self._ask(self._routed, name)
        if not within:
            async for message in super().wire(name, since):
                yield message
            return
        async with aclosing(self._remotes[label].wire(within, since)) as stream:
            async for message in stream:
                yield message

    # --- on the manager's loop --------------------------------------------------------------------------

    def _begun(self, manager: ConnectionManager) -> None:
        for event in manager.ring.after(Position(manager.ring.epoch, 0), limit=manager.ring.last)[0]:
            if isinstance(event, Event):
                self._merge.told_here(event)
        for name in EVENT_NAMES:
            manager.on(name, self._merge.told_here)

    async def _snapshot(self, manager: ConnectionManager) -> Snapshot:
        if not self._merge.shown:
            await self._settle(manager)
            self._merge.shown = True
        return self._merge.snapshot(asyncio.get_running_loop().time())

    async def _settle(self, manager: ConnectionManager) -> None:
        """Wait until each service is attached or could not be, or for a while."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_SETTLED_WITHIN):
                while not self._merge.settled and self._manager is not None:
                    await manager.ring.wait(manager.ring.position)

    async def _next_events(
        self,
        manager: ConnectionManager,  # noqa: ARG002 - its events are among those of the merge
        since: Position,
    ) -> tuple[list[Event | Gap], Position]:
        await self._merge.ring.wait(since)
        return self._merge.ring.after(since)

    async def _routed(self, manager: ConnectionManager, name: str) -> tuple[str, str]:  # noqa: ARG002 - of all
        """Return the label of the service and the name within it; an empty one for the attachment itself."""
        label, within = split(name)
        if self._merge.status(name) is None:
            raise UnknownConnectionError(f"no connection is called {name!r}")
        self._demand_attached(label, within)
        return label, within

    def _demand_attached(self, label: str, within: str) -> None:
        if within and not self._merge.attached(label):
            raise ManagerGoneError(f"{label} is not attached")

    async def _carry_out(self, manager: ConnectionManager, command: Command) -> Outcome:
        if isinstance(command, Reload):
            await self._reload_all()
            return ()
        if isinstance(command, Mute):
            return await self._mute(manager, command)
        if command.name is not None:
            label, within = await self._routed(manager, command.name)
            if not within:
                return await self._here(manager, command)
            outcome = await self._remotes[label].command(replace(command, name=within))
            return self._merge.prefix(label).outcome(outcome)
        if isinstance(command, Reconnect | Refresh):
            return await self._for_all(manager, command)
        raise UnknownConnectionError("no connection was named")

    async def _here(self, manager: ConnectionManager, command: Command) -> Outcome:
        """Give a command to an attachment."""
        return await super()._carry_out(manager, command)

    async def _mute(self, manager: ConnectionManager, command: Mute) -> Outcome:
        label, within = split(command.group)
        if label not in self._remotes:
            raise UnknownGroupError(f"no connection is in a group called {command.group!r}")
        if not within:
            return await self._here(manager, command)
        self._demand_attached(label, within)
        outcome = await self._remotes[label].command(replace(command, group=within))
        return self._merge.prefix(label).outcome(outcome)

    async def _for_all(self, manager: ConnectionManager, command: Reconnect | Refresh) -> Outcome:
        """Give a command to every service that is attached; the others are attached now, if they can be."""
        attached = [label for label in self._remotes if self._merge.attached(label)]
        away = [label for label in self._remotes if label not in attached]
        jobs: list[Coroutine[None, None, Outcome]] = [self._of_one(label, command) for label in attached]
        if isinstance(command, Refresh):
            jobs += [self._here(manager, replace(command, name=label)) for label in attached]
        else:
            jobs += [self._here(manager, replace(command, name=label)) for label in away]
        return tuple(result for outcome in await asyncio.gather(*jobs) for result in outcome)

    async def _of_one(self, label: str, command: Command) -> Outcome:
        try:
            outcome = await self._remotes[label].command(command)
        except TrunklineError as error:
            status = self._merge.status(label)
            if status is None:
                return ()
            return (Result(connection=label, ok=False, text=str(error), status=status),)
        return self._merge.prefix(label).outcome(outcome)

    async def _reload_all(self) -> None:
        """Have every service read its settings anew.

        Raises:
            TrunklineError: one cannot, or is not there; the message says of each why.
        """
        labels = list(self._remotes)
        results = await asyncio.gather(
            *(self._remotes[label].command(Reload()) for label in labels), return_exceptions=True
        )
        wrong = []
        for label, result in zip(labels, results, strict=True):
            if isinstance(result, TrunklineError):
                wrong.append(f"{label}: {result.summary}")
            elif isinstance(result, BaseException):
                raise result
        if wrong:
            raise TrunklineError("; ".join(wrong))
