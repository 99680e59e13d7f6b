"""In which line of a TOML file a key stands. tomllib says what the file means, but not where."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right

Place = tuple[str | int, ...]
"""The names that lead to a value; a number is the place in an array."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STRINGS = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?!")'  # may end in up to two quotes of its own, hence the look ahead
    r"|'''.*?'''(?!')"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\n]+")


class Positions:
    """The lines of everything in one file."""

    def __init__(self, text: str) -> None:
        """Look through `text`, which must be TOML that tomllib has accepted."""
        self._text = text
        self._at = 0
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._lines: dict[Place, int] = {}
        self._scan()

    def line(self, place: Place) -> int | None:
        """Return the line of a key, or of the innermost table around it that is written down."""
        while place and place not in self._lines:
            place = place[:-1]
        return self._lines.get(place)

    def _scan(self) -> None:
        table: Place = ()
        while self._skip_blank():
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Place:
        start = self._at
        while self._text[self._at] == "[":
            self._at += 1
        place = self._key((), start)
        while self._at < len(self._text) and self._text[self._at] == "]":
            self._at += 1
        return place

    def _pair(self, table: Place) -> None:
        place = self._key(table, self._at)
        self._at += 1  # the equals sign
        self._value(place)

    def _key(self, table: Place, start: int) -> Place:
        """Read a dotted key, note the line of each of its parts, and stop behind the space after it."""
        place = table
        while True:
            self._at = _end(_SPACE, self._text, self._at)
            place = (*place, self._part())
            self._note(place, start)
            self._at = _end(_SPACE, self._text, self._at)
            if self._text[self._at] != ".":
                return place
            self._at += 1

    def _part(self) -> str:
        start = self._at
        if self._text[start] in "\"'":
            self._at = _end(_STRINGS, self._text, start)
            return str(tomllib.loads(f"key = {self._text[start : self._at]}")["key"])
        self._at = _end(_BARE, self._text, start)
        return self._text[start : self._at]

    def _value(self, place: Place) -> None:
        self._at = _end(_SPACE, self._text, self._at)
        first = self._text[self._at]
        if first == "[":
            self._array(place)
        elif first == "{":
            self._inline_table(place)
        else:
            self._at = _end(_STRINGS if first in "\"'" else _SCALAR, self._text, self._at)

    def _array(self, place: Place) -> None:
        self._at += 1
        index = 0
        while self._skip_blank() and self._text[self._at] != "]":
            if self._text[self._at] == ",":
                self._at += 1
                continue
            self._note((*place, index), self._at)
            self._value((*place, index))
            index += 1
        self._at += 1

    def _inline_table(self, place: Place) -> None:
        self._at += 1
        while self._skip_blank() and self._text[self._at] != "}":
            if self._text[self._at] == ",":
                self._at += 1
                continue
            self._pair(place)
        self._at += 1

    def _skip_blank(self) -> bool:
        self._at = _end(_BLANK, self._text, self._at)
        return self._at < len(self._text)

    def _note(self, place: Place, at: int) -> None:
        self._lines.setdefault(place, bisect_right(self._line_starts, at))


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at
