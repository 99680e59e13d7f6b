"""The ring of the log: so many entries and no more, the newest always among them."""

from __future__ import annotations

from bisect import bisect_left
from itertools import islice
from operator import attrgetter

import msgspec

from tui.log.entry import Entry, Kind, Level, LogLine
from tui.sanitise import clean

LIMIT = 100_000
"""Entries that are kept."""
LONGEST = 400
"""Characters that are kept of a text."""
_DETAILS = 5
"""Details may hold one entry in so many where others need the room."""
_BLOCK = 100
"""Room is made for one entry in so many at a time, because that takes a walk over all of them."""
_SHARED = 20_000

_NUMBER = attrgetter("number")


def position(entries: list[Entry], number: int) -> int:
    """Return where the entry of this number stands, or the one that follows where it is not among them."""
    return bisect_left(entries, number, key=_NUMBER)


class Floors(msgspec.Struct, frozen=True):
    """Numbers below which nothing is kept, or no detail."""

    any: int
    detail: int

    def clear(self, entries: list[Entry], before: Floors) -> None:
        """Take out of `entries` what lies below, where `before` were their floors until now."""
        start, end = position(entries, before.detail), position(entries, self.detail)
        if start < end:
            entries[start:end] = [entry for entry in entries[start:end] if entry.kind.level < Level.DETAIL]
        del entries[: position(entries, self.any)]


class LogStore:
    """Entries in their order. When full, the oldest details go first, then the oldest of all.

    A thousand healthy connections answer seventy times a second: a plain ring would forget last night's
    outage within half an hour.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self.entries: list[Entry] = []
        self.last = 0
        """Number of the newest entry; the first has 1."""
        self.floors = Floors(1, 1)
        self._held = dict.fromkeys(Level, 0)
        self._dropped = dict.fromkeys(Level, 0)
        self._kinds: dict[tuple[str, str, Level], Kind] = {}
        self._texts: dict[str, str] = {}

    def add(self, line: LogLine) -> Entry:
        """Keep a line, made harmless and no longer than `LONGEST`."""
        if len(self.entries) >= self.limit:
            self._make_room()
        self.last += 1
        entry = Entry(
            self.last, line.time, self._shared(line.subject), self._kind(line), self._shared(line.text)
        )
        self.entries.append(entry)
        self._held[line.level] += 1
        return entry

    def held(self, level: Level) -> int:
        """How many entries are kept that a log of this level shows."""
        return sum(number for each, number in self._held.items() if each <= level)

    def dropped(self, level: Level) -> int:
        """How many of them have gone."""
        return sum(number for each, number in self._dropped.items() if each <= level)

    def holds(self, entry: Entry) -> bool:
        """Whether an entry is still kept."""
        return entry.number >= (self.floors.detail if entry.kind.level is Level.DETAIL else self.floors.any)

    def index_of(self, number: int) -> int:
        """Return where the entry of this number stands, or the one that follows where it has gone."""
        return position(self.entries, number)

    def _make_room(self) -> None:
        wanted = max(1, self.limit // _BLOCK)
        details_held = self._held[Level.DETAIL]
        spare = min(wanted, details_held, details_held - self.limit // _DETAILS + wanted)
        before, detail, oldest = self.floors, self.floors.detail, self.floors.any
        if spare > 0:
            younger = islice(self.entries, self.index_of(detail), None)
            details = (entry.number for entry in younger if entry.kind.level is Level.DETAIL)
            detail = next(islice(details, spare - 1, None)) + 1
            self._count_drop(Level.DETAIL, spare)
            wanted -= spare
        if wanted > 0:
            left = (each for each in self.entries if each.number >= detail or each.kind.level < Level.DETAIL)
            for entry in islice(left, wanted):
                self._count_drop(entry.kind.level, 1)
                oldest = entry.number + 1
        self.floors = Floors(oldest, max(detail, oldest))
        self.floors.clear(self.entries, before)

    def _count_drop(self, level: Level, number: int) -> None:
        self._held[level] -= number
        self._dropped[level] += number

    def _kind(self, line: LogLine) -> Kind:
        key = line.word, line.tone, line.level
        kind = self._kinds.get(key)
        if kind is None:
            kind = self._kinds[key] = Kind(clean(line.word), line.tone, line.level)
        return kind

    def _shared(self, text: str) -> str:
        """Return a text made harmless, the same object for the same text as far as that is remembered."""
        kept = self._texts.get(text)
        if kept is None:
            kept = clean(text)
            if len(kept) > LONGEST:
                return kept[: LONGEST - 1] + "…"
            if len(self._texts) >= _SHARED:
                self._texts.clear()
            self._texts[text] = kept
        return kept
