"""A widget of one line, repainted only when the line says something else."""

from __future__ import annotations

from textual.strip import Strip
from textual.widget import Widget


class OneLine(Widget):
    """Draws itself with `draw`."""

    _drawn: Strip | None = None

    def draw(self) -> Strip:
        """Return the line as it should be now."""
        raise NotImplementedError

    def update(self) -> None:
        """Repaint if the line differs from the one on the screen."""
        if self.draw() != self._drawn:
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw the line, and nothing below it."""
        if y:
            return Strip.blank(self.size.width)
        self._drawn = self.draw()
        return self._drawn
