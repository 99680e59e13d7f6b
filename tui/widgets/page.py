"""A page that scrolls: sections under headings, repainted line by line where they say something new."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.line import Ink, Line
from tui.page import PageLine, Piece, Section, Writer

Write = Callable[[Writer], Sequence[Section]]
"""Writes the sections as they are now."""


class Page(ScrollView, can_focus=True, inherit_bindings=False):
    """Shows what `write` writes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll(-1)", "up", show=False, id="page.up"),
        Binding("down,j", "scroll(1)", "down", show=False, id="page.down"),
        Binding("pageup,ctrl+u", "page(-1)", "a page up", show=False, id="page.page_up"),
        Binding("pagedown,ctrl+d,space", "page(1)", "a page down", show=False, id="page.page_down"),
        Binding("g,home", "edge(-1)", "the beginning", show=False, id="page.first"),
        Binding("G,end", "edge(1)", "the end", show=False, id="page.last"),
        Binding("tab,right_square_bracket", "section(1)", "section", id="page.next_section",
                tooltip="the next section"),
        Binding("shift+tab,left_square_bracket", "section(-1)", "section", show=False,
                id="page.previous_section", tooltip="the section before"),
    ]  # fmt: skip

    def __init__(self, ink: Ink, write: Write, *, id: str = "page") -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self._ink = ink
        self._write = write
        self._lines: list[PageLine] = []
        self._starts: list[int] = []
        """Where the headings of the sections are."""

    def update(self) -> None:
        """Write anew; what is read stays where it is, and only lines that differ are repainted."""
        width = self.scrollable_content_region.width
        if not width:
            return
        anchor = self._anchor()
        before = [self._said(y) for y in range(self.size.height)]
        self._lay(self._write(Writer(self._ink, width)))
        self.virtual_size = Size(width, len(self._lines))
        self._return_to(anchor)
        for y, said in enumerate(before):
            if self._said(y) != said:
                self.refresh(Region(0, y, self.size.width, 1))

    def _lay(self, sections: Sequence[Section]) -> None:
        self._lines, self._starts = [], []
        for section in sections:
            if self._lines:
                self._lines.append(())
            self._starts.append(len(self._lines))
            note = (Piece(" ─ ", "rule"), Piece(section.note, "muted")) if section.note else ()
            self._lines.append((Piece(section.title, "strong", 1), *note))
            self._lines += section.lines

    def _said(self, y: int) -> PageLine:
        index = self.scroll_offset.y + y
        return self._lines[index] if index < len(self._lines) else ()

    # Where it stands

    def _anchor(self) -> tuple[int, int]:
        """Return the section at the top and how many lines of it are above."""
        top = self.scroll_offset.y
        section = max(bisect_right(self._starts, top) - 1, 0)
        return section, top - self._starts[section] if self._starts else 0

    def _return_to(self, anchor: tuple[int, int]) -> None:
        section, below = anchor
        if section < len(self._starts) and self.scroll_offset.y:
            self._stand_at(self._starts[section] + below)

    def _stand_at(self, y: int) -> None:
        last = max(0, len(self._lines) - self.size.height)
        self.scroll_to(y=min(max(y, 0), last), animate=False, force=True)

    def action_scroll(self, lines: int) -> None:
        self._stand_at(self.scroll_offset.y + lines)

    def action_page(self, pages: int) -> None:
        self._stand_at(self.scroll_offset.y + pages * max(self.size.height - 2, 1))

    def action_edge(self, side: int) -> None:
        self._stand_at(side * len(self._lines))

    def action_section(self, step: int) -> None:
        top = self.scroll_offset.y
        onward = [start for start in self._starts if (start - top) * step > 0]
        if onward:
            self._stand_at(onward[0] if step > 0 else onward[-1])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Offer to go on only where there is more than what can be seen."""
        return action != "section" or len(self._lines) > self.size.height

    def to_top(self) -> None:
        """Stand at the beginning."""
        self._stand_at(0)

    # Drawing

    def on_resize(self) -> None:
        self.update()

    def render_line(self, y: int) -> Strip:
        """Draw a line of what can be seen."""
        width = self.scrollable_content_region.width
        line = Line(self._ink, width)
        index = self.scroll_offset.y + y
        for piece in self._said(y):
            line.to(piece.at).add(piece.text, piece.tone, piece.width, marked=piece.marked)
        if index in self._starts:
            return line.rule().strip()
        return line.strip()
