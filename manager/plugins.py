"""What other packages add, found by their entry points when a name is met that trunkline does not know.

    trunkline.drivers    NAME = module           a connection type
    trunkline.policies   NAME = module:POLICY    a preset
    trunkline.rows       NAME = module           how the rows of a connection type are shown

Nothing is looked for while no such name is met. What cannot be used is told in a sentence, its traceback goes
to the log, and nothing else is lost by it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from manager.errors import TrunklineError
from manager.text import quoted
from manager.trace import frames_of

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

log = logging.getLogger(__name__)

DRIVERS, POLICIES, ROWS = "trunkline.drivers", "trunkline.policies", "trunkline.rows"

_NOUNS = {DRIVERS: "connection type", POLICIES: "policy", ROWS: "rows of the connection type"}


class PluginError(TrunklineError):
    """Something of another package that cannot be used."""


class Plugins:
    """What is installed in one group of entry points, looked for once and loaded once."""

    def __init__(self, group: str) -> None:
        self._group = group
        self._entries: dict[str, list[EntryPoint]] | None = None
        """By name; None until somebody asks."""
        self._loaded: dict[str, Any] = {}
        self._broken: dict[str, PluginError] = {}

    @property
    def names(self) -> list[str]:
        """Every name that packages offer, sorted."""
        return sorted(self._found())

    def load(self, name: str) -> Any:
        """Return what a package offers under a name.

        Raises:
            PluginError: two packages offer it, or it cannot be imported.
            KeyError: none does.
        """
        if name in self._broken:
            raise self._broken[name]
        if name not in self._loaded:
            try:
                self._loaded[name] = self._load(self._found()[name])
            except PluginError as error:
                self._broken[name] = error
                raise
        return self._loaded[name]

    def package(self, name: str) -> str:
        """Return which packages offer a name, with their versions."""
        return " and ".join(sorted({_package(entry) for entry in self._found()[name]}))

    def clashes(self, own: Iterable[str]) -> list[str]:
        """Say of each name that trunkline has itself and a package offers as well that its own is used."""
        noun = _NOUNS[self._group]
        return [
            f'the {noun} "{name}" of {self.package(name)} is not used: trunkline has one of this name itself'
            for name in own
            if name in self._found()
        ]

    def _found(self) -> dict[str, list[EntryPoint]]:
        if self._entries is None:
            self._entries = {}
            for entry in _entries(self._group):
                self._entries.setdefault(entry.name, []).append(entry)
        return self._entries

    def _load(self, entries: list[EntryPoint]) -> Any:
        name = entries[0].name
        if len(entries) > 1:
            raise PluginError(f"it is offered by {self.package(name)}", "one package of the two")
        try:
            return entries[0].load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it is, it costs this name alone
            log.error("importing %s %s raised %s", self._group, name, frames_of(error))
            raise PluginError(
                f"importing {quoted(entries[0].value)} of {self.package(name)} raised {type(error).__name__}",
                "a package that can be imported; the log has the details",
            ) from None


def _entries(group: str) -> set[EntryPoint]:
    from importlib.metadata import distributions, entry_points  # noqa: PLC0415 - most never need it

    try:
        return set(entry_points(group=group))
    except Exception as error:  # noqa: BLE001 - the metadata of any package at all may be damaged
        log.error("the entry points of a package cannot be read: %s", frames_of(error))
    found: set[EntryPoint] = set()
    for distribution in distributions():
        with suppress(Exception):
            found.update(distribution.entry_points.select(group=group))
    return found


def _package(entry: EntryPoint) -> str:
    if entry.dist is None:
        return "a package without a name"
    return quoted(f"{entry.dist.name} {entry.dist.version}")
