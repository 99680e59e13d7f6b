"""When everything that was lost is back."""

from __future__ import annotations

from dataclasses import dataclass

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

    def __init__(self) -> None:
        self._lost: set[str] = set()
        self._back: list[str] = []
        self._began: float | None = None
        self._last_up = 0.0

    def note(self, status: Status, *, gone: bool = False) -> OutageOver | None:
        """Take a new status in and return the end of the outage if this was it."""
        name = status.name
        if status.down_since is not None and not gone:
            self._lost.add(name)
            began = status.down_since
            self._began = began if self._began is None else min(self._began, began)
            return None
        if name not in self._lost:
            return None
        self._lost.discard(name)
        if status.stable and not gone and status.up_since is not None:
            self._back.append(name)
            self._last_up = max(self._last_up, status.up_since)
        return None if self._lost else self._end()

    def _end(self) -> OutageOver | None:
        began, back = self._began, tuple(self._back)
        over = OutageOver(back, max(0.0, self._last_up - began)) if back and began is not None else None
        self._began, self._last_up = None, 0.0
        self._back.clear()
        return over
