"""What a row of each connection type says while it is well.

A type has one module with `TITLE`, the heading of its section, and `present`, which puts the facts of a
session into a few words, the most telling first. Another package brings such a module for its type under the
entry point `trunkline.rows`; a type without one, or whose module is broken, is shown by `default`.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from manager.model import Facts
from manager.plugins import ROWS, PluginError, Plugins
from manager.trace import frames_of
from tui.rows import ami, default, sip, websocket
from tui.sanitise import clean

log = logging.getLogger(__name__)

_LONGEST_TITLE = 24


@dataclass(frozen=True, slots=True)
class TypeRows:
    """How one connection type is shown."""

    title: str
    present: Callable[[Facts], list[str]]


KNOWN: Mapping[str, TypeRows] = {
    "sip": TypeRows(sip.TITLE, sip.present),
    "websocket": TypeRows(websocket.TITLE, websocket.present),
    "ami": TypeRows(ami.TITLE, ami.present),
}
"""In the order of their sections; other types follow by name."""


def title_of(type_name: str) -> str:
    """Return the heading of a type's section."""
    return _rows_of(type_name).title


def facts_of(type_name: str, facts: Facts) -> str:
    """Return the facts of a session in a few words."""
    return " · ".join(_rows_of(type_name).present(facts))


def section_order(type_name: str) -> tuple[int, str]:
    """Return the sort key of a type's section."""
    names = list(KNOWN)
    return (names.index(type_name), "") if type_name in KNOWN else (len(names), type_name)


def _rows_of(type_name: str) -> TypeRows:
    return KNOWN.get(type_name) or _installed(type_name)


@functools.cache
def _installed(type_name: str) -> TypeRows:
    """Return the rows that a package brings for a type; the default where none does, or they are broken."""
    plain = TypeRows(type_name, default.present)
    try:
        module = Plugins(ROWS).load(type_name)
    except KeyError:
        return plain
    except PluginError as error:
        log.error("the rows of the type %s cannot be used: %s", type_name, error)
        return plain
    title = getattr(module, "TITLE", None)
    if not isinstance(title, str) or not callable(getattr(module, "present", None)):
        log.error("the rows of the type %s cannot be used: no text TITLE or no function present", type_name)
        return plain
    return TypeRows(clean(title[:_LONGEST_TITLE]), _Contained(type_name, module.present))


class _Contained:
    """Calls the `present` of a package until it does something wrong; then the default."""

    def __init__(self, type_name: str, present: Callable[[Facts], object]) -> None:
        self._type_name = type_name
        self._present = present
        self._broken = False

    def __call__(self, facts: Facts) -> list[str]:
        if not self._broken:
            try:
                words = self._present(dict(facts))
                if isinstance(words, list) and all(isinstance(word, str) for word in words):
                    return words
                log.error("the rows of the type %s gave no list of texts", self._type_name)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - costs these words, not the screen
                log.error("the rows of the type %s raised %s", self._type_name, frames_of(error))
            self._broken = True
        return default.present(facts)
