"""The log under its heading: takes lines in, and shows them often enough."""

from __future__ import annotations

import asyncio
import time

import msgspec
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.strip import Strip

from tui.columns import NARROW
from tui.line import Ink, Line
from tui.log import words
from tui.log.entry import Level, LogLine
from tui.log.store import LIMIT, LogStore
from tui.log.times import Times
from tui.log.view import LogView
from tui.pace import CALM, Pace
from tui.widgets.eventlog import EventLog
from tui.widgets.oneline import OneLine

COUNTING = 1.0
"""Seconds between two repaints of a heading that only counts what the filter leaves out."""


class _Piece(msgspec.Struct, frozen=True):
    """One thing that the heading says; where there is no room, the highest rank goes first."""

    rank: int
    text: str
    tone: str


class LogHeading(OneLine):
    """Says whether the log follows, what is shown of it, and how much there is."""

    def __init__(self, ink: Ink, log: EventLog) -> None:
        super().__init__(id="log-heading")
        self._ink = ink
        self._log = log

    def draw(self) -> Strip:
        """Draw the heading; where there is no room for all of it, the least telling is left out."""
        log, view, width = self._log, self._log.view, self.size.width
        line = Line(self._ink, width).to(1 if width >= NARROW else 0)
        line.add("Events", "accent" if log.has_focus else "strong").add(" ─ ", "rule")
        told = [piece for piece in self._pieces(view) if piece.text]
        while len(told) > 1 and sum(len(piece.text) + 3 for piece in told) - 3 > line.room:
            told.remove(max(told, key=lambda piece: piece.rank))
        for piece in told:
            line.add("" if piece is told[0] else " · ", "muted").add(piece.text, piece.tone)
        return line.rule().strip()

    def _pieces(self, view: LogView) -> list[_Piece]:
        times, entry = self._log.times, view.current
        day = "" if view.following or entry is None else times.day(entry.time, time.time())
        narrowed, wanted = words.narrowed(view), view.filter.level
        return [
            _Piece(0, words.state(view), "muted" if view.following else "warn"),
            _Piece(3, words.news(view), "warn"),
            _Piece(5, day, "muted"),
            _Piece(1, words.search(view), "accent"),
            _Piece(6 if wanted is Level.CHANGE else 4, words.LEVELS[wanted], "muted"),
            _Piece(2, " · ".join(narrowed), "warn"),
            _Piece(4, words.count(view), "muted"),
            _Piece(7, words.dropped(view), "muted"),
            _Piece(8, "" if times is Times.LOCAL else times.value, "muted"),
        ]


class LogPane(Vertical):
    """The log under its heading."""

    def __init__(self, ink: Ink, limit: int = LIMIT) -> None:
        super().__init__(id="log-pane")
        self._store = LogStore(limit)
        self._view = LogView(self._store)
        self._pace = Pace(self, time.monotonic, self._draw, ink.tempo)
        self._resting = False
        self.log_lines = EventLog(ink, self._view)
        self._heading = LogHeading(ink, self.log_lines)

    def compose(self) -> ComposeResult:
        yield self._heading
        yield self.log_lines

    def tell(self, line: LogLine) -> None:
        """Take a line in; it is shown soon where it is one of those that are shown."""
        entry, wanted = self._store.add(line), self._view.filter
        if entry.kind.level > wanted.level:
            return
        self._pace.request(CALM if wanted.accepts(entry) else COUNTING)

    def rest(self, resting: bool) -> None:
        """Draw nothing while something lies above, and what has come in meanwhile afterwards."""
        self._resting = resting
        self.log_lines.rest(resting)
        if not resting:
            self._pace.request(0)

    def _draw(self) -> None:
        if self._resting or not self.is_mounted:
            return
        self._view.advance()
        self.log_lines.changed()

    async def _work_out(self) -> None:
        """Go on with a filter or a search that is not done, a slice at a time."""
        working = True
        while working:
            await asyncio.sleep(0)
            working = self._view.advance()
        self.log_lines.changed()

    def on_event_log_changed(self) -> None:
        self._heading.update()
        if self._view.working:
            self.run_worker(self._work_out(), group="log", exclusive=True)

    def on_descendant_focus(self) -> None:
        self._heading.update()

    def on_descendant_blur(self) -> None:
        self._heading.update()
