"""A page in the making: sections of lines that are wrapped to a width, as names and tones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec
from rich.cells import cell_len, chop_cells

from tui.columns import NARROW
from tui.line import Ink


class Piece(NamedTuple):
    """A text in a tone."""

    text: str
    tone: str = "text"
    at: int = 0
    """Column at which it begins at the earliest."""
    width: int | None = None
    """Cells that it takes; as many as it is long where it is None."""
    marked: bool = False
    """Whether it is what somebody looks for."""


PageLine = tuple[Piece, ...]


class Section(msgspec.Struct, frozen=True):
    """A heading and the lines under it."""

    title: str
    note: str
    """What stands beside the title."""
    lines: tuple[PageLine, ...]


class Writer:
    """Collects sections for a page of so many cells."""

    def __init__(self, ink: Ink, width: int) -> None:
        self._ink = ink
        self.width = width
        self.narrow = width < NARROW
        self.margin = 1 if self.narrow else 2
        self.value_at = 13 if self.narrow else 20
        """Where the value of a field begins."""
        self._title = self._note = ""
        self._lines: list[PageLine] = []
        self._done: list[Section] = []

    @property
    def sections(self) -> tuple[Section, ...]:
        """The sections so far."""
        return (*self._done, *self._open())

    def begin(self, title: str, note: str = "") -> None:
        """Begin a section."""
        self._done += self._open()
        self._title, self._note, self._lines = title, note, []

    def field(self, label: str, text: str, tone: str = "text") -> None:
        """Write a name and a value; a value of several lines stands under where it began."""
        self.add(
            Piece(label, "muted", self.margin, self.value_at - self.margin - 1),
            Piece(text, tone, self.value_at),
        )

    def sentence(self, text: str, tone: str = "text", at: int | None = None) -> None:
        """Write a sentence."""
        self.add(Piece(text, tone, self.margin if at is None else at))

    def add(self, *pieces: Piece) -> None:
        """Write pieces one behind the other; the last is broken into lines where it does not fit."""
        *before, last = pieces
        column = 0
        for piece in before:
            taken = cell_len(self._ink.seen(piece.text)) if piece.width is None else piece.width
            column = max(column, piece.at) + taken
        column = max(column, last.at)
        first, *rest = wrapped(self._ink.seen(last.text), max(self.width - column - 1, 8))
        self._lines.append((*before, last._replace(text=first)))
        self._lines += [(Piece(more, last.tone, column),) for more in rest]

    def draw(self, *pieces: Piece) -> None:
        """Write one line as it is; what does not fit is cut off."""
        self._lines.append(pieces)

    def _open(self) -> list[Section]:
        return [Section(self._title, self._note, tuple(self._lines))] if self._title else []


def wrapped(text: str, width: int) -> list[str]:
    """Break printable text into lines of `width` cells at most, between words where that is possible."""
    lines: list[str] = []
    for words in _words(text, width):
        if lines and cell_len(lines[-1]) + cell_len(words) <= width:
            lines[-1] += words
        else:
            if lines:
                lines[-1] = lines[-1].rstrip()
            lines.append(words.lstrip() if lines else words)
    return lines or [""]


def _words(text: str, width: int) -> Iterator[str]:
    """Yield the words, each with the spaces before it; those that are too wide in parts."""
    spaces = ""
    for word in text.split(" "):
        together = spaces + word
        yield from (
            [together]
            if cell_len(together) <= width
            else [*([spaces] if spaces else []), *chop_cells(word, width)]
        )
        spaces = " "
