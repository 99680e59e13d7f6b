"""A manager that can be looked at and not touched."""

from __future__ import annotations

from collections.abc import AsyncIterator

from manager.client import Command, ManagerClient
from manager.effective import SettingRow
from manager.errors import TrunklineError
from manager.events import Event, Gap
from manager.history import History
from manager.model import Outcome, Position, Snapshot
from manager.wire import WireMessage


class ReadOnlyClient:
    """Passes on what can be seen, and refuses every command, whoever gives it."""

    def __init__(self, client: ManagerClient) -> None:
        self._client = client

    @property
    def embedded(self) -> bool:
        """Whether the manager ends with this face."""
        return self._client.embedded

    async def snapshot(self) -> Snapshot:
        """Return the manager's snapshot."""
        return await self._client.snapshot()

    def events(self, since: Position) -> AsyncIterator[Event | Gap]:
        """Yield the manager's events."""
        return self._client.events(since)

    async def history(self, name: str) -> History:
        """Return what became of a connection."""
        return await self._client.history(name)

    async def settings(self, name: str) -> tuple[SettingRow, ...]:
        """Return the settings that count for a connection."""
        return await self._client.settings(name)

    def wire(self, name: str, since: Position | None = None) -> AsyncIterator[WireMessage | Gap]:
        """Yield what a connection sent and received."""
        return self._client.wire(name, since)

    async def command(self, command: Command) -> Outcome:  # noqa: ARG002 - whatever it is
        """Refuse it.

        Raises:
            TrunklineError: always.
        """
        raise TrunklineError(
            "this dashboard is read-only",
            "it was started with --read-only, or the service lets you only look",
        )
