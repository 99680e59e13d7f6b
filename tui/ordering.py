"""In which order the connections of a section stand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from manager.model import Status
from tui import phases

_NEVER = float("inf")

KEYS: Mapping[str, Callable[[Status], float | str]] = {
    "trouble": phases.place,
    "name": lambda status: status.name.lower(),
    "phase": lambda status: status.phase.value,
    "group": lambda status: status.group.lower(),
    "endpoint": lambda status: status.endpoint.lower(),
    "latency": lambda status: _NEVER if (seconds := phases.round_trip(status)) is None else seconds,
    "attempt": lambda status: -status.attempt,
    "since": lambda status: -status.since,
    "drops": lambda status: -status.drops,
    "health": lambda status: status.score,
}
"""What may be ordered by; what deserves a look comes first, as a word alone says it."""

FIRST = "trouble"


class OrderingError(ValueError):
    """Words that are no order; the message says which one is unknown."""


class Ordering(msgspec.Struct, frozen=True):
    """An order by one thing, and by others where that is equal; by their place in the settings at last."""

    keys: tuple[tuple[str, bool], ...] = ((FIRST, False),)
    """Names, and whether each is turned round."""

    @property
    def words(self) -> str:
        """What one types to have it."""
        return " ".join(f"-{name}" if turned else name for name, turned in self.keys)

    @property
    def troubles_first(self) -> bool:
        """Whether problems stand together at the top."""
        return self.keys[0] == (FIRST, False)

    def apply(self, statuses: Iterable[Status]) -> list[Status]:
        """Return the statuses in this order."""
        ordered = list(statuses)
        for name, turned in reversed(self.keys):
            ordered.sort(key=KEYS[name], reverse=turned)
        return ordered


def read_ordering(words: str) -> Ordering:
    """Read names, each turned round by a minus before it; the usual order for none.

    Raises:
        OrderingError: one is unknown.
    """
    keys = tuple((word.removeprefix("-"), word.startswith("-")) for word in words.lower().split())
    for name, _ in keys:
        if name not in KEYS:
            raise OrderingError(f"{name or '-'} is nothing to order by; there are {', '.join(KEYS)}")
    return Ordering(keys) if keys else Ordering()
