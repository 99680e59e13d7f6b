"""The round trips of one connection's heartbeats."""

from __future__ import annotations

import statistics
from array import array
from bisect import bisect_left

WINDOW = 300.0
"""Seconds over which the usual latency is taken."""
_FEWEST = 3
_MOST = 300


class LatencyWindow:
    """The latencies of the last five minutes and their median."""

    __slots__ = ("_latencies", "_times")

    def __init__(self) -> None:
        self._times = array("d")
        self._latencies = array("f")
        """Packed: thousands of connections keep a dozen each."""

    def add(self, now: float, latency: float) -> None:
        """Note a round trip of `latency` seconds, seen at `now` on the monotonic clock."""
        old = bisect_left(self._times, now - WINDOW)
        old = max(old, len(self._times) + 1 - _MOST)
        del self._times[:old], self._latencies[:old]
        self._times.append(now)
        self._latencies.append(latency)

    @property
    def usual(self) -> float | None:
        """The median in seconds; None until three have been seen."""
        if len(self._latencies) < _FEWEST:
            return None
        return statistics.median(self._latencies)
