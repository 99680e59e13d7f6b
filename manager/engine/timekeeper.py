"""Notices what no timer can: that the machine was suspended, and that its clock was set.

Waits are measured by the monotonic clock, which neither moves. But after a suspend every session may be dead
without a word, and whatever the wall clock was told is shown wrong from then on.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from manager.engine.clock import Clock

INTERVAL = 5.0
"""Seconds from one look to the next."""
LEAST = 2.0
"""Seconds that clocks must part by; less is the daily work of NTP, or a look that came late."""


@dataclass(frozen=True, slots=True)
class Jump:
    """What became of the clocks since the last look, in seconds; 0 where nothing did."""

    suspended: float
    stepped: float
    """How far the wall clock was set forward, or back where it is negative."""


class Timekeeper:
    """Compares the machine's clocks with each other."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._asleep, self._apart = self._read()

    async def jump(self) -> Jump:
        """Return when the clocks have parted, and how."""
        while True:
            await asyncio.sleep(INTERVAL)
            asleep, apart = self._read()
            suspended, stepped = asleep - self._asleep, apart - self._apart
            self._asleep = asleep
            if abs(stepped) >= LEAST:
                self._apart = apart
            else:
                stepped = 0.0
            if suspended >= LEAST or stepped:
                return Jump(max(0.0, suspended) if suspended >= LEAST else 0.0, stepped)

    def _read(self) -> tuple[float, float]:
        boottime = self._clock.boottime()
        return boottime - self._clock.monotonic(), self._clock.wall() - boottime
