"""The one way by which text reaches the screen: a line of pieces, each made harmless and fitted."""

from __future__ import annotations

import msgspec
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.formats import Align, fit
from tui.glyphs import Glyphs
from tui.privacy import Privacy
from tui.sanitise import clean
from tui.tempo import Tempo
from tui.themes import Palette

_BOLD = Style(bold=True)


class Ink(msgspec.Struct):
    """What lines are drawn with; one for the whole program, so that a change is seen everywhere."""

    palette: Palette
    glyphs: Glyphs
    privacy: Privacy = msgspec.field(default_factory=Privacy)
    tempo: Tempo = msgspec.field(default_factory=Tempo)

    def seen(self, text: str) -> str:
        """Return what of a text reaches the screen: harmless, without names where they are hidden."""
        return self.glyphs.plain(self.shared(text))

    def shared(self, text: str) -> str:
        """Return what of a text may leave the program: harmless, without names where they are hidden."""
        text = clean(text)
        return self.privacy(text) if self.privacy.on else text


class Line:
    """One line of the screen in the making. Nothing is wider than the line; what is left over is blank."""

    def __init__(self, ink: Ink, width: int, surface: Style | None = None) -> None:
        self._ink = ink
        self._width = width
        self._surface = surface
        self._segments: list[Segment] = []
        self._used = 0
        self.clipped = False
        """Whether something did not fit."""

    @property
    def room(self) -> int:
        """Cells that are left."""
        return self._width - self._used

    def add(
        self,
        text: str,
        tone: str = "text",
        width: int | None = None,
        align: Align = "left",
        *,
        bold: bool = False,
        marked: bool = False,
    ) -> Line:
        """Write text in a tone, in exactly `width` cells if given, else in as many as it takes.

        Marked text is reversed, and on a reversed surface it is not.
        """
        text = self._ink.seen(text)
        wanted = cell_len(text) if width is None else width
        self.clipped = self.clipped or wanted > self.room
        text = self._ink.glyphs.plain(fit(text, min(wanted, self.room), align))
        if text:
            style = self._ink.palette.style(tone, self._surface)
            style = style + _BOLD if bold else style
            self._segments.append(
                Segment(text, style + Style(reverse=not style.reverse) if marked else style)
            )
            self._used += cell_len(text)
        return self

    def to(self, column: int) -> Line:
        """Leave blank what is before `column`."""
        if column > self._used:
            self.add("", width=column - self._used)
        return self

    def rule(self) -> Line:
        """Draw a line to the end, a space before it."""
        if self.room > 1:
            self.add(" ").add("─" * self.room, "rule")
        return self

    def strip(self) -> Strip:
        """Return the whole line, as wide as it was meant to be."""
        return self.to(self._width).cut()

    def cut(self) -> Strip:
        """Return what has been written so far, and no more."""
        return Strip(self._segments, self._used)
