"""The configuration file as a whole: where it is, who may read it, what it becomes."""

from __future__ import annotations

import ast
import os
import re
import shlex
import stat
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import platformdirs

from manager.config.connections import read_connection, read_defaults
from manager.config.mistakes import ConfigError, Mistake, dotted
from manager.config.policies import Policies
from manager.config.positions import Place, Positions
from manager.config.section import Notes, Section, kind_of
from manager.settings import ConnectionSettings

_MAX_BYTES = 8 * 1024 * 1024
_OTHERS = 0o077
_PLACE = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")
_TWICE = re.compile(r"Cannot declare (?P<place>\(.+\)) twice$")
_A_CONNECTION = "at least one table [connections.NAME]"
_NAMED_SECRETS = 3


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """What a configuration file says."""

    path: Path
    connections: tuple[ConnectionSettings, ...]
    """In the order of the file."""


def default_path() -> Path:
    """Return where the file is looked for when none is named: `trunkline/config.toml` of the platform."""
    return platformdirs.user_config_path("trunkline", appauthor=False) / "config.toml"


def load(path: Path) -> Configuration:
    """Read a configuration file.

    Raises:
        ConfigError: it cannot be read or used; it tells every mistake at once.
    """
    text, mode = _read(path)
    content = _parse(path, text)
    notes = Notes(Positions(text), path.absolute().parent)
    connections = _read_tables(content, notes)
    if notes.plain_secrets and mode & _OTHERS:
        notes.mistakes.insert(0, _readable_by_others(path, mode, notes))
    if notes.mistakes:
        raise ConfigError(path, tuple(sorted(notes.mistakes, key=lambda mistake: mistake.line or 0)))
    return Configuration(path=path, connections=tuple(connections))


def _read(path: Path) -> tuple[str, int]:
    """Return the text, and the permissions of the very file that it was read from."""
    try:
        # Not to wait for ever for the other end, should it be a pipe.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:  # noqa: PTH123 - of a descriptor
            mode = os.fstat(stream.fileno()).st_mode
            content = stream.read(_MAX_BYTES + 1) if stat.S_ISREG(mode) else None
    except OSError as error:
        raise _unusable(path, error.strerror or "an error", "a file that can be read") from None
    except ValueError:
        raise _unusable(path, "a path with a null character", "a file that can be read") from None
    if content is None:
        raise _unusable(path, "something that is no file", "a file")
    if len(content) > _MAX_BYTES:
        raise _unusable(path, "more than 8 MiB", "a configuration")
    try:
        return content.decode("utf-8-sig"), mode
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        mistake = Mistake(line=line, found="bytes that are not UTF-8", expected="text in UTF-8")
        raise ConfigError(path, (mistake,)) from None


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        mistake = _syntax(str(error), text)
    except (ValueError, RecursionError):
        # A number of thousands of digits, arrays within arrays without end.
        mistake = Mistake(found="a value beyond all measure", expected="TOML")
    raise ConfigError(path, (mistake,))


def _syntax(message: str, text: str) -> Mistake:
    """Say where TOML itself is broken. tomllib quotes no more of the file than one character."""
    place = _PLACE.search(message)
    found = _PLACE.sub("", message)
    twice = _TWICE.match(found)
    if twice is not None and place is not None and place["line"] is not None:
        return _declared_twice(ast.literal_eval(twice["place"]), int(place["line"]), text)
    found = found[:1].lower() + found[1:]
    if place is None:
        return Mistake(found=found, expected="TOML")
    if place["line"] is None:
        return Mistake(line=text.count("\n") + 1, found=f"{found}, at the end", expected="TOML")
    return Mistake(line=int(place["line"]), found=f"{found}, at column {place['column']}", expected="TOML")


def _declared_twice(table: Place, line: int, text: str) -> Mistake:
    """Say where else a table stands; what comes before the second one is TOML that can be looked through."""
    before = "".join(text.splitlines(keepends=True)[: line - 1])
    first = Positions(before).line(table)
    found = f"a second table of this name; the first is in line {first}"
    return Mistake(line=line, key=dotted(table), found=found, expected="each name once")


def _read_tables(content: dict[str, Any], notes: Notes) -> list[ConnectionSettings]:
    root = Section(content, (), notes)
    defaults = _table(root, "defaults")
    policies = Policies(_table(root, "policies") or {}, notes)
    policy = read_defaults(Section(defaults or {}, ("defaults",), notes), policies)
    tables = _table(root, "connections")
    if tables is not None and not tables:
        notes.mistake(("connections",), "no connection", _A_CONNECTION)
    root.unknown()
    found = [read_connection(name, table, policy, policies, notes) for name, table in (tables or {}).items()]
    return [settings for settings in found if settings is not None]


def _table(root: Section, name: str) -> dict[str, Any] | None:
    """Return a table of the file, empty where it is missing; None where it is no table."""
    value = root.raw(name)
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    root.mistake(name, kind_of(value), f"a table: [{name}]")
    return None


def _readable_by_others(path: Path, mode: int, notes: Notes) -> Mistake:
    places = [dotted(place) for place in notes.plain_secrets]
    named = ", ".join(places[:_NAMED_SECRETS])
    more = len(places) - _NAMED_SECRETS
    if more > 0:
        named += f" and {more} more"
    return Mistake(
        found=f"plain secrets ({named}) in a file with permissions {stat.S_IMODE(mode):o}",
        expected="a file that only its owner can read, or secrets by reference ({ env = … })",
        command=f"chmod 600 {shlex.quote(str(path))}",
    )


def _unusable(path: Path, found: str, expected: str) -> ConfigError:
    return ConfigError(path, (Mistake(found=found, expected=expected),))
