"""One table of the file, read name by name; what is wrong is noted, not raised, so that all of it is told."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from manager.config.mistakes import Mistake, dotted
from manager.config.positions import Place, Positions
from manager.secret import Secret, SecretSource
from manager.sources import Sources

Value = Any
"""What tomllib makes of a value: dict, list, str, int, float, bool or a date."""

_NOTHING = object()
_LONGEST_NAME = 64
_LONGEST_FOUND = 40
_SOURCES = ("env", "file", "command")
_A_SOURCE = 'a string, { env = "NAME" }, { file = "PATH" } or { command = ["PROGRAM", …] }'
_NO_SECRET = SecretSource(plain=Secret(""))
"""Stands for a secret that is wrong; a file with a mistake gives no settings, so nobody ever reads it."""


class Notes:
    """What is found out while a file is read: its mistakes, and where secrets stand in plain text."""

    def __init__(self, positions: Positions, path: Path) -> None:
        self.mistakes: list[Mistake] = []
        self.plain_secrets: list[Place] = []
        self.folder = path.parent
        """What relative paths are relative to."""
        self.file = path.name
        self._positions = positions

    def mistake(self, place: Place, found: str, expected: str, *, nearest: str = "") -> None:
        """Note something that is wrong at a place."""
        self.mistakes.append(
            Mistake(
                line=self._positions.line(place),
                key=dotted(place),
                found=found,
                expected=expected,
                nearest=nearest,
            )
        )

    def where(self, place: Place) -> str:
        """Return where a value of the file stands: `config.toml:5 [defaults]`."""
        return f"{self.file}:{self._positions.line(place)} [{dotted(place[:-1])}]"

    def lines(self, table: Mapping[str, Value], place: Place) -> dict[str, int]:
        """Return the lines of what a table says, by the names in it; what arrays and tables hold apart."""
        found: dict[str, int] = {}
        for name, value in table.items():
            within: list[Place] = [(name,)]
            if isinstance(value, dict):
                within += [(name, key) for key in value]
            elif isinstance(value, list):
                within += [(name, index) for index in range(len(value))]
            for key in within:
                line = self._positions.line((*place, *key))
                if line is not None:
                    found[dotted(key)] = line
        return found

    def path(self, text: str, place: Place) -> Path:
        """Return the path that `text` names: `~` is a home, and relative is beside the file."""
        try:
            return self.folder / Path(text).expanduser()
        except RuntimeError:
            self.mistake(place, "the home of an unknown user", "a path that begins with ~/ or with /")
            return Path(text)


class Section:
    """A table; each name is asked for once, and what nobody asked for is unknown."""

    def __init__(self, content: Mapping[str, Value], place: Place, notes: Notes) -> None:
        self.place = place
        self.notes = notes
        self._content = content
        self._known: list[str] = []

    def __contains__(self, name: str) -> bool:
        return name in self._content

    def at(self, name: str) -> Place:
        """Return the place of a name in this table."""
        return (*self.place, name)

    def sources(self) -> Sources:
        """Return where everything stands that this table says."""
        return Sources(self.notes.file, self.notes.lines(self._content, self.place))

    def mistake(self, name: str, found: str, expected: str) -> None:
        """Note something that is wrong with the value of a name."""
        self.notes.mistake(self.at(name), found, expected)

    def number(self, name: str, default: float, expected: str, fits: Callable[[float], bool]) -> float:
        """Return a number that fits; `fits` bounds it on both sides, which keeps NaN and infinity out."""
        value = self._take(name)
        if value is _NOTHING:
            return default
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not fits(value):
            self.mistake(name, shown(value), expected)
            return default
        return float(value)

    def integer(self, name: str, default: int, *, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`."""
        value = self._take(name)
        if value is _NOTHING:
            return default
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            self.mistake(name, shown(value), f"a whole number from {low} to {high}")
            return default
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a truth value."""
        value = self._take(name)
        if value is _NOTHING:
            return default
        if not isinstance(value, bool):
            self.mistake(name, shown(value), "true or false")
            return default
        return value

    def optional_text(
        self,
        name: str,
        expected: str,
        fits: Callable[[str], bool] = str.isprintable,
    ) -> str | None:
        """Return a text that is not empty and fits; None where it is not set."""
        value = self._take(name)
        if value is _NOTHING:
            return None
        if not isinstance(value, str):
            self.mistake(name, kind_of(value), expected)
        elif not value:
            self.mistake(name, "an empty string", expected)
        elif not fits(value):
            self.mistake(name, "a string that does not fit", expected)
        else:
            return value
        return None

    def text(self, name: str, expected: str, fits: Callable[[str], bool] = str.isprintable) -> str:
        """Return a text that must be there."""
        if name not in self:
            self._missing(name, expected)
        return self.optional_text(name, expected, fits) or ""

    def path(self, name: str) -> Path | None:
        """Return a path; None where it is not set."""
        text = self.optional_text(name, "a path", _is_path)
        return self.notes.path(text, self.at(name)) if text else None

    def secret(self, name: str) -> SecretSource:
        """Return the source of a secret that must be there."""
        value = self._take(name)
        if value is _NOTHING:
            self._missing(name, _A_SOURCE)
            return _NO_SECRET
        return secret_at(value, self.at(name), self.notes)

    def items(self, name: str, expected: str) -> list[tuple[Place, Value]]:
        """Return what stands in an array, each with its place; nothing where it is not set."""
        value = self._take(name)
        if value is _NOTHING:
            return []
        if not isinstance(value, list):
            self.mistake(name, kind_of(value), expected)
            return []
        return [((*self.at(name), index), item) for index, item in enumerate(value)]

    def pairs(self, name: str, expected: str) -> list[tuple[Place, str, Value]]:
        """Return what stands in a table within, each with its place; nothing where it is not set."""
        value = self._take(name)
        if value is _NOTHING:
            return []
        if not isinstance(value, dict):
            self.mistake(name, kind_of(value), expected)
            return []
        return [((*self.at(name), key), key, item) for key, item in value.items()]

    def raw(self, name: str) -> Value | None:
        """Return a value as it stands; None where it is not set."""
        value = self._take(name)
        return None if value is _NOTHING else value

    def expect(self, names: Iterable[str]) -> None:
        """Take these names for known although nobody asks for them."""
        self._known.extend(names)

    def unknown(self, elsewhere: Mapping[str, str] | None = None) -> None:
        """Note every name that was not asked for; `elsewhere` says of some where they belong."""
        for name in self._content:
            if name in self._known:
                continue
            if elsewhere and name in elsewhere:
                self.mistake(name, "a name that does not belong here", elsewhere[name])
                continue
            nearest = nearest_of(name, self._known)
            expected = "a known name" if nearest else "one of " + ", ".join(sorted(set(self._known)))
            self.notes.mistake(self.at(name), "an unknown name", expected, nearest=nearest)

    def _take(self, name: str) -> Value:
        self._known.append(name)
        return self._content.get(name, _NOTHING)

    def _missing(self, name: str, expected: str) -> None:
        self.mistake(name, "nothing", expected)


def secret_at(value: Value, place: Place, notes: Notes) -> SecretSource:
    """Return the source that a value describes."""
    if isinstance(value, str) and value:
        notes.plain_secrets.append(place)
        return SecretSource(plain=Secret(value))
    if isinstance(value, dict):
        return _source(value, place, notes)
    notes.mistake(place, kind_of(value), _A_SOURCE)
    return _NO_SECRET


def _source(content: Mapping[str, Value], place: Place, notes: Notes) -> SecretSource:
    section = Section(content, place, notes)
    before = len(notes.mistakes)
    env = section.optional_text("env", "the name of an environment variable", _is_variable)
    file = section.path("file")
    words = section.items("command", 'a program and its arguments: ["PROGRAM", "ARGUMENT"]')
    command = tuple(_word(item, item_place, notes) for item_place, item in words)
    section.unknown()
    if len(notes.mistakes) > before:
        return _NO_SECRET
    if "command" in content and not command:
        section.mistake("command", "an empty array", 'a program and its arguments: ["PROGRAM", "ARGUMENT"]')
        return _NO_SECRET
    if len(content) != 1:
        given = ", ".join(name for name in _SOURCES if name in content)
        notes.mistake(place, given or "an empty table", "exactly one of env, file and command")
        return _NO_SECRET
    if command and ("/" in command[0]):
        command = (str(notes.path(command[0], place)), *command[1:])
    return SecretSource(env=env, file=file, command=command or None)


def _word(value: Value, place: Place, notes: Notes) -> str:
    if isinstance(value, str) and value and "\0" not in value:
        return value
    notes.mistake(place, kind_of(value), "a string that is not empty")
    return ""


def is_name(text: str) -> bool:
    """Whether this can name a connection or a group."""
    return bool(text.strip()) and text.isprintable() and len(text) <= _LONGEST_NAME


def nearest_of(name: str, known: Iterable[str]) -> str:
    """Return the known name that a misspelt one is meant for; empty where none is near."""
    close = difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.6)
    return close[0] if close else ""


def kind_of(value: Value) -> str:
    """Say what sort of value this is, and nothing of what it says."""
    if isinstance(value, str):
        return "a string" if value else "an empty string"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, list):
        return "an array" if value else "an empty array"
    return "a table" if isinstance(value, dict) else "a date or time"


def shown(value: Value) -> str:
    """Return a value that cannot be a secret as it stands, short."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)[:_LONGEST_FOUND]
    if isinstance(value, str) and len(value) <= _LONGEST_FOUND:
        return f'the string "{value}"'
    return kind_of(value)


def _is_path(text: str) -> bool:
    return "\0" not in text


def _is_variable(text: str) -> bool:
    return text.isprintable() and "=" not in text
