"""What a face may know of a manager: snapshot, events, commands. Nothing else crosses this line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

import msgspec

from manager.effective import SettingRow
from manager.events import Event, Gap
from manager.history import History
from manager.model import Outcome, Position, Snapshot
from manager.wire import WireMessage


class Reconnect(msgspec.Struct, frozen=True, kw_only=True, tag="reconnect"):
    """Reconnect a connection, or all that are not stopped or paused."""

    name: str | None = None
    override: bool = False
    """Try also where the login budget of the host is used up."""


class Refresh(msgspec.Struct, frozen=True, kw_only=True, tag="refresh"):
    """Run heartbeat and check of a connection, or of all, side by side."""

    name: str | None = None


class Pause(msgspec.Struct, frozen=True, kw_only=True, tag="pause"):
    """Close a connection and keep it closed until it is resumed."""

    name: str


class Resume(msgspec.Struct, frozen=True, kw_only=True, tag="resume"):
    """Take up a paused connection."""

    name: str


class Skip(msgspec.Struct, frozen=True, kw_only=True, tag="skip"):
    """End the wait of a connection now; its attempt follows with the number it would have had anyway."""

    name: str


class Acknowledge(msgspec.Struct, frozen=True, kw_only=True, tag="acknowledge"):
    """Say that the trouble of a connection is known."""

    name: str
    withdraw: bool = False
    """Take it back instead."""


class Mute(msgspec.Struct, frozen=True, kw_only=True, tag="mute"):
    """Have nobody alarmed about a group for a time."""

    group: str
    seconds: float
    """From now on; 0 ends it."""


class Reload(msgspec.Struct, frozen=True, tag="reload"):
    """Read the settings anew; add, remove and change connections by them and leave the others alone."""


Command = Reconnect | Refresh | Pause | Resume | Skip | Acknowledge | Mute | Reload


class ManagerClient(Protocol):
    """A manager, in this process or elsewhere."""

    @property
    def embedded(self) -> bool:
        """Whether the manager ends with this face; one that is elsewhere goes on."""

    async def snapshot(self) -> Snapshot:
        """Return every status, the aggregate, and the position in the event stream that they stand for."""

    def events(self, since: Position) -> AsyncIterator[Event | Gap]:
        """Yield the events after a position, then those to come; a `Gap` where some are no longer held."""

    async def command(self, command: Command) -> Outcome:
        """Carry a command out and return when it is done.

        Raises:
            manager.errors.UnknownConnectionError: no connection has the name.
            manager.errors.UnknownGroupError: no connection is in the group.
            ValueError: a group cannot be muted for so long.
            manager.errors.TrunklineError: the settings cannot be used; nothing has changed.
        """

    async def history(self, name: str) -> History:
        """Return what became of a connection: its phases, attempts, sessions, failures and latencies.

        Raises:
            manager.errors.UnknownConnectionError: no connection has the name.
        """

    async def settings(self, name: str) -> tuple[SettingRow, ...]:
        """Return the settings that count for a connection and where each comes from; secrets are masked.

        Raises:
            manager.errors.UnknownConnectionError: no connection has the name.
        """

    def wire(self, name: str, since: Position | None = None) -> AsyncIterator[WireMessage | Gap]:
        """Yield what a connection sent and received after a position, then what follows, secrets masked.

        All that is held where `since` is None; a `Gap` counts what is no longer. Ends with the connection.

        Raises:
            manager.errors.UnknownConnectionError: no connection has the name.
        """
