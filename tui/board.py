"""What the dashboard knows of the manager: the last snapshot and the events applied to it since."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from manager.events import BudgetChanged, ConnectionEvent, Event, Muted, Removed, Unmuted, replay_mutes
from manager.model import BudgetStatus, MuteStatus, Position, Snapshot, Status
from tui import phases

_LATENCY_STEP = 4 / 3
"""A latency is shown anew when it has moved by a third,"""
_LATENCY_JITTER = 0.010
"""and by more than the seconds that a busy machine adds to many round trips."""


class Change(enum.IntEnum):
    """How much of what is shown is another."""

    NONE = 0
    ROW = 1
    """What one row says, and nobody waits for."""
    CALM = 2
    """Something about the whole that nobody waits for."""
    URGENT = 3
    """What an operator waits to see: another phase."""


class Board:
    """Statuses, budgets, mutes and health, as of the last event."""

    def __init__(self) -> None:
        self.statuses: dict[str, Status] = {}
        self.budgets: dict[str, BudgetStatus] = {}
        self.mutes: dict[str, MuteStatus] = {}
        """By the group that is muted."""
        self.health: int | None = None
        self.position = Position("", 0)
        self.clock_offset = 0.0
        """Added to a deadline of the manager, it gives this machine's monotonic time."""
        self.loaded = False
        self._latencies: dict[str, float] = {}
        self.version = 0
        """Another number when more has changed than one row: what is judged as a whole may be another."""
        self.arrangement = 0
        """Another number when connections have come, gone or moved, so that rows stand elsewhere."""
        self.changed_at: dict[str, float] = {}
        """When a connection was last in another phase, by the manager's wall clock."""

    def expect(self, statuses: Iterable[Status]) -> None:
        """Hold what a manager is going to begin with, until it tells how it stands."""
        self.statuses = {status.name: status for status in statuses}
        self.health = 0 if self.statuses else None
        self.loaded = bool(self.statuses)
        self.version += 1
        self.arrangement += 1

    def load(self, snapshot: Snapshot, monotonic: float) -> None:
        """Begin anew from a snapshot that was taken when this machine's monotonic clock said `monotonic`."""
        self.statuses = {status.name: status for status in snapshot.statuses}
        self.budgets = {budget.host: budget for budget in snapshot.budgets}
        self.mutes = {mute.group: mute for mute in snapshot.mutes}
        self.health = snapshot.health
        self.position = snapshot.position
        self.clock_offset = monotonic - snapshot.monotonic
        self.loaded = True
        self.version += 1
        self.arrangement += 1
        self.changed_at = {name: at for name, at in self.changed_at.items() if name in self.statuses}
        self._latencies = {name: kept for name, kept in self._latencies.items() if name in self.statuses}
        for status in snapshot.statuses:
            self._note_latency(status)

    def apply(self, event: Event) -> Change:
        """Take an event in, and say how much of what is shown is another by it."""
        change = self._apply(event)
        if self.health != event.health:
            self.health = event.health
            change = max(change, Change.CALM)
        if change > Change.ROW:
            self.version += 1
        return change

    def _apply(self, event: Event) -> Change:
        self.position = Position(self.position.epoch, event.seq)
        if isinstance(event, BudgetChanged):
            self.budgets[event.budget.host] = event.budget
            return Change.CALM
        if isinstance(event, Muted | Unmuted):
            self.mutes = replay_mutes([event], self.mutes)
            return Change.URGENT
        if not isinstance(event, ConnectionEvent):
            return Change.NONE
        name = event.connection
        before = self.statuses.get(name)
        if isinstance(event, Removed):
            self.statuses.pop(name, None)
            self._latencies.pop(name, None)
            self.changed_at.pop(name, None)
            self.arrangement += 1
            return Change.URGENT
        status = self.statuses[name] = event.status
        another_latency = self._note_latency(status)
        if before is None or _place(before) != _place(status):
            self.arrangement += 1
        if before is None or before.phase is not status.phase:
            self.changed_at[name] = event.time
        if before is None or _appearance(before) != _appearance(status):
            return Change.URGENT
        if another_latency or before.facts != status.facts or before.failure != status.failure:
            return Change.ROW
        return Change.NONE

    def latency(self, name: str) -> float | None:
        """Return the latency to show for a connection: the usual one, which moves only by a third."""
        return self._latencies.get(name)

    def _note_latency(self, status: Status) -> bool:
        """Take a latency in; whether another is to be shown."""
        latency, shown = phases.round_trip(status), self._latencies.get(status.name)
        if latency is None:
            return self._latencies.pop(status.name, None) is not None
        # What was measured once or twice is not the usual yet.
        settled = status.usual_latency is not None
        if shown is None or (settled and _moved(shown, latency)):
            self._latencies[status.name] = latency
            return True
        return False

    @property
    def up(self) -> int:
        """How many connections have a usable session."""
        return sum(status.phase.connected for status in self.statuses.values())


def _moved(shown: float, latency: float) -> bool:
    low, high = sorted((shown, latency))
    return high >= low * _LATENCY_STEP and high - low >= _LATENCY_JITTER


def _appearance(status: Status) -> tuple[object, ...]:
    return (
        status.phase, status.deadline, status.attempt, status.failures, phases.slow(status),
        status.acknowledged,
    )  # fmt: skip


def _place(status: Status) -> tuple[object, ...]:
    """Return what decides where a row stands and whether it folds, apart from its order by numbers."""
    reason = status.failure.reason if status.failure else ""
    return status.phase, phases.place(status), status.type, status.group, status.endpoint, reason
