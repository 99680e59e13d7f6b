"""What of the log is shown: a filter, and the entries that pass it, looked for in slices."""

from __future__ import annotations

import msgspec

from tui.log.entry import Entry, Level
from tui.log.store import LogStore, position

SLICE = 2_500
"""Entries looked at in one go, a few milliseconds' work."""


class Filter(msgspec.Struct, frozen=True):
    """What an entry must be to be shown; what is left empty asks for nothing."""

    level: Level = Level.CHANGE
    subjects: frozenset[str] = frozenset()
    """It is about one of these."""
    word: str = ""
    """It tells of this."""
    words: tuple[str, ...] = ()
    """It holds all of these, in small letters."""

    def accepts(self, entry: Entry) -> bool:
        """Whether an entry passes."""
        kind = entry.kind
        if kind.level > self.level or (self.word and kind.word != self.word):
            return False
        if self.subjects and entry.subject not in self.subjects:
            return False
        return not self.words or entry.holds(self.words)


class Sieve:
    """The entries of a store that pass a filter, as far as they have been looked at."""

    def __init__(self, store: LogStore, wanted: Filter) -> None:
        self.found: list[Entry] = []
        """Those that pass and are still kept, in their order."""
        self.wanted = wanted
        self._store = store
        self._next = 1
        self._floors = store.floors

    @property
    def complete(self) -> bool:
        """Whether every entry has been looked at."""
        return self.last >= self._store.last

    @property
    def last(self) -> int:
        """Number of the last entry that has been looked at."""
        return self._next - 1

    def sift(self, limit: int | None = None) -> None:
        """Look at the next entries, at most `limit` of them, and let go of those that are no longer kept."""
        store = self._store
        if self._floors != store.floors:
            store.floors.clear(self.found, self._floors)
            self._floors = store.floors
        start = store.index_of(self._next)
        piece = store.entries[start : None if limit is None else start + limit]
        self.found += filter(self.wanted.accepts, piece)
        self._next = piece[-1].number + 1 if piece else store.last + 1

    def index_of(self, number: int) -> int:
        """Return where the entry of this number is among the found, or the one that follows."""
        return position(self.found, number)
