"""How fast a terminal may be drawn on: so many bytes a second, and half as fast where it does not keep up."""

from __future__ import annotations

import time
from collections.abc import Callable

RATE = 8_000
"""Bytes a second that are written for what happens by itself; what a key asks for is not held back."""
_LONGEST = 1.0
"""Seconds that a picture waits at most for the bytes of those before it."""
_SLOW_FROM = 4
"""Pictures that wait to be taken from which on a terminal is behind…"""
_BEHIND = 0.2
"""…and slow, if it stays so for these seconds: at the start more than that wait for a moment."""
_HELD_UP_FROM = 8
"""The same from which on none is added: at thirty Textual's loop would stand still."""
_FOR = 60.0
"""Seconds without one in which it was slow, after which a terminal counts as quick again."""


class Tempo:
    """Knows what the terminal takes and whether it keeps up; one for the whole program."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.asked = False
        """Whether somebody said that it is slow."""
        self.waiting: Callable[[], int] = _none
        """How many pictures the terminal has not taken yet."""
        self.written: Callable[[], int] = _none
        """How many bytes it was sent by now."""
        self._behind_since: float | None = None
        self._slow_until = float("-inf")
        self._counted = 0
        self._free_at = float("-inf")
        """When what was written will have been as much as the rate allows."""

    @property
    def slow(self) -> bool:
        """Whether it is drawn half as often."""
        return self.asked or self._clock() < self._slow_until

    def due(self, now: float, last: float, interval: float) -> float:
        """Return when to draw what is drawn each `interval` seconds at most, and was drawn at `last`."""
        slower = 2 if self.slow else 1
        written = self.written()
        if written > self._counted:
            self._free_at = max(self._free_at, now) + slower * (written - self._counted) / RATE
            self._free_at = min(self._free_at, now + slower * _LONGEST)
            self._counted = written
        return max(now, last + slower * interval, self._free_at) if interval else now

    def held_up(self) -> bool:
        """See how far behind the terminal is; whether nothing is to be drawn now."""
        now, waiting = self._clock(), self.waiting()
        if waiting < _SLOW_FROM:
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = now
        elif now - self._behind_since >= _BEHIND:
            self._slow_until = now + _FOR
        return waiting >= _HELD_UP_FROM


def _none() -> int:
    return 0
