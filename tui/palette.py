"""The command palette: everything that a key does here and now, found by words."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from textual.binding import Binding
from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider, SearchIcon
from textual.dom import DOMNode
from textual.widgets import Input

KEY = Binding(
    "ctrl+p,colon", "command_palette", "commands", id="command_palette", show=False,
    tooltip="find an action by its words",
)  # fmt: skip
"""Opens it."""

_MOVES = ("move(", "page(", "edge(", "scroll(", "shift(")


class _Entry(msgspec.Struct, frozen=True):
    words: str
    key: str
    binding: Binding
    node: DOMNode


class Palette(CommandPalette):
    """Textual's own, with a cursor that does not blink: each blink is bytes over a slow line."""

    def on_mount(self) -> None:
        self.query_one(Input).cursor_blink = False
        # The picture of a lens is as wide as each terminal likes, and not in every font.
        self.query_one(SearchIcon).icon = "/"


class Actions(Provider):
    """Offers the actions of the pane that has the keys and of the screen; none that would do nothing."""

    async def discover(self) -> Hits:
        """Yield all of them, in the order of help."""
        for entry in self._entries():
            yield DiscoveryHit(_shown(entry), lambda entry=entry: self._run(entry), text=entry.words)

    async def search(self, query: str) -> Hits:
        """Yield those whose words match."""
        matcher = self.matcher(query)
        for entry in self._entries():
            score = matcher.match(entry.words)
            if score > 0:
                yield Hit(
                    score,
                    matcher.highlight(entry.words),
                    lambda entry=entry: self._run(entry),
                    help=entry.key,
                )

    def _entries(self) -> Iterator[_Entry]:
        seen: set[str] = set()
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if not active.enabled or binding.action in seen or binding.action.startswith(_MOVES):
                continue
            seen.add(binding.action)
            if binding.action != KEY.action:
                words = binding.tooltip or binding.description
                yield _Entry(words, self.app.get_key_display(binding), binding, active.node)

    async def _run(self, entry: _Entry) -> None:
        await self.app.run_action(entry.binding.action, entry.node)


def _shown(entry: _Entry) -> str:
    return f"{entry.words}  ({entry.key})"
