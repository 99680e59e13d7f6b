"""Health that explains itself: the number large, its band, and what cost each point."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widget import Widget

from manager.events import Event
from tui import phases
from tui.board import Board
from tui.details import points
from tui.line import Ink
from tui.pace import Pace
from tui.page import Piece, Section, Writer
from tui.screens.covering import CoveringScreen, Teller
from tui.widgets.page import Page

_EVERY = 0.5
"""Seconds between two drawings at least: every point of thousands of connections is counted anew."""


class HealthScreen(CoveringScreen):
    """One page; it follows what happens."""

    AUTO_FOCUS = "#page"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("h", "back", "back", show=False, id="costs.back"),
    ]

    def __init__(self, ink: Ink, teller: Teller, board: Board) -> None:
        super().__init__(ink, teller)
        self._board = board
        self._page = Page(ink, self._write)
        self._pace = Pace(self, time.monotonic, self._draw, ink.tempo)

    def compose(self) -> ComposeResult:
        yield self._page
        yield self.last_line

    def told(self, event: Event) -> None:  # noqa: ARG002 - each may have cost a point
        """Something happened."""
        self._pace.request(_EVERY)

    def changed(self) -> None:
        """Draw what is another."""
        self._pace.request(0)

    def _draw(self) -> None:
        if self.resting or not self.is_mounted:
            return
        self._page.update()
        self.last_line.update()

    def _write(self, writer: Writer) -> Sequence[Section]:
        board = self._board
        statuses = tuple(board.statuses.values())
        _, tone = phases.judgement(board.health, statuses)
        points.write_whole(writer, statuses, board.health)
        number = "?" if board.health is None else str(board.health)
        large = [
            (Piece("".join(self._ink.glyphs.digits[digit][y] for digit in number), tone, writer.margin),)
            for y in range(3)
        ]
        whole, *others = writer.sections
        return [Section(whole.title, whole.note, (*large, *whole.lines)), *others]

    def parts(self) -> list[tuple[str, list[Widget]]]:
        """Return the headings of help and the parts of the screen whose keys stand under them."""
        return [("Health", [self._page])]
