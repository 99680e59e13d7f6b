"""How fast connections are opened on one host: one after the other, evenly spaced."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from manager.engine.clock import Clock


class Pacing:
    """The lines of those who want to open a connection, one a host.

    First starts, waits that end together, the wakes of siblings and operators: all of them stand in it, in
    the order in which they came. Who gives up leaves the line and costs the others nothing.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lines: dict[str, _Line] = defaultdict(_Line)

    async def turn(self, host: str, rate: float) -> None:
        """Return when the next open on a host may start, at most `rate` a second; at once where that is 0."""
        if not rate:
            return
        line = self._lines[host]
        async with line.lock:
            now = self._clock.monotonic()
            start = max(now, line.free_at)
            if start > now:
                await asyncio.sleep(start - now)
            # From the planned start on, so that timers that are late do not add up.
            line.free_at = start + 1.0 / rate


class _Line:
    """Who stands in line for a host; the first of them holds the lock."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.free_at = 0.0
        """Monotonic time at which the next may start."""
