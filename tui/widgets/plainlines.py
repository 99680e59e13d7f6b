"""Widgets that draw whole lines, and have no border, padding or tint around them."""

from __future__ import annotations

from typing import Self

from rich.style import Style
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget


class PlainLines(Widget):
    """Hands its lines on as they are: what Textual does for borders and tints takes ten times as long."""

    _kept: dict[int, Strip] | None = None
    """Lines that were drawn and have not been refreshed since."""
    _kept_for: Size | None = None

    def refresh(
        self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False
    ) -> Self:
        """Have these regions, or all, drawn anew."""
        kept = self._kept
        if not regions or kept is None:
            self._kept = None
        else:
            for region in regions:
                for y in region.line_range:
                    kept.pop(y, None)
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw those lines and columns of the widget that lie in `crop`."""
        size, (below, background) = self.region.size, self.background_colors
        if self._kept is None or self._kept_for != size:
            self._kept, self._kept_for = {}, size
        kept, blank = self._kept, Style(bgcolor=(below + background).rich_color)
        filters, whole = self.get_line_filters(), crop.column_span == (0, size.width)
        strips = []
        for y in crop.line_range:
            strip = kept.get(y)
            if strip is None:
                # What is kept free for a scroll bar is no part of the line.
                strip = kept[y] = self.render_line(y).extend_cell_length(size.width, blank)
            for each in filters:
                strip = strip.apply_filter(each, background)
            strips.append(strip if whole else strip.crop(*crop.column_span))
        return strips
