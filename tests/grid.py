"""A terminal that a test can read: the cells that a stream of bytes has filled, and their styles."""

from __future__ import annotations

import codecs
import re

from rich.cells import cell_len

_SEQUENCE = re.compile(
    r"\x1b\[(?P<final_less>[0-9;?<>=]*\$?)(?P<final>[@-~])|\x1b\](?P<osc>[^\x07\x1b]*)(?:\x07|\x1b\\)|\x1b[=>()][0-9A-B]?"
)
_LONGEST = 64
"""Characters of a sequence that may have been cut by the end of a chunk."""

Style = tuple[str, str, str]
PLAIN: Style = ("", "", "")


class Grid:
    """Understands as much as the dashboard may send, and keeps what else it is sent, to be looked at."""

    def __init__(self, columns: int, lines: int) -> None:
        self.columns = columns
        self.strange: list[str] = []
        """Sequences and control characters that move no cursor and set no style."""
        self.seen: set[str] = set()
        """Every line that has been on the screen after a chunk."""
        self.cells = [[" "] * columns for _ in range(lines)]
        self.styles = [[PLAIN] * columns for _ in range(lines)]
        self._line = self._column = 0
        self._style = PLAIN
        self._rest = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    @property
    def text(self) -> list[str]:
        return ["".join(line) for line in self.cells]

    @property
    def looks(self) -> list[list[tuple[str, Style]]]:
        """Return each cell with what can be seen of its style."""
        return [
            [(cell, _seen(cell, style)) for cell, style in zip(line, styles, strict=True)]
            for line, styles in zip(self.cells, self.styles, strict=True)
        ]

    def feed(self, chunk: bytes) -> None:
        text = self._rest + self._decoder.decode(chunk)
        self._rest, at = "", 0
        while at < len(text):
            if text[at] == "\x1b":
                found = _SEQUENCE.match(text, at)
                if found is None and len(text) - at < _LONGEST:
                    self._rest = text[at:]
                    break
                at = found.end() if found else at + 1
                self._obey(found)
            else:
                self._put(text[at])
                at += 1
        self.seen.update(self.text)

    def _obey(self, found: re.Match[str] | None) -> None:
        final, numbers = (found["final"], found["final_less"]) if found else ("", "")
        if final == "H":
            line, column = (int(number or 1) for number in (numbers or "1;1").split(";"))
            self._line, self._column = line - 1, column - 1
        elif final == "G":
            self._column = int(numbers) - 1
        elif final == "m":
            self._style = _style(self._style, numbers)
        else:
            self.strange.append(found[0] if found else "\x1b")

    def _put(self, character: str) -> None:
        if character == "\r":
            self._column = 0
        elif character == "\n":
            self._line = min(self._line + 1, len(self.cells) - 1)
        elif not character.isprintable():
            self.strange.append(character)
        else:
            self._place(character, cell_len(character))

    def _place(self, character: str, width: int) -> None:
        if width == 0 or self._column + width > self.columns or self._line >= len(self.cells):
            return
        row, styles = self.cells[self._line], self.styles[self._line]
        for column in range(self._column, self._column + width):
            # Half of something wide that is written over is blank from then on.
            if row[column] == "" and column:
                row[column - 1] = " "
            if column + 1 < self.columns and row[column + 1] == "":
                row[column + 1] = " "
            row[column], styles[column] = (character if column == self._column else ""), self._style
        self._column += width


def _style(style: Style, parameters: str) -> Style:
    attributes, foreground, background = style
    numbers = (parameters or "0").split(";")
    while numbers:
        number = int(numbers.pop(0) or 0)
        if number in (38, 48):
            colour = ";".join(numbers.pop(0) for _ in range(4 if numbers[0] == "2" else 2))
            foreground, background = (colour, background) if number == 38 else (foreground, colour)
        elif number == 0:
            attributes, foreground, background = PLAIN
        elif 30 <= number <= 37 or 90 <= number <= 97:
            foreground = str(number)
        elif 40 <= number <= 47 or 100 <= number <= 107:
            background = str(number)
        elif number in (39, 49):
            foreground, background = ("", background) if number == 39 else (foreground, "")
        else:
            attributes = ";".join(sorted({*filter(None, attributes.split(";")), str(number)}))
    return attributes, foreground, background


def _seen(cell: str, style: Style) -> Style:
    attributes, _, background = style
    if cell == " " and not {"4", "7", "9", "53"} & set(attributes.split(";")):
        return "", "", background
    return style
