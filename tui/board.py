"""What the dashboard knows of the manager: the last snapshot and the events applied to it since."""

from __future__ import annotations

from manager.events import BudgetChanged, ConnectionEvent, Event, Removed
from manager.model import BudgetStatus, Phase, Position, Snapshot, Status
from tui import phases

_LATENCY_STEP = 4 / 3
"""A latency is shown anew when it has moved by a third."""


class Board:
    """Statuses, budgets and health, as of the last event."""

    def __init__(self) -> None:
        self.statuses: dict[str, Status] = {}
        self.budgets: dict[str, BudgetStatus] = {}
        self.health: int | None = None
        self.position = Position("", 0)
        self.clock_offset = 0.0
        """Added to a deadline of the manager, it gives this machine's monotonic time."""
        self.loaded = False
        self._latencies: dict[str, float] = {}

    def load(self, snapshot: Snapshot, monotonic: float) -> None:
        """Begin anew from a snapshot that was taken when this machine's monotonic clock said `monotonic`."""
        self.statuses = {status.name: status for status in snapshot.statuses}
        self.budgets = {budget.host: budget for budget in snapshot.budgets}
        self.health = snapshot.health
        self.position = snapshot.position
        self.clock_offset = monotonic - snapshot.monotonic
        self.loaded = True
        self._latencies = {name: kept for name, kept in self._latencies.items() if name in self.statuses}
        for status in snapshot.statuses:
            self._note_latency(status)

    def apply(self, event: Event) -> bool:
        """Take an event in; whether a connection is in another phase by it."""
        self.health = event.health
        self.position = Position(self.position.epoch, event.seq)
        if isinstance(event, BudgetChanged):
            self.budgets[event.budget.host] = event.budget
        if not isinstance(event, ConnectionEvent):
            return False
        name = event.connection
        before = self.statuses.get(name)
        if isinstance(event, Removed):
            self.statuses.pop(name, None)
            self._latencies.pop(name, None)
            return True
        self.statuses[name] = event.status
        self._note_latency(event.status)
        return before is None or _appearance(before) != _appearance(event.status)

    def latency(self, name: str) -> float | None:
        """Return the latency to show for a connection: one that moves only by a third."""
        return self._latencies.get(name)

    def _note_latency(self, status: Status) -> None:
        latency, shown = status.latency, self._latencies.get(status.name)
        if latency is None:
            self._latencies.pop(status.name, None)
        elif shown is None or latency >= shown * _LATENCY_STEP or latency <= shown / _LATENCY_STEP:
            self._latencies[status.name] = latency

    @property
    def up(self) -> int:
        """How many connections have a usable session."""
        return sum(status.phase.connected for status in self.statuses.values())

    def matching(self, words: str) -> list[Status]:
        """Return the connections whose name, type, phase or endpoint holds `words`, in their order."""
        if not words:
            return list(self.statuses.values())
        return [status for status in self.statuses.values() if words in _searched(status)]


def _appearance(status: Status) -> tuple[Phase, float | None, bool]:
    return status.phase, status.deadline, phases.slow(status)


def _searched(status: Status) -> str:
    return f"{status.name} {status.type} {status.phase.value} {status.endpoint}".lower()
