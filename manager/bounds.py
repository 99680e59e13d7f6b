"""What the numbers of a policy may be, each by itself and together: for the file and for programs alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

_YEAR = 365 * 24 * 3600
_HIGHEST_COUNT = 1000
_LONGEST_CONNECT = 600
_LOWEST_RATE = 0.1
_HIGHEST_RATE = 10_000


class Bound(msgspec.Struct, frozen=True):
    """What one number may be. It is bounded on both sides, which keeps NaN and infinity out."""

    low: float
    high: float
    expected: str
    whole: bool = False
    above_low: bool = False
    """Whether `low` itself does not fit."""
    or_zero: bool = False

    def fits(self, value: object) -> bool:
        """Whether a value is a number within the bounds."""
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            return False
        if self.or_zero and value == 0:
            return True
        return (self.low < value if self.above_low else self.low <= value) and value <= self.high


_SOME_SECONDS = Bound(0, _YEAR, "seconds: a number above 0, at most a year", above_low=True)
_SECONDS = Bound(0, _YEAR, "seconds: a number from 0, at most a year")
_COUNT = Bound(1, _HIGHEST_COUNT, f"a whole number from 1 to {_HIGHEST_COUNT}", whole=True)

BOUNDS: Mapping[str, Bound] = {
    "base_delay": _SOME_SECONDS,
    "max_delay": _SOME_SECONDS,
    "max_attempts": _COUNT,
    "connect_timeout": Bound(
        0, _LONGEST_CONNECT, f"seconds: a number above 0, at most {_LONGEST_CONNECT}", above_low=True
    ),
    "heartbeat_interval": _SOME_SECONDS,
    "heartbeat_timeout": _SOME_SECONDS,
    "suspect_timeout": _SOME_SECONDS,
    "health_interval": _SOME_SECONDS,
    "unhealthy_threshold": _COUNT,
    "stable_after": _SECONDS,
    "cooldown": _SECONDS,
    "blocked_retry": _SECONDS,
    "jitter": Bound(0, 1, "a number from 0 to 1"),
    "login_budget": _COUNT,
    "login_window": _SOME_SECONDS,
    "start_rate": Bound(
        _LOWEST_RATE, _HIGHEST_RATE, "a number from 0.1 to 10000, or 0 for no bound", or_zero=True
    ),
}
"""By the name of the number."""


class Contradiction(msgspec.Struct, frozen=True):
    """Two numbers, each good by itself, that do not go together."""

    names: tuple[str, str]
    found: str
    expected: str


def contradictions(numbers: Mapping[str, Any]) -> Iterator[Contradiction]:
    """Yield every pair of a policy's numbers that do not go together."""

    def contradiction(name: str, relation: str, other: str, expected: str) -> Contradiction:
        found = f"{name} {numbers[name]:g} {relation} {other} {numbers[other]:g}"
        return Contradiction((name, other), found, expected)

    if numbers["max_delay"] < numbers["base_delay"]:
        yield contradiction("max_delay", "below", "base_delay", "max_delay of at least base_delay")
    if numbers["heartbeat_timeout"] >= numbers["heartbeat_interval"]:
        yield contradiction(
            "heartbeat_timeout",
            "not below",
            "heartbeat_interval",
            "heartbeat_timeout shorter than heartbeat_interval",
        )
    if numbers["suspect_timeout"] > numbers["heartbeat_timeout"]:
        yield contradiction(
            "suspect_timeout", "above", "heartbeat_timeout", "suspect_timeout of at most heartbeat_timeout"
        )
