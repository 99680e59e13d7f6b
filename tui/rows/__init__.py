"""What the row and the details of each connection type say of a session.

A type has one module with `TITLE`, the heading of its section, `present`, which puts the facts of a session
into a few words, the most telling first, and `details`, which gives each fact a name and a line. Another
package brings such a module for its type under the entry point `trunkline.rows`, `details` only if it likes;
a type without one, or whose module is broken, is shown by `default`.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping
from typing import Generic, TypeGuard, TypeVar

import msgspec

from manager.model import Facts
from manager.plugins import ROWS, PluginError, Plugins
from manager.trace import frames_of
from tui.rows import ami, default, service, sip, websocket
from tui.sanitise import clean

log = logging.getLogger(__name__)

Told = TypeVar("Told")

_LONGEST_TITLE = 24


class TypeRows(msgspec.Struct, frozen=True):
    """How one connection type is shown."""

    title: str
    present: Callable[[Facts], list[str]]
    details: Callable[[Facts], list[tuple[str, str]]]


KNOWN: Mapping[str, TypeRows] = {
    "service": TypeRows(service.TITLE, service.present, service.details),
    "sip": TypeRows(sip.TITLE, sip.present, sip.details),
    "websocket": TypeRows(websocket.TITLE, websocket.present, websocket.details),
    "ami": TypeRows(ami.TITLE, ami.present, ami.details),
}
"""In the order of their sections; other types follow by name."""


def title_of(type_name: str) -> str:
    """Return the heading of a type's section."""
    return _rows_of(type_name).title


def facts_of(type_name: str, facts: Facts) -> str:
    """Return the facts of a session in a few words."""
    return " · ".join(_rows_of(type_name).present(facts))


def details_of(type_name: str, facts: Facts) -> list[tuple[str, str]]:
    """Return the facts of a session, each with its name."""
    return _rows_of(type_name).details(facts)


def section_order(type_name: str) -> tuple[int, str]:
    """Return the sort key of a type's section."""
    names = list(KNOWN)
    return (names.index(type_name), "") if type_name in KNOWN else (len(names), type_name)


def _rows_of(type_name: str) -> TypeRows:
    return KNOWN.get(type_name) or _installed(type_name)


@functools.cache
def _installed(type_name: str) -> TypeRows:
    """Return the rows that a package brings for a type; the default where none does, or they are broken."""
    plain = TypeRows(type_name, default.present, default.details)
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
    present = _Contained(type_name, module.present, _are_texts, default.present)
    details = default.details
    if callable(getattr(module, "details", None)):
        details = _Contained(type_name, module.details, _are_pairs, default.details)
    return TypeRows(clean(title[:_LONGEST_TITLE]), present, details)


class _Contained(Generic[Told]):
    """Calls a function of a package until it does something wrong; then the default."""

    def __init__(
        self,
        type_name: str,
        function: Callable[[Facts], object],
        is_right: Callable[[object], TypeGuard[Told]],
        instead: Callable[[Facts], Told],
    ) -> None:
        self._type_name = type_name
        self._function = function
        self._is_right = is_right
        self._instead = instead
        self._broken = False

    def __call__(self, facts: Facts) -> Told:
        if not self._broken:
            try:
                told = self._function(dict(facts))
                if self._is_right(told):
                    return told
                log.error("the rows of the type %s gave something else than texts", self._type_name)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - costs these words, not the screen
                log.error("the rows of the type %s raised %s", self._type_name, frames_of(error))
            self._broken = True
        return self._instead(facts)


def _are_texts(told: object) -> TypeGuard[list[str]]:
    return isinstance(told, list) and all(isinstance(word, str) for word in told)


def _are_pairs(told: object) -> TypeGuard[list[tuple[str, str]]]:
    return isinstance(told, list) and all(
        isinstance(line, tuple) and len(line) == 2 and _are_texts([*line]) for line in told
    )
