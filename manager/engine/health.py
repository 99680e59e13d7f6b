"""Health as pure functions: the score of a connection, of the whole, and the band."""

from __future__ import annotations

from collections.abc import Iterable

from manager.model import Band, Cost, Status
from manager.settings import Policy
from manager.shares import thousandths

SLOW_FACTOR = 3.0
"""A reply is slow from this multiple of the connection's usual latency on…"""
SLOW_MARGIN = 0.05
"""…if it is also this many seconds above it."""
SLOW_POINTS = 20
"""Points that a reply costs which takes as long as `heartbeat_timeout`."""
GREEN_FROM = 80
ORANGE_FROM = 50
RISE_MARGIN = 5
"""Points above its floor from which a better band is told of, so that the telling does not flap."""
_RANKS = (Band.RED, Band.ORANGE, Band.GREEN)


def costs(status: Status, policy: Policy) -> tuple[Cost, ...]:
    """Return what keeps a connection from 100 points, the dearest first; they sum up to 100 at most."""
    if not status.phase.connected:
        reason = status.phase.value
        if status.failure is not None and status.phase.counts:
            reason += f": {status.failure.reason}"
        return (Cost(100, reason),)
    slow = slow_points(status.latency, status.usual_latency, policy.heartbeat_timeout)
    if not status.failures and not slow:
        return ()
    found = []
    if status.failures:
        points = min(100 * status.failures // status.threshold, 100)
        why = f": {status.failure.reason}" if status.failure else ""
        found.append(Cost(points, f"{status.failures} of {status.threshold} failures in a row{why}"))
    if slow and status.latency is not None and status.usual_latency is not None:
        text = f"slow: {_milliseconds(status.latency)}, usually {_milliseconds(status.usual_latency)}"
        found.append(Cost(min(slow, 100 - sum(cost.points for cost in found)), text))
    return tuple(sorted((cost for cost in found if cost.points), key=lambda cost: -cost.points))


def slow_points(latency: float | None, usual: float | None, limit: float) -> int:
    """Return what a reply that took `latency` costs, where `usual` is the median: 0 to 20 points."""
    if latency is None or usual is None:
        return 0
    threshold = max(SLOW_FACTOR * usual, usual + SLOW_MARGIN)
    if latency <= threshold:
        return 0
    if threshold >= limit:
        return SLOW_POINTS
    return max(1, min(SLOW_POINTS, int(SLOW_POINTS * (latency - threshold) / (limit - threshold))))


def score(lost: Iterable[Cost]) -> int:
    """Return the points that are left of 100."""
    return 100 - sum(cost.points for cost in lost)


def band(health: int | None) -> Band:
    """Return the colour of an aggregate health: green from 80, orange from 50, red below."""
    if health is None:
        return Band.UNKNOWN
    if health >= GREEN_FROM:
        return Band.GREEN
    return Band.ORANGE if health >= ORANGE_FROM else Band.RED


def steady_band(previous: Band, health: int | None) -> Band:
    """Return the band to tell of: it falls at once, and rises 5 points above a floor."""
    now = band(health)
    if Band.UNKNOWN in (previous, now) or health is None:
        return now
    risen = band(max(health - RISE_MARGIN, 0))
    return max(min(previous, now, key=_RANKS.index), risen, key=_RANKS.index)


class Aggregate:
    """The weighted mean of all connections that count, kept up to date one status at a time."""

    def __init__(self) -> None:
        self._points = 0
        self._weight = 0

    def replace(self, old: Status | None, new: Status | None) -> None:
        """Take a connection's old status out and its new one in."""
        if old is not None and new is not None and _counts_alike(old, new):
            return
        for status, sign in ((old, -1), (new, 1)):
            if status is not None and status.phase.counts:
                weight = thousandths(status.weight) * sign
                self._points += weight * status.score
                self._weight += weight

    @property
    def health(self) -> int | None:
        """The mean from 0 to 100, rounded down; None where nothing counts."""
        return self._points // self._weight if self._weight else None


def aggregate(statuses: Iterable[Status]) -> int | None:
    """Return the aggregate health of these connections."""
    whole = Aggregate()
    for status in statuses:
        whole.replace(None, status)
    return whole.health


def _counts_alike(old: Status, new: Status) -> bool:
    return old.phase is new.phase and old.score == new.score and old.weight == new.weight


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
