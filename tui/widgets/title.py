"""The first line of a screen that covers the dashboard: whom it is about, and how that stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.strip import Strip

from tui.line import Ink, Line
from tui.page import Piece
from tui.widgets.oneline import OneLine


class TitleLine(OneLine):
    """Shows pieces, each cut off where there is no more room."""

    def __init__(self, ink: Ink, write: Callable[[], Sequence[Piece]]) -> None:
        super().__init__(id="title")
        self._ink = ink
        self._write = write

    def draw(self) -> Strip:
        """Draw the line."""
        line = Line(self._ink, self.size.width).to(1)
        for piece in self._write():
            line.add(piece.text, piece.tone, piece.width, bold=piece.tone == "strong")
        return line.strip()
