"""Who is set aside after failures, and for how long: longer each time, never for good."""

from __future__ import annotations

from collections.abc import Hashable

FIRST = 30.0
"""Seconds that the first failure sets aside…"""
LONGEST = 300.0
"""…doubled with each that follows, up to this."""

MOST = 256
"""How many are remembered: a name may stand for other addresses with every lookup."""


class Ejections:
    """Endpoints or addresses that failed, each with what it costs them. Times are monotonic seconds."""

    __slots__ = ("_count", "_until")

    def __init__(self) -> None:
        self._until: dict[Hashable, float] = {}
        self._count: dict[Hashable, int] = {}

    def failed(self, one: Hashable, now: float) -> None:
        """Set one aside, twice as long as the last time; of too many, the first to be free is forgotten."""
        count = self._count[one] = self._count.get(one, 0) + 1
        self._until[one] = now + min(FIRST * 2.0 ** min(count - 1, 16), LONGEST)
        if len(self._until) > MOST:
            self.holds(min(self._until, key=self._until.__getitem__))

    def holds(self, one: Hashable) -> None:
        """Forget the failures of one that has proved itself."""
        self._until.pop(one, None)
        self._count.pop(one, None)

    def until(self, one: Hashable) -> float:
        """Return when one is no longer set aside; 0 for one that never failed."""
        return self._until.get(one, 0.0)
