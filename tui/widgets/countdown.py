"""The cells that tick: a window of a few columns on the table below, so that a tick repaints nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

if TYPE_CHECKING:
    from tui.widgets.table import ConnectionTable


class CountdownCells(Widget):
    """Shows columns of the table's lines; the terminal is sent them alone when they change."""

    def __init__(self, table: ConnectionTable, *, id: str) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self._table = table
        self._column = 0

    def place(self, column: int, width: int) -> None:
        """Lie over `width` columns from `column` on."""
        self.display = width > 0
        self._column = column
        self.styles.offset = (column, 0)
        self.styles.width = max(width, 1)

    def refresh_line(self, y: int) -> None:
        """Repaint one line of the window."""
        self.refresh(Region(0, y, self.size.width, 1))

    def render_line(self, y: int) -> Strip:
        """Cut the columns out of the table's line."""
        strip = self._table.line_strip(self._table.scroll_offset.y + y)
        return strip.crop(self._column, self._column + self.size.width)
