"""The round trips of one connection's heartbeats."""

from __future__ import annotations

import statistics
from collections import deque

WINDOW = 300.0
"""Seconds over which the usual latency is taken."""
_FEWEST = 3
_MOST = 300


class LatencyWindow:
    """The latencies of the last five minutes and their median."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque(maxlen=_MOST)

    def add(self, now: float, latency: float) -> None:
        """Note a round trip of `latency` seconds, seen at `now` on the monotonic clock."""
        while self._samples and self._samples[0][0] < now - WINDOW:
            self._samples.popleft()
        self._samples.append((now, latency))

    @property
    def usual(self) -> float | None:
        """The median in seconds; None until three have been seen."""
        if len(self._samples) < _FEWEST:
            return None
        return statistics.median(latency for _, latency in self._samples)
