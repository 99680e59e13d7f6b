"""A file of settings as TOML: who may read it, what stands in it, and where TOML itself is broken."""

from __future__ import annotations

import ast
import os
import re
import shlex
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from manager.config.mistakes import ConfigError, Mistake, dotted
from manager.config.positions import Place, Positions
from manager.config.section import Notes

_MAX_BYTES = 8 * 1024 * 1024
_PLACE = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")
_OF_BEFORE = re.compile(r"\s*(?://|/\*|\{|(?:export|const|let|var)\s|module\.exports)")
"""How a file begins that `migration` is for."""
_TWICE = re.compile(r"Cannot declare (?P<place>\(.+\)) twice$")


class Document(msgspec.Struct, frozen=True):
    """What stands in a file."""

    path: Path
    mode: int
    """Permissions of the very file that was read."""
    content: Mapping[str, Any]
    notes: Notes
    """What is found to be wrong with it."""

    def demand_no_mistakes(self) -> None:
        """Raise every mistake that was noted, in the order of the file.

        Raises:
            ConfigError: there are any.
        """
        if self.notes.mistakes:
            mistakes = sorted(self.notes.mistakes, key=lambda mistake: mistake.line or 0)
            raise ConfigError(self.path, tuple(mistakes))


def read_document(path: Path) -> Document:
    """Read a file.

    Raises:
        ConfigError: it cannot be read, or is not TOML.
    """
    text, mode = _read(path)
    content = _parse(path, text)
    return Document(path, mode, content, Notes(Positions(text), path.absolute()))


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
        mistake = _of_before(path) if _OF_BEFORE.match(text) else _syntax(str(error), text)
    except (ValueError, RecursionError):
        # A number of thousands of digits, arrays within arrays without end.
        mistake = Mistake(found="a value beyond all measure", expected="TOML")
    raise ConfigError(path, (mistake,))


def _of_before(path: Path) -> Mistake:
    return Mistake(
        found="an object of JSON or JavaScript",
        expected="TOML",
        command=f"trunkline config migrate {shlex.quote(str(path))}",
    )


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


def _unusable(path: Path, found: str, expected: str) -> ConfigError:
    return ConfigError(path, (Mistake(found=found, expected=expected),))
