"""Help: every key, written from the bindings themselves, and what the phases and their signs mean."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.geometry import Size
from textual.screen import Screen
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui import themes
from tui.columns import NARROW
from tui.glyphs import MEANINGS
from tui.line import Ink, Line
from tui.phases import TONES
from tui.widgets.footer import KeyLine, keys_here

KeySection = tuple[str, Sequence[tuple[str, str]]]
"""A heading and, under it, keys and what they do."""


def keys_of(app: App[None], *nodes: DOMNode) -> list[tuple[str, str]]:
    """Return the keys of some parts of the screen as they are now, and what they do."""
    keys: dict[str, tuple[list[str], str]] = {}
    for node in nodes:
        for bindings in node._bindings.key_to_bindings.values():  # noqa: SLF001 - Textual offers no public way
            for one in bindings:
                shown = app.get_key_display(one)
                names, _ = keys.setdefault(one.action, ([], one.tooltip or one.description))
                if shown not in names:
                    names.append(shown)
    return [(" ".join(names), what) for names, what in keys.values()]


class HelpText(ScrollView, can_focus=True, inherit_bindings=False):
    """The lines of help."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll(-1)", "up", show=False, id="help.up"),
        Binding("down,j", "scroll(1)", "down", show=False, id="help.down"),
        Binding("pageup", "scroll(-10)", "a page up", show=False, id="help.page_up"),
        Binding("space,pagedown", "scroll(10)", "down", id="help.page_down", tooltip="a page down"),
        Binding("g,home", "scroll(-1000)", "the beginning", show=False, id="help.first"),
        Binding("G,end", "scroll(1000)", "the end", show=False, id="help.last"),
    ]  # fmt: skip

    def __init__(self, ink: Ink, sections: Sequence[KeySection]) -> None:
        super().__init__(id="help")
        self._ink = ink
        self._sections = sections
        self._entries: list[list[_Piece]] = []

    def on_resize(self) -> None:
        width = self.size.width
        column = _COLUMN if width >= NARROW else _NARROW_COLUMN
        self._entries = _wrapped(_entries(self._ink, self._sections, column), width - 2)
        self.virtual_size = Size(self.size.width, len(self._entries))

    def action_scroll(self, lines: int) -> None:
        self.scroll_to(y=self.scroll_offset.y + lines, animate=False)

    def render_line(self, y: int) -> Strip:
        """Draw a line of what can be seen."""
        index = self.scroll_offset.y + y
        line = Line(self._ink, self.size.width).to(2)
        if index < len(self._entries):
            for text, tone, column in self._entries[index]:
                line.to(column).add(text, tone)
        return line.strip()


_COLUMN, _NARROW_COLUMN = 20, 12
"""Where it is said what a key does."""
_Piece = tuple[str, str, int]
"""A text, its tone, and the column it begins at."""

_HEALTH = (
    "The mean of all connections that are not stopped or paused: 100 for one that is up, less for failures "
    "in a row and slow replies, 0 for one that is not up. Green from 80, orange from 50, red below."
)


def _entries(ink: Ink, sections: Sequence[KeySection], column: int) -> list[list[_Piece]]:
    lines: list[list[_Piece]] = [[], [("trunkline", "accent", 2), ("keys and signs", "muted", 13)]]
    for heading, keys in sections:
        lines += [[], [(heading, "strong", 2)]]
        for names, what in keys:
            key = " ".join(map(ink.glyphs.key, names.split()))
            if 4 + len(key) < column:
                lines.append([(key, "accent", 4), (what, "text", column)])
            else:
                lines += [[(key, "accent", 4)], [(what, "text", column)]]
    lines += [[], [("Phases", "strong", 2)]]
    for phase, meaning in MEANINGS.items():
        sign = ink.glyphs.phases[phase]
        lines.append(
            [(sign, TONES[phase], 4), (phase.value, TONES[phase], 7), (meaning, "text", max(column, 18))]
        )
    lines += [
        [],
        [("Health", "strong", 2)],
        [(_HEALTH, "text", 4)],
        [],
        [("Theme", "strong", 2)],
        [(f"{ink.palette.name}; there are {', '.join(themes.available())}", "text", 4)],
        [(f"your own: {themes.user_folder()}", "muted", 4)],
        [],
        [("esc or ? goes back", "muted", 4)],
    ]  # fmt: skip
    return lines


def _wrapped(entries: list[list[_Piece]], width: int) -> list[list[_Piece]]:
    """Break what is longer than the width, under where it began."""
    lines: list[list[_Piece]] = []
    for entry in entries:
        *before, (text, tone, column) = entry or [("", "text", 0)]
        first, *rest = textwrap.wrap(text, max(width - column, 10)) or [""]
        lines.append([*before, (first, tone, column)])
        lines += [[(more, tone, column)] for more in rest]
    return lines


class HelpScreen(Screen[None], inherit_bindings=False):
    """Covers the dashboard, which rests meanwhile."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter", "back", "back", id="help.back")
    ]

    def __init__(self, ink: Ink, sections: Sequence[KeySection]) -> None:
        super().__init__()
        self._text = HelpText(ink, sections)
        self._keys = KeyLine(ink, lambda: keys_here(self, ()))

    def compose(self) -> ComposeResult:
        yield self._text
        yield self._keys

    def on_descendant_focus(self) -> None:
        self._keys.update()

    def action_back(self) -> None:
        self.app.pop_screen()
