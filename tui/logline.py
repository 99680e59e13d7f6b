"""One line of the log on the screen."""

from __future__ import annotations

import msgspec

from tui.columns import NARROW, WIDE
from tui.formats import fit
from tui.line import Ink, Line
from tui.log.entry import Entry, Kind
from tui.log.marks import pieces
from tui.log.times import Times

_WORD = 11


class Look(msgspec.Struct, frozen=True):
    """How entries are shown, the same for all that can be seen."""

    times: Times
    now: float
    """Wall time in seconds since 1970, for ages."""
    words: tuple[str, ...]
    """What is marked in entries that hold them all."""
    shift: int
    """Characters that texts are without, so that their ends can be read."""
    further: int
    """The same for entries that hold the words, so that these can be seen."""


def text_at(width: int, times: Times, kind: Kind) -> int:
    """Return the column in which the text of an entry of this kind begins."""
    before = times.width + 1 + _subject(width) + 1
    return before + len(kind.word) + 1 if width < NARROW else 1 + before + _WORD + 1


def draw(ink: Ink, width: int, entry: Entry | None, look: Look, surface: str) -> Line:
    """Draw an entry on a surface (`cursor`, `cursor_blurred`, or empty for none), nothing for None."""
    line = Line(ink, width, getattr(ink.palette.surfaces, surface) if surface else None)
    if entry is None:
        return line
    narrow, times, kind = width < NARROW, look.times, entry.kind
    words = look.words if entry.holds(look.words) else ()
    stamp = times.stamp(entry.time, look.now)
    line.to(0 if narrow else 1).add(stamp, "muted", times.width, "right" if times is Times.AGO else "left")
    _write(line.add(" "), fit(ink.seen(entry.subject), _subject(width)), "text", words)
    word = ink.seen(kind.word)
    _write(line.add(" "), word if narrow else fit(word, _WORD), kind.tone, words)
    text = ink.seen(entry.text)
    shift = look.shift + (look.further if words else 0)
    text = f"…{text[shift + 1 :]}" if shift > 0 and text else text
    _write(line.add(" "), text, "text", words)
    return line


def _write(line: Line, text: str, tone: str, words: tuple[str, ...]) -> None:
    for piece, marked in pieces(text, words):
        line.add(piece, tone, marked=marked)


def _subject(width: int) -> int:
    return 12 if width < NARROW else 20 if width >= WIDE else 16
