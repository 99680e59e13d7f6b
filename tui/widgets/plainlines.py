"""Widgets that draw whole lines, and have no border, padding or tint around them."""

from __future__ import annotations

from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget


class PlainLines(Widget):
    """Hands its lines on as they are: what Textual does for borders and tints takes ten times as long."""

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw those lines and columns of the widget that lie in `crop`."""
        width, filters = self.region.width, self.get_line_filters()
        below, background = self.background_colors
        blank = Style(bgcolor=(below + background).rich_color)
        left, right = crop.column_span
        strips = []
        for y in crop.line_range:
            # What is kept free for a scroll bar is no part of the line.
            strip = self.render_line(y).extend_cell_length(width, blank)
            for each in filters:
                strip = strip.apply_filter(each, background)
            strips.append(strip if (left, right) == (0, width) else strip.crop(left, right))
        return strips
