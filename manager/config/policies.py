"""The tables `[policies.NAME]`, and which policy a table of the file chooses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from manager.bounds import BOUNDS, contradictions
from manager.config.installed import as_policy
from manager.config.positions import Place
from manager.config.section import Notes, Section, Value, is_name, kind_of, nearest_of, shown
from manager.plugins import POLICIES, PluginError, Plugins
from manager.presets import PRESETS
from manager.settings import Policy

_A_NAME = "1 to 64 characters that can be seen"


class Chosen(msgspec.Struct, frozen=True):
    """A policy, its name, and where its numbers come from that are not built in."""

    name: str = "default"
    policy: Policy = PRESETS["default"]
    sources: Mapping[str, str] = msgspec.field(default_factory=dict)


class Policies:
    """Every policy that a file may name: its own, the presets, and those that other packages bring.

    A named policy is a whole: what it does not set is that of its `base`, the preset `default` unless it says
    otherwise.
    """

    def __init__(self, tables: Mapping[str, Value], notes: Notes) -> None:
        """Read `tables`, the content of `[policies]`."""
        self._tables = tables
        self._notes = notes
        self._known: dict[str, Chosen] = {
            name: _whole(name, policy, f"preset {name}") for name, policy in PRESETS.items()
        }
        self._installed = Plugins(POLICIES)
        self._under_way: list[str] = []
        """The names that lead to the one being read, each the base of the one before."""
        for name in tables:
            place = ("policies", name)
            if name in PRESETS:
                notes.mistake(place, "the name of a policy that trunkline has itself", "another name")
            elif not is_name(name):
                notes.mistake(place, "a name that does not fit", _A_NAME)
            elif name not in self._known:
                self._read(name)

    @property
    def names(self) -> list[str]:
        """Every name that may be chosen."""
        others = dict.fromkeys((*self._tables, *self._installed.names))
        return [*PRESETS, *(name for name in others if name not in PRESETS)]

    def chosen(self, section: Section, key: str, given: Chosen) -> Chosen:
        """Return the policy that a table names under `key`; `given` where it names none."""
        name = section.raw(key)
        if name is None:
            return given
        if isinstance(name, str):
            known = self._known.get(name)
            if known is not None:
                return known
            if name in self._under_way:
                circle = [*self._under_way[self._under_way.index(name) :], name]
                section.mistake(
                    key, "a circle: " + " → ".join(circle), "a policy that does not come back here"
                )
                return given
            if name in self._tables:
                return self._read(name)
            if name in self._installed.names:
                return self._install(section.at(key), name)
        self._unknown(section.at(key), name)
        return given

    def _read(self, name: str) -> Chosen:
        place: Place = ("policies", name)
        table = self._tables[name]
        read = Chosen(name)
        if isinstance(table, dict):
            self._under_way.append(name)
            section = Section(table, place, self._notes)
            read = replace(read_numbers(section, self.chosen(section, "base", Chosen())), name=name)
            section.unknown()
            self._under_way.pop()
        else:
            self._notes.mistake(place, kind_of(table), f"a table: [policies.{name}]")
        self._known[name] = read
        return read

    def _install(self, place: Place, name: str) -> Chosen:
        """Return what a package offers; it stands in for itself only where it can be used."""
        package = self._installed.package(name)
        try:
            policy = as_policy(self._installed.load(name), package)
        except PluginError as error:
            self._notes.mistake(place, f"{shown(name)}, but {error}", error.hint)
            return Chosen(name)
        found = self._known[name] = _whole(name, policy, f"policy {name} of {package}")
        return found

    def _unknown(self, place: Place, name: Value) -> None:
        nearest = nearest_of(name, self.names) if isinstance(name, str) else ""
        self._notes.mistake(place, shown(name), "one of " + _listed(self.names), nearest=nearest)


def _whole(name: str, policy: Policy, source: str) -> Chosen:
    default = PRESETS["default"]
    numbers = [each for each in Policy.__struct_fields__ if getattr(policy, each) != getattr(default, each)]
    return Chosen(name, policy, dict.fromkeys(numbers, source))


def read_numbers(section: Section, given: Chosen) -> Chosen:
    """Read the numbers by which a connection is kept up; `given` are those that are not set here."""
    if not any(name in section for name in Policy.__struct_fields__):
        section.expect(Policy.__struct_fields__)
        return given
    numbers: dict[str, Any] = {}
    for name in Policy.__struct_fields__:
        default = getattr(given.policy, name)
        if isinstance(default, bool):
            numbers[name] = section.flag(name, default=default)
        elif BOUNDS[name].whole:
            bound = BOUNDS[name]
            numbers[name] = section.integer(name, default, low=int(bound.low), high=int(bound.high))
        else:
            numbers[name] = section.number(name, default, BOUNDS[name].expected, BOUNDS[name].fits)
    before = len(section.notes.mistakes)
    for contradiction in contradictions(numbers):
        # `given` agrees with itself, so at least one of the two stands here.
        name = next(name for name in contradiction.names if name in section)
        section.mistake(name, contradiction.found, contradiction.expected)
    if len(section.notes.mistakes) > before:
        return given
    here = {name: section.notes.where(section.at(name)) for name in numbers if name in section}
    return Chosen(given.name, Policy(**numbers), {**given.sources, **here})


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
