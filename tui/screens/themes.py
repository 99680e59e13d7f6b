"""Choosing a theme: each is worn while the cursor is on it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from manager.errors import TrunklineError
from manager.model import Phase
from tui import themes
from tui.line import Ink, Line
from tui.phases import TONES
from tui.widgets.footer import KeyLine, keys_here

_SAMPLE_AT = 34
"""Where the sample stands beside the list, in cells; below it where the screen is narrow."""
_SAMPLE_WIDTH = 38


class ThemeList(Widget, can_focus=True):
    """The names, and a sample of what the chosen one looks like."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "previous", show=False, id="themes.up"),
        Binding("down,j", "move(1)", "next", id="themes.down"),
    ]

    def __init__(self, ink: Ink, wear: Callable[[str], None]) -> None:
        super().__init__(id="themes")
        self._ink = ink
        self._wear = wear
        self._names = themes.available()
        self._at = self._names.index(ink.palette.name) if ink.palette.name in self._names else 0
        self._mistake = ""

    @property
    def chosen(self) -> str:
        """The name under the cursor."""
        return self._names[self._at]

    def action_move(self, step: int) -> None:
        self._at = min(max(self._at + step, 0), len(self._names) - 1)
        try:
            self._wear(self.chosen)
        except TrunklineError as error:
            self._mistake = str(error)
        else:
            self._mistake = ""
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw the heading, a name with a line of the sample beside it, or what stands below."""
        line = Line(self._ink, self.size.width).to(2)
        if y == 1:
            return line.add("Themes", "accent").add("  worn as you move").strip()
        index, beside = y - 3, self.size.width >= _SAMPLE_AT + _SAMPLE_WIDTH
        if 0 <= index < len(self._names):
            surface = self._ink.palette.surfaces.cursor if index == self._at else None
            name = Line(self._ink, min(_SAMPLE_AT - 4, line.room), surface)
            name.add(" " + self._names[index], "strong" if index == self._at else "text")
            line_so_far = Strip.join([line.cut(), name.strip()])
            rest = Line(self._ink, max(0, self.size.width - line_so_far.cell_length)).to(2)
            return Strip.join([line_so_far, (self._sample(rest, index) if beside else rest).strip()])
        below = index - len(self._names)
        told = self._told()
        if beside:
            if index < len(Phase):
                return self._sample(line.to(_SAMPLE_AT), index).strip()
            below -= max(len(Phase) - len(self._names), 0) + 1
        if 0 <= below < len(told):
            line.add(told[below], "bad" if self._mistake else "muted")
        elif not beside:
            self._sample(line, below - len(told) - 1)
        return line.strip()

    def _told(self) -> list[str]:
        """Return what is wrong with the chosen theme, or how to keep it."""
        sentence = self._mistake or f'theme = "{self.chosen}" in dashboard.toml keeps it'
        return textwrap.wrap(sentence, max(self.size.width - 4, 20))

    def _sample(self, line: Line, index: int) -> Line:
        phases = list(Phase)
        if 0 <= index < len(phases):
            phase = phases[index]
            line.add(self._ink.glyphs.phases[phase], TONES[phase], 2).add(f"pbx{index + 1}", "strong", 8)
            line.add(phase.value, TONES[phase], 12).add("connection refused", "muted")
        return line


class ThemeScreen(Screen[None], inherit_bindings=False):
    """Covers the dashboard, which rests meanwhile."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "keep", "wear until you quit", id="themes.keep"),
        Binding("escape,q", "back", "back", id="themes.back"),
    ]

    def __init__(self, ink: Ink, wear: Callable[[str], None]) -> None:
        """Prepare; `wear` puts a theme on, or raises a `TrunklineError`."""
        super().__init__()
        self._wear = wear
        self._before = ink.palette.name
        self._list = ThemeList(ink, wear)
        self._keys = KeyLine(ink, lambda: keys_here(self, ("keep",)))

    def compose(self) -> ComposeResult:
        yield self._list
        yield self._keys

    def on_descendant_focus(self) -> None:
        self._keys.update()

    def action_keep(self) -> None:
        self.app.pop_screen()

    def action_back(self) -> None:
        self._wear(self._before)
        self.app.pop_screen()
