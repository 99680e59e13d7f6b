"""Every key of the program by its id, and the keys that somebody chose for himself, checked against them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec
from textual.binding import Binding
from textual.dom import DOMNode
from textual.keys import Keys, key_to_character

from tui import palette
from tui.screens.covering import CoveringScreen
from tui.screens.dashboard import Dashboard
from tui.screens.details import DetailsScreen
from tui.screens.health import HealthScreen
from tui.screens.help import HelpScreen, HelpText
from tui.screens.themes import ThemeList, ThemeScreen
from tui.screens.wire import WireScreen
from tui.widgets.connections import Connections
from tui.widgets.eventlog import EventLog
from tui.widgets.message import MessagePane
from tui.widgets.messages import MessageList
from tui.widgets.page import Page
from tui.widgets.prompt import FilterLine
from tui.widgets.table import ConnectionTable

_HEARD_TOGETHER: Sequence[Sequence[type[DOMNode]]] = (
    (Dashboard, Connections, ConnectionTable),
    (Dashboard, EventLog),
    (CoveringScreen, DetailsScreen, Page),
    (CoveringScreen, HealthScreen, Page),
    (CoveringScreen, WireScreen, MessageList),
    (CoveringScreen, WireScreen, MessagePane),
    (FilterLine,),
    (HelpScreen, HelpText),
    (ThemeScreen, ThemeList),
)
"""Whose keys mean something at the same time, and therefore must differ."""

_MODIFIERS = ("ctrl", "shift", "alt")
_NAMED = frozenset(key.value for key in Keys)

Keymap = Mapping[str, tuple[str, ...]]
"""Keys by the id of what they do."""


class Clash(msgspec.Struct, frozen=True):
    """Two things that one key would do."""

    key: str
    ids: tuple[str, str]


def defaults() -> Keymap:
    """Return the keys that come along, by the id of what they do, in the order in which help tells them."""
    return {binding.id: tuple(binding.key.split(",")) for binding in _bindings() if binding.id}


def is_key(name: str) -> bool:
    """Whether a terminal can send a key of this name: `r`, `ctrl+r`, `f5`, `question_mark`."""
    *modifiers, last = name.split("+") if len(name) > 1 else [name]
    if any(modifier not in _MODIFIERS for modifier in modifiers) or not last:
        return False
    if len(last) == 1:
        return last.isprintable()
    return last in _NAMED or key_to_character(last) is not None


def clashes(chosen: Keymap) -> Iterator[Clash]:
    """Yield every key that would do two things at once with these keys in place of those that come along."""
    told: set[tuple[str, str]] = set()
    for heard in _HEARD_TOGETHER:
        taken: dict[str, str] = {}
        for binding in (binding for node in heard for binding in _of(node)):
            identity = binding.id or ""
            for key in chosen.get(identity, tuple(binding.key.split(","))):
                other = taken.setdefault(_long(key), identity)
                if other != identity and (other, identity) not in told:
                    told.add((other, identity))
                    yield Clash(key, (other, identity))


def _bindings() -> Iterator[Binding]:
    seen: set[str] = set()
    for node in dict.fromkeys(node for heard in _HEARD_TOGETHER for node in heard):
        for binding in _of(node):
            if binding.id is not None and binding.id not in seen:
                seen.add(binding.id)
                yield binding


def _of(node: type[DOMNode]) -> Iterator[Binding]:
    if node is Dashboard:
        yield palette.KEY
    yield from (binding for binding in node.BINDINGS if isinstance(binding, Binding))


def _long(key: str) -> str:
    """Return the one name of a key that may be written in two ways: `?` and `question_mark`."""
    return key_to_character(key) or key
