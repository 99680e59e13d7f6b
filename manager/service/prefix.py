"""What one of several services tells, with its label in front of every name: `berlin/desk-6001`."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from manager.events import (
    BudgetChanged,
    Commanded,
    ConnectionEvent,
    DoubtedBySibling,
    Event,
    LoginWithheld,
    Muted,
    Reconnected,
    Reloaded,
    Stalled,
    Unmuted,
    WokenBySibling,
)
from manager.model import BudgetStatus, MuteStatus, Outcome, Status

_BETWEEN = "/"


class Prefix(msgspec.Struct, frozen=True):
    """Of one service."""

    label: str
    offset: float = 0.0
    """Added to a deadline of its monotonic clock, it gives ours."""

    def __call__(self, name: str) -> str:
        """Return a name of the service as it is called among several."""
        return f"{self.label}{_BETWEEN}{name}"

    def status(self, status: Status) -> Status:
        """Return a status as one among those of several services."""
        deadline = None if status.deadline is None else status.deadline + self.offset
        return replace(status, name=self(status.name), group=self(status.group), deadline=deadline)

    def budget(self, budget: BudgetStatus) -> BudgetStatus:
        """Return a budget likewise: each service has its own for a host."""
        return replace(budget, host=self(budget.host))

    def mute(self, mute: MuteStatus) -> MuteStatus:
        """Return a mute likewise."""
        return replace(mute, group=self(mute.group))

    def outcome(self, outcome: Outcome) -> Outcome:
        """Return what came of a command likewise."""
        return tuple(
            replace(result, connection=self(result.connection), status=self.status(result.status))
            for result in outcome
        )

    def event(self, event: Event) -> Event:
        """Return an event likewise."""
        if isinstance(event, ConnectionEvent):
            return replace(event, status=self.status(event.status), **self._beside_status(event))
        return replace(event, **self._of_the_whole(event))

    def _beside_status(self, event: ConnectionEvent) -> dict[str, str]:
        if isinstance(event, WokenBySibling | DoubtedBySibling):
            return {"sibling": self(event.sibling)}
        return {"host": self(event.host)} if isinstance(event, LoginWithheld) else {}

    def _of_the_whole(self, event: Event) -> dict[str, Any]:
        match event:
            case BudgetChanged():
                return {"budget": self.budget(event.budget)}
            case Muted():
                return {"mute": self.mute(event.mute)}
            case Unmuted():
                return {"group": self(event.group)}
            case Reconnected():
                return {"connections": tuple(map(self, event.connections))}
            case Reloaded():
                return {
                    name: tuple(map(self, getattr(event, name))) for name in ("added", "removed", "changed")
                }
            case Stalled() if event.connection:
                return {"connection": self(event.connection)}
            case Commanded():
                return {"connection": self.label if event.connection is None else self(event.connection)}
        return {}


def split(name: str) -> tuple[str, str]:
    """Return the label of a service and the name within it; an empty one for the service itself."""
    label, _, within = name.partition(_BETWEEN)
    return label, within
