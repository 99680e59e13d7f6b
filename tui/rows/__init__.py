"""What a row of each connection type says while it is well.

A type has one module with `TITLE`, the heading of its section, and `present`, which puts the facts of a
session into a few words, the most telling first. An unknown type is shown by `default`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from manager.model import Facts
from tui.rows import ami, default, sip, websocket


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
"""In the order of their sections; unknown types follow by name."""


def title_of(type_name: str) -> str:
    """Return the heading of a type's section."""
    known = KNOWN.get(type_name)
    return known.title if known else type_name


def facts_of(type_name: str, facts: Facts) -> str:
    """Return the facts of a session in a few words."""
    known = KNOWN.get(type_name)
    return " · ".join((known.present if known else default.present)(facts))


def section_order(type_name: str) -> tuple[int, str]:
    """Return the sort key of a type's section."""
    names = list(KNOWN)
    return (names.index(type_name), "") if type_name in KNOWN else (len(names), type_name)
