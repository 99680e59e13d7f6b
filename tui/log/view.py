"""Where one stands in the log: what is shown of it, the line under the cursor, and what was searched for."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from tui.log.entry import Entry, Level
from tui.log.sieve import SLICE, Filter, Sieve
from tui.log.store import LogStore

_LEVELS = (Level.CHANGE, Level.PROBLEM, Level.DETAIL)
"""In the order in which they are gone through, the first at the start."""


class _Place(msgspec.Struct, frozen=True):
    """Where a search began."""

    cursor: Entry | None
    row: int
    following: bool


class LogView:
    """A window of `height` lines over the entries that pass the filter.

    While it follows, the cursor is on the newest line. While it does not, the line under the cursor keeps its
    place in the window, whatever is added behind it, dropped before it, or filtered away around it. A window
    that leaps makes room for many lines once the newest finds none, so that lines seldom move. Other filters
    and searches are worked out in slices (`advance`); until they are done, what was shown stays.
    """

    def __init__(self, store: LogStore) -> None:
        self.store = store
        self.following = True
        self.search: tuple[str, ...] = ()
        """The words searched for."""
        self.top = 0
        """Index of the first line of the window."""
        self.at = 0
        """Index of the line under the cursor."""
        self._height = 1
        self._leap = 0
        self._lines = Sieve(store, Filter())
        self._hits: Sieve | None = None
        self._next_lines = self._lines
        self._next_hits: Sieve | None = None
        self._cursor: Entry | None = None
        self._row = 0
        self._held_at = 0
        self._mark: Entry | None = None
        self._origin: _Place | None = None
        self._landing = False

    # What there is

    @property
    def filter(self) -> Filter:
        """What is filtered by, as far as it was asked for."""
        return self._next_lines.wanted

    @property
    def lines(self) -> list[Entry]:
        """The entries that can be seen or scrolled to."""
        return self._lines.found

    @property
    def window(self) -> list[Entry]:
        """Those that can be seen now."""
        return self.lines[self.top : self.top + self._height]

    @property
    def current(self) -> Entry | None:
        """The one under the cursor."""
        return self.lines[self.at] if self.lines else None

    @property
    def unseen(self) -> int:
        """How many came since it was held."""
        return 0 if self.following else len(self.lines) - self._lines.index_of(self._held_at + 1)

    @property
    def overrun(self) -> bool:
        """Whether the line that was held is no longer kept; the oldest there is has taken its place."""
        return not self.following and self._cursor is not None and not self.store.holds(self._cursor)

    @property
    def hits(self) -> tuple[int, int]:
        """Which match the cursor is on, 0 for none, and how many there are."""
        found, current = self._hits.found if self._hits else [], self.current
        if self._hits is None or current is None:
            return 0, len(found)
        at = self._hits.index_of(current.number)
        on = at < len(found) and found[at].number == current.number
        return (at + 1 if on else 0), len(found)

    @property
    def working(self) -> bool:
        """Whether a filter or a search is still being worked out."""
        return self._next_lines is not self._lines or self._next_hits is not self._hits

    # What comes in

    def resize(self, height: int, *, leap: int = 0) -> None:
        """Have a window of so many lines, of which `leap` are left blank when it moves on to the newest."""
        self._height, self._leap = max(1, height), min(leap, height - 1)
        self._row = min(self._row, self._height - 1)
        self._settle()

    def advance(self) -> bool:
        """Take in what the store was given, and look at a slice for another filter; whether more is to do."""
        self._lines.sift()
        if self._hits is not None:
            self._hits.sift()
        if self.working:
            self._next_lines.sift(SLICE)
            if self._next_hits is not None:
                self._next_hits.sift(SLICE)
            if self._next_lines.complete and (self._next_hits is None or self._next_hits.complete):
                self._lines, self._hits = self._next_lines, self._next_hits
                if self._landing:
                    self._land()
        self._settle()
        return self.working

    # Moving

    def follow(self, following: bool) -> None:
        """Keep to the newest line, or stay."""
        if following:
            self._mark = None
        elif self.following:
            self._held_at = self._lines.last
        self.following = following
        self._settle()

    def move(self, steps: int) -> None:
        """Move the cursor on, or back; on the last line it follows."""
        self._move_to(self.at + steps)

    def page(self, pages: int) -> None:
        """Move a window on, or back."""
        self._move_to(self.at + pages * max(self._height - 1, 1))

    def edge(self, side: int) -> None:
        """Move to the oldest (-1) or the newest."""
        self._move_to(0 if side < 0 else len(self.lines))

    def _move_to(self, index: int) -> None:
        if not self.lines:
            return
        last = len(self.lines) - 1
        index = min(max(index, 0), last)
        self._go(index, row=self._row + index - self.at)
        if index == last and self._mark is None:
            self.follow(True)

    def _go(self, index: int, row: int) -> None:
        self.follow(False)
        self._cursor = self.lines[index]
        self._row = min(max(row, 0), self._height - 1)
        self._settle()

    def _settle(self) -> None:
        lines, full = self.lines, max(0, len(self.lines) - self._height)
        furthest = max(0, len(lines) - self._height + self._leap)
        if self.following:
            self._cursor = lines[-1] if lines else None
            self.at = max(0, len(lines) - 1)
            if not full <= self.top <= (furthest if full else 0):
                self.top = furthest if 0 < full - self.top <= self._leap else full
        else:
            self.at = self._nearest(self._cursor)
            self.top = min(max(0, self.at - self._row), furthest)
        if lines:
            self._row = self.at - self.top

    def _nearest(self, entry: Entry | None) -> int:
        """Return the index of an entry, or of what stands before it; the first where there is nothing."""
        if entry is None:
            return 0
        return max(0, self._lines.index_of(entry.number + 1) - 1)

    # Filtering

    def next_level(self) -> None:
        """Show changes, then problems alone, then everything, then changes again."""
        after = _LEVELS[(_LEVELS.index(self.filter.level) + 1) % len(_LEVELS)]
        self._refine(replace(self.filter, level=after))

    def only_subjects(self, subjects: frozenset[str]) -> None:
        """Show only what is about these; all again where that is so already."""
        again = subjects == self.filter.subjects
        self._refine(replace(self.filter, subjects=frozenset() if again else subjects))

    def only_word(self, word: str) -> None:
        """Show only what tells of this; all again where that is so already."""
        self._refine(replace(self.filter, word="" if word == self.filter.word else word))

    def only_hits(self) -> None:
        """Show only what is searched for, or the lines around it again."""
        self._refine(replace(self.filter, words=() if self.filter.words else self.search))

    def clear(self) -> None:
        """End the search and every filter."""
        self.search, self._origin, self._landing = (), None, False
        self._refine(Filter())

    def _refine(self, wanted: Filter) -> None:
        if wanted != self._next_lines.wanted:
            self._next_lines = self._lines if wanted == self._lines.wanted else Sieve(self.store, wanted)
        self._look_for_hits()

    # Searching

    def begin_search(self) -> None:
        """Remember where one stands; a search that comes to nothing leads back here."""
        self._origin = _Place(self._cursor, self._row, self.following)

    def seek(self, text: str) -> None:
        """Search for lines that hold every word of `text`, and go to the nearest, the older first."""
        self.search = tuple(text.lower().split())
        if self._origin is None:
            self.begin_search()
        self._landing = True
        self._refine(replace(self.filter, words=self.search if self.filter.words else ()))

    def step(self, direction: int) -> bool:
        """Go to the next match, or the one before (-1); whether that went on from the other end."""
        current = self.current
        if self._hits is None or not self._hits.found or current is None:
            return False
        found = self._hits.found
        index = self._hits.index_of(current.number + (direction > 0)) - (direction < 0)
        around = not 0 <= index < len(found)
        self._show(found[index % len(found)])
        return around

    def _look_for_hits(self) -> None:
        wanted = replace(self.filter, words=(*self.filter.words, *self.search))
        self._next_hits = Sieve(self.store, wanted) if self.search else None
        if not self.working and self._landing:
            self._land()
        self.advance()

    def _land(self) -> None:
        """Go to the match nearest to where the search began; back there if there is none."""
        self._landing = False
        origin = self._origin or _Place(self._cursor, self._row, self.following)
        if self._hits is None or not self._hits.found:
            self.follow(origin.following)
            self._cursor, self._row = origin.cursor, origin.row
            return
        number = origin.cursor.number if origin.cursor and not origin.following else self.store.last
        self._show(self._hits.found[max(0, self._hits.index_of(number + 1) - 1)])

    def _show(self, entry: Entry) -> None:
        index = self._lines.index_of(entry.number)
        in_sight = self.top <= index < self.top + self._height
        self._go(index, index - self.top if in_sight else self._height // 2)

    # Selecting

    @property
    def selecting(self) -> bool:
        """Whether lines are being selected."""
        return self._mark is not None

    @property
    def selected(self) -> range:
        """Indices of the lines from where selecting began to the cursor, else of the one under the cursor."""
        if not self.lines:
            return range(0)
        mark = self.at if self._mark is None else self._nearest(self._mark)
        return range(min(mark, self.at), max(mark, self.at) + 1)

    def select(self) -> None:
        """Begin to select at the line under the cursor, or select nothing."""
        self._mark = None if self.selecting else self.current
        if self._mark is not None:
            self._go(self.at, self._row)
