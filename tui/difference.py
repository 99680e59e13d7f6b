"""What a terminal shows by now, and the shortest way from there to what it is to show.

Textual sends whatever may have changed, each piece with its colours in full: a number that ticks costs a
hundred bytes, a screen whose rows moved up by one ten thousand. Over SSH those bytes are what one waits for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

import msgspec
from rich.cells import cell_len

_TOKEN = re.compile(
    r"\x1b\[(?P<line>\d+);(?P<column>\d+)H|\x1b\[(?P<style>[\d;]*)m|(?P<end>[\r\n])|(?P<text>[^\x00-\x1f\x7f]+)"
)
_FORGETTING = "\x1b[?1049"
"""Enters or leaves the alternate screen: what stands there then is another's."""
_SEEN_ON_BLANKS = {"4", "7", "9", "53"}
"""Underline, reverse, strike and overline: what makes a space look like something."""
_BRIDGE = 6
"""Cells that are the same and are sent again all the same, because to step over them would not be shorter."""
_FEW = 200
"""Characters up to which another order than from top to bottom is tried; with more, one would see it."""

_Style = tuple[str, str, str]
"""Attributes, foreground and background, as parameters of SGR; empty for the terminal's own."""
_PLAIN: _Style = ("", "", "")
_UNKNOWN = ""
"""In the place of a cell's character: nothing was written there yet."""
_WIDE = "\x00"
"""In the place of a cell's character: part of something that is not one cell wide."""


class _Line(msgspec.Struct):
    """One line of the screen, cell by cell."""

    characters: list[str] = msgspec.field(default_factory=list)
    styles: list[_Style] = msgspec.field(default_factory=list)

    def reach(self, columns: int) -> None:
        missing = columns - len(self.characters)
        if missing > 0:
            self.characters += [_UNKNOWN] * missing
            self.styles += [_PLAIN] * missing


class _Run(msgspec.Struct, frozen=True):
    """Text in one style, written from a column of a line on."""

    line: int
    column: int
    text: str
    style: _Style

    @property
    def width(self) -> int:
        return len(self.text) if self.even else cell_len(self.text)

    @property
    def even(self) -> bool:
        """Whether each character takes one cell."""
        return _even(self.text)


class _Picture(msgspec.Struct, frozen=True):
    """Text by the lines that it stands on, and where the cursor is left."""

    runs: dict[int, list[_Run]]
    cursor: tuple[int, int]


class Difference:
    """Knows what was written to a terminal, and leaves out of the next writing what stands there already."""

    def __init__(self) -> None:
        self._lines: dict[int, _Line] = {}

    def forget(self) -> None:
        """Take every cell for unknown: the terminal was resized, or somebody else wrote on it."""
        self._lines = {}

    def shorten(self, written: str) -> str:
        """Return the shortest writing that comes to the same; what is no picture is returned as it is."""
        picture = _read(written)
        if picture is None:
            if _FORGETTING in written:
                self.forget()
            return written
        runs: list[_Run] = []
        movable = True
        for number in sorted(picture.runs):
            pieces = self._even_pieces(number, picture.runs[number])
            movable = movable and pieces is not None
            runs += picture.runs[number] if pieces is None else pieces
        by_lines = _written(runs, picture.cursor)
        if not movable or sum(len(run.text) for run in runs) > _FEW:
            return by_lines
        # What ticks in many rows at once: to go through them once for each style may be shorter.
        styles = {style: place for place, style in enumerate(dict.fromkeys(run.style for run in runs))}
        by_styles = _written(sorted(runs, key=lambda run: styles[run.style]), picture.cursor)
        return min(by_lines, by_styles, key=len)

    def _even_pieces(self, number: int, runs: list[_Run]) -> list[_Run] | None:
        """Take in what a line is to show, and return what changes; None where it all has to be written."""
        line = self._lines.setdefault(number, _Line())
        # Where a character takes no cell or two, terminals differ on what becomes of its neighbours.
        uneven = not all(run.even for run in runs) or _WIDE in line.characters
        before = _Line(list(line.characters), list(line.styles))
        for run in runs:
            _put(line, run)
        if uneven:
            return None
        return [run for change in _changes(before, line) for run in _styled(number, line, *change)]


class _Pen:
    """Writes for a terminal, and remembers where it stands and in which style."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._at: tuple[int, int] | None = None
        self._style: _Style = _PLAIN

    def write(self, line: int, column: int, text: str, style: _Style) -> None:
        if self._at != (line, column):
            same_line = self._at is not None and self._at[0] == line
            self._pieces.append(f"\x1b[{column + 1}G" if same_line else f"\x1b[{line + 1};{column + 1}H")
        step = _step(self._style, style, blank=text.isspace())
        self._pieces += (step, text)
        # After what is not one cell wide nobody knows where another terminal would stand.
        self._at = (line, column + len(text)) if _even(text) else None
        if step or not text.isspace():
            self._style = style

    def finish(self, cursor: tuple[int, int]) -> str:
        """Return what was written, which ends as it began: in no style, and the cursor where it was put."""
        if self._style != _PLAIN:
            self._pieces.append("\x1b[0m")
        # In the corner it stands for nothing; elsewhere an input method opens its window beside it.
        if cursor not in ((0, 0), self._at):
            self._pieces.append(f"\x1b[{cursor[0] + 1};{cursor[1] + 1}H")
        return "".join(self._pieces)


def _written(runs: Iterable[_Run], cursor: tuple[int, int]) -> str:
    pen = _Pen()
    for run in runs:
        pen.write(run.line, run.column, run.text, run.style)
    return pen.finish(cursor)


def _read(written: str) -> _Picture | None:
    """Return what a writing puts on the screen; None for one that does something else."""
    if not written.startswith("\x1b["):
        return None
    runs: dict[int, list[_Run]] = {}
    line, column, at, style, placed = 0, 0, 0, _PLAIN, False
    while at < len(written):
        token = _TOKEN.match(written, at)
        if token is None:
            return None
        at = token.end()
        match token.lastgroup:
            case "column":
                line, column, placed = int(token["line"]) - 1, int(token["column"]) - 1, True
            case "style":
                style = _style_of(token["style"])
            case "text":
                run = _Run(line, column, token["text"], style)
                runs.setdefault(line, []).append(run)
                column += run.width
            case _:
                column = 0
                line += token["end"] == "\n"
    cursor = (line, column) if written.endswith("H") else (0, 0)
    return _Picture(runs, cursor) if placed else None


@lru_cache(maxsize=1024)
def _even(text: str) -> bool:
    return text.isascii() or all(cell_len(character) == 1 for character in text)


@lru_cache(maxsize=1024)
def _style_of(parameters: str) -> _Style:
    """Read the parameters of SGR; one writing never adds to another, each begins anew."""
    attributes, foreground, background = [], "", ""
    numbers = iter(parameters.split(";"))
    for number in numbers:
        if number in ("38", "48"):
            kind = next(numbers, "")
            colour = ";".join([number, kind, *(next(numbers, "") for _ in range(3 if kind == "2" else 1))])
            if number == "38":
                foreground = colour
            else:
                background = colour
        elif number.isdigit() and (30 <= int(number) <= 37 or 90 <= int(number) <= 97 or number == "39"):
            foreground = "" if number == "39" else number
        elif number.isdigit() and (40 <= int(number) <= 47 or 100 <= int(number) <= 107 or number == "49"):
            background = "" if number == "49" else number
        elif number not in ("", "0"):
            attributes.append(number)
    return ";".join(attributes), foreground, background


@lru_cache(maxsize=4096)
def _step(old: _Style, new: _Style, *, blank: bool) -> str:
    """Return what takes a terminal from one style to another; a blank needs no more than to look right."""
    if old == new or (blank and _on_blanks(old) == _on_blanks(new)):
        return ""
    attributes, foreground, background = new
    if old[0] != attributes or (old[1] and not foreground) or (old[2] and not background):
        return f"\x1b[{';'.join(filter(None, ('0', *new)))}m"
    changed = (foreground if old[1] != foreground else "", background if old[2] != background else "")
    return f"\x1b[{';'.join(filter(None, changed))}m"


@lru_cache(maxsize=1024)
def _on_blanks(style: _Style) -> _Style:
    """Return what of a style can be seen where nothing is written."""
    attributes, _, background = style
    return style if _SEEN_ON_BLANKS.intersection(attributes.split(";")) else ("", "", background)


def _put(line: _Line, run: _Run) -> None:
    width = run.width
    line.reach(run.column + width)
    end = run.column + width
    line.characters[run.column : end] = run.text if run.even else [_WIDE] * width
    line.styles[run.column : end] = [run.style] * width


def _changes(before: _Line, after: _Line) -> Iterator[tuple[int, int]]:
    """Yield the first cell and the one after the last of each stretch that looks another way than before."""
    before.reach(len(after.characters))
    first = last = -1
    cells = zip(before.characters, after.characters, before.styles, after.styles, strict=True)
    for column, (old, new, old_style, new_style) in enumerate(cells):
        if old == new and (
            old_style == new_style or (new == " " and _on_blanks(old_style) == _on_blanks(new_style))
        ):
            if new == _UNKNOWN and first >= 0:
                yield first, last + 1
                first = -1
            continue
        if first < 0:
            first = column
        elif column - last > _BRIDGE:
            yield first, last + 1
            first = column
        last = column
    if first >= 0:
        yield first, last + 1


def _styled(number: int, line: _Line, first: int, last: int) -> Iterator[_Run]:
    """Yield the cells of a stretch in pieces of one style."""
    begin = first
    for column in range(first + 1, last + 1):
        if column == last or line.styles[column] != line.styles[begin]:
            yield _Run(number, begin, "".join(line.characters[begin:column]), line.styles[begin])
            begin = column
