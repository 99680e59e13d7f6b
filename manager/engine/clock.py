"""Time, passed in: monotonic for every wait, wall time for display only."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Where the engine reads the time, in seconds."""

    def monotonic(self) -> float:
        """Return the time by which waits are measured: that of the running event loop."""

    def wall(self) -> float:
        """Return the seconds since 1970."""

    def boottime(self) -> float:
        """Return seconds that, unlike `monotonic`, also pass while the machine is suspended."""


class SystemClock:
    """The machine's clocks."""

    def monotonic(self) -> float:
        """Return the running loop's time, so that deadlines and the loop's timers agree."""
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        """Return the seconds since 1970."""
        return time.time()

    def boottime(self) -> float:
        """Return the seconds since the machine was started (clock_gettime(2), CLOCK_BOOTTIME)."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)
