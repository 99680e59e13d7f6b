"""The last line: the keys that do something here and now, or for a moment a sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rich.cells import cell_len
from textual.screen import Screen
from textual.strip import Strip

from tui.columns import WIDE
from tui.line import Ink, Line
from tui.widgets.oneline import OneLine

Keys = Sequence[tuple[str, str]]
"""Keys as they are written on them, and what they do; the most wanted first, the ways out last."""

_OUT = ("help", "back", "quit")
"""Actions whose keys are never left out."""


def keys_here(screen: Screen[Any], order: Sequence[str]) -> list[tuple[str, str]]:
    """Return the keys that do something on a screen now, and what.

    Args:
        screen: whose bindings are meant. Where one of its parts has a `word_for` of its own, that says what
            an action would do now: None for what its binding says, nothing for an action not to be offered.
        order: names of actions, the most wanted first; others follow in the order of their bindings.
    """
    shown: dict[str, tuple[str, str]] = {}
    for active in screen.active_bindings.values():
        binding = active.binding
        if not binding.show or not active.enabled or binding.action in shown:
            continue
        word_for = getattr(active.node, "word_for", None)
        word = word_for(binding.action) if word_for else None
        word = binding.description if word is None else word
        if word:
            shown[binding.action] = (screen.app.get_key_display(binding), word)
    places = {name: place for place, name in enumerate((*order, "", *_OUT))}
    others = places[""]
    return [shown[action] for action in sorted(shown, key=lambda each: places.get(_name(each), others))]


def _name(action: str) -> str:
    """Return an action without its parameters."""
    return action.partition("(")[0].removeprefix("app.")


class KeyLine(OneLine):
    """Shows keys; the last two (help, and the way out) stay when there is no room for all."""

    def __init__(self, ink: Ink, keys: Callable[[], Keys]) -> None:
        super().__init__(id="keys")
        self._ink = ink
        self._keys = keys
        self.notice = ""
        """A sentence that takes the place of the keys."""
        self.instead: OneLine | None = None
        """What is drawn in its place, and lies below: it comes and goes without a new layout."""

    def say(self, notice: str) -> None:
        """Show a sentence, or the keys again."""
        self.notice = notice
        self.update()

    def draw(self) -> Strip:
        """Draw the keys that there is room for, or what takes their place."""
        if self.instead is not None:
            return self.instead.draw()
        width = self.size.width
        line = Line(self._ink, width, self._ink.palette.surfaces.footer).to(1)
        if self.notice:
            return line.add(self.notice, "text").strip()
        gap = 2 if width >= WIDE else 1
        keys = [(self._ink.glyphs.key(key), what) for key, what in self._keys()]
        for key, description in _fitting(keys, width - 2, gap):
            line.add(key, "accent").add(f" {description}").add("", width=min(gap, line.room))
        return line.strip()


def _fitting(keys: Keys, width: int, gap: int) -> Keys:
    """Leave out what there is no room for: the most wanted that fit are shown whole, and the last two."""
    others, out = keys[:-2], keys[-2:]
    room = width + gap - sum(map(_width, out)) - gap * len(out)
    fitting = []
    for key in others:
        if (needed := _width(key) + gap) <= room:
            fitting.append(key)
            room -= needed
    return [*fitting, *(out if room >= 0 else out[-1:])]


def _width(key: tuple[str, str]) -> int:
    return sum(map(cell_len, key)) + 1
