"""Which connections cost how many points of the whole: a pure function, for whoever shows health."""

from __future__ import annotations

from collections.abc import Iterable

from manager.model import Status


def shares(statuses: Iterable[Status]) -> dict[str, int]:
    """Return how many points of the whole each connection costs, the dearest first, without the free ones.

    They sum up to exactly 100 less the aggregate health: what rounding leaves over goes to the largest
    remainders. Empty where nothing counts.
    """
    counted = [status for status in statuses if status.phase.counts]
    lost = {status.name: thousandths(status.weight) * (100 - status.score) for status in counted}
    weight = sum(thousandths(status.weight) for status in counted)
    if not weight:
        return {}
    points = {name: each // weight for name, each in lost.items()}
    left = -(-sum(lost.values()) // weight) - sum(points.values())
    for name in sorted(lost, key=lambda name: -(lost[name] % weight))[:left]:
        points[name] += 1
    return {name: each for name, each in sorted(points.items(), key=lambda item: -item[1]) if each}


def thousandths(weight: float) -> int:
    """Return a weight in thousandths: whole numbers keep a running sum exact however often it changes."""
    return max(1, round(weight * 1000))
