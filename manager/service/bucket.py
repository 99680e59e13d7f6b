"""How often something may happen."""

from __future__ import annotations


class Bucket:
    """Fills with `rate` a second, up to `burst`. Times are monotonic seconds."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = burst
        self._filled: float | None = None

    def take(self, now: float) -> bool:
        """Take one; whether there was one."""
        if self._filled is not None:
            self._left = min(self._burst, self._left + (now - self._filled) * self._rate)
        self._filled = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
