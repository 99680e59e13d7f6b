"""The aggregate health in large digits or in one line, and how many connections stand where."""

from __future__ import annotations

import time
from collections.abc import Sequence

from textual.strip import Strip
from textual.widget import Widget

from tui import formats, phases
from tui.board import Board
from tui.columns import NARROW, WIDE
from tui.line import Ink, Line
from tui.widgets.oneline import OneLine


class HealthGauge(Widget):
    """The number in digits three lines high; shown where the screen is wide."""

    def __init__(self, ink: Ink, board: Board) -> None:
        super().__init__(id="gauge")
        self._ink = ink
        self._board = board
        self._drawn: object = None

    def update(self) -> None:
        """Repaint if the number or its tone is another."""
        if self._drawn != self._shown():
            self.refresh()

    def _shown(self) -> tuple[str, str]:
        health = self._board.health
        _, tone = phases.judgement(health, self._board.statuses.values())
        return "" if not self._board.loaded else "?" if health is None else str(health), tone

    def render_line(self, y: int) -> Strip:
        """Draw a third of the digits."""
        digits, tone = self._drawn = self._shown()
        line = Line(self._ink, self.size.width)
        if y > 2:
            return line.strip()
        line.to(1).add("".join(self._ink.glyphs.digits[digit][y] for digit in digits), tone)
        if y == 2 and digits.isdigit():
            line.add("%", tone)
        return line.strip()


class Counts(OneLine):
    """One line: the health in a word or a number, and how many connections stand where."""

    def __init__(self, ink: Ink, board: Board, marks: Sequence[str]) -> None:
        """Prepare; `marks` stand at the end: what is watched, and how."""
        super().__init__(id="counts")
        self._ink = ink
        self._board = board
        self._marks = marks

    def draw(self) -> Strip:
        """Draw the line; words are left out, not cut off, where they do not all fit."""
        width = self.size.width
        if not self._board.loaded:
            return Line(self._ink, width).to(1).add("asking the manager", "muted").strip()
        muted = self._muted()
        hidden = "names hidden" if self._ink.privacy.on else ""
        slow = "slow terminal" if self._ink.tempo.slow else ""
        all_marks = " · ".join(filter(None, (muted, *self._marks, hidden, slow)))
        for words, marks in ((True, all_marks), (False, all_marks), (False, muted), (False, "")):
            line = self._line(width, marks, words=words)
            if not line.clipped:
                break
        return line.strip()

    def _muted(self) -> str:
        """Return `pbx1 muted until 06:00`: no silence is forgotten, also where nothing is wrong."""
        mutes = list(self._board.mutes.values())
        if len(mutes) > 1:
            return f"{formats.count(len(mutes))} groups muted"
        now = time.time()
        return "".join(f"{mute.group} muted until {formats.minute(mute.until, now)}" for mute in mutes)

    def _line(self, width: int, marks: str, *, words: bool) -> Line:
        board, glyphs = self._board, self._ink.glyphs
        statuses = tuple(board.statuses.values())
        large = self.app.size.width >= WIDE
        line = Line(self._ink, width)
        word, tone = phases.judgement(board.health, statuses)
        number = f"{board.health} %" if board.health is not None else "unknown"
        if large:
            line.add(word, tone, bold=True).add(" ")
        else:
            line.to(1 if width >= NARROW else 0).add(number, tone, bold=True).add(" ")
        for phase, counted in phases.counts(statuses):
            word = f" {phase.value}" if words else ""
            line.add(f" {glyphs.phases[phase]} {formats.count(counted)}{word} ", phases.TONES[phase])
        if statuses:
            line.add(f" of {formats.count(len(statuses))}", "muted")
        if marks:
            line.add(f" · {marks}" if statuses else f" {marks}", "muted")
        return line
