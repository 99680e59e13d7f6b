"""Which connections are meant by the words of a filter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from manager.model import Status

FIELDS: Mapping[str, Callable[[Status], str]] = {
    "name": lambda status: status.name,
    "type": lambda status: status.type,
    "phase": lambda status: status.phase.value,
    "group": lambda status: status.group,
    "endpoint": lambda status: f"{status.endpoint} {status.address}",
    "reason": lambda status: status.failure.reason if status.failure else "",
}
"""What may be asked for by its name: `phase:waiting`, `group:pbx1,pbx2`."""

EXAMPLE = "desk  phase:waiting,parked  group:pbx1  !ami"


class _Condition(msgspec.Struct, frozen=True):
    field: str
    """Empty for any of them."""
    wanted: tuple[str, ...]
    """One of these must be in it."""
    negated: bool

    def holds(self, status: Status) -> bool:
        texts = [FIELDS[self.field](status)] if self.field else [read(status) for read in FIELDS.values()]
        found = any(word in text.lower() for text in texts for word in self.wanted)
        return found is not self.negated


class Filter:
    """All words must match; `a,b` is one of both, `!word` none that holds it."""

    def __init__(self, words: str = "") -> None:
        self.words = words.strip().lower()
        self._conditions = tuple(_condition(word) for word in self.words.split())

    def __bool__(self) -> bool:
        return bool(self._conditions)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Filter) and self.words == other.words

    def __hash__(self) -> int:
        return hash(self.words)

    def matching(self, statuses: Iterable[Status]) -> list[Status]:
        """Return those that match, in their order."""
        if not self._conditions:
            return list(statuses)
        return [status for status in statuses if all(each.holds(status) for each in self._conditions)]


def _condition(word: str) -> _Condition:
    negated = word.startswith("!") and len(word) > 1
    field, colon, rest = word.removeprefix("!" if negated else "").partition(":")
    if colon and field in FIELDS:
        return _Condition(field, tuple(rest.split(",")), negated)
    return _Condition("", (word.removeprefix("!") if negated else word,), negated)
