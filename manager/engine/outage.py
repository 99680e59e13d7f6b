"""When everything that was lost is back."""

from __future__ import annotations

from dataclasses import dataclass

from manager.engine.clock import Clock
from manager.model import Status


@dataclass(frozen=True, slots=True)
class OutageOver:
    """The connections that were lost and are all back, and how long it took, in seconds."""

    connections: tuple[str, ...]
    downtime: float


class Outage:
    """Follows the connections that were up and lost until the last of them is stable again.

    Parked and blocked ones count as lost; one that is paused, stopped or removed no longer counts.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lost: set[str] = set()
        self._back: dict[str, float] = {}
        """When each was up that is back, on the monotonic clock; one that is lost once more no longer is."""
        self._began: float | None = None
        """When the first of them was lost, on that clock."""

    def note(self, status: Status, *, gone: bool = False) -> OutageOver | None:
        """Take a new status in and return the end of the outage if this was it."""
        name = status.name
        if status.down_since is not None and not gone:
            if name not in self._lost:
                self._lost.add(name)
                self._back.pop(name, None)
                began = self._monotonic(status.down_since)
                self._began = began if self._began is None else min(self._began, began)
            return None
        if name not in self._lost:
            return None
        self._lost.discard(name)
        if status.stable and not gone and status.up_since is not None:
            self._back[name] = self._monotonic(status.up_since)
        return None if self._lost else self._end()

    def _end(self) -> OutageOver | None:
        began, back = self._began, self._back
        self._began, self._back = None, {}
        if not back or began is None:
            return None
        return OutageOver(tuple(back), max(0.0, max(back.values()) - began))

    def _monotonic(self, time: float) -> float:
        """Return a wall time just told on the clock that nobody sets."""
        return time - self._clock.wall() + self._clock.monotonic()
