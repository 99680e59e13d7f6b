"""The last line: the keys that do something here and now, or for a moment a sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.strip import Strip

from tui.columns import WIDE
from tui.line import Ink, Line
from tui.widgets.oneline import OneLine

Keys = Sequence[tuple[str, str]]
"""Keys as they are written on them, and what they do."""


class KeyLine(OneLine):
    """Shows keys; those at the end (the other pane, help, quit) stay when there is no room for all."""

    def __init__(self, ink: Ink, keys: Callable[[], Keys]) -> None:
        super().__init__(id="keys")
        self._ink = ink
        self._keys = keys
        self.notice = ""
        """A sentence that takes the place of the keys."""

    def say(self, notice: str) -> None:
        """Show a sentence, or the keys again."""
        self.notice = notice
        self.update()

    def draw(self) -> Strip:
        """Draw the keys that there is room for."""
        width = self.size.width
        line = Line(self._ink, width, self._ink.palette.surfaces.footer).to(1)
        if self.notice:
            return line.add(self.notice, "text").strip()
        gap = 2 if width >= WIDE else 1
        for key, description in _fitting(self._keys(), width - 2, gap):
            line.add(key, "accent").add(f" {description}").add("", width=min(gap, line.room))
        return line.strip()


def _fitting(keys: Keys, width: int, gap: int) -> Keys:
    """Leave keys out from the middle until the rest fits: the first act, the last lead away, help, quit."""
    fitting = list(keys)
    while len(fitting) > 3 and sum(len(key) + 1 + len(what) + gap for key, what in fitting) - gap > width:
        fitting.pop(-4)
    return fitting
