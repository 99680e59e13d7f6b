"""What is told of a message of the protocol: in a row, as an arrow of a ladder, in full, and in a file."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator

from rich.cells import cell_len, chop_cells

from manager.wire import WireKind, WireMessage
from tui import formats
from tui.page import Piece
from tui.sanitise import clean

SENT, RECEIVED = "→", "←"
_SEQUENCE = re.compile(r"(?: sips?:\S*)? CSeq (\d+)(?: [A-Z]+)?$")
_LINE_END = re.compile(r"\r\n|\r|\n")


def instant(message: WireMessage) -> str:
    """Return the local wall time of a message: `02:14:36.123`."""
    return f"{formats.clock(message.time)}.{int(message.time * 1000) % 1000:03}"


def direction(message: WireMessage) -> str:
    """Return the arrow of a message."""
    return SENT if message.sent else RECEIVED


def label(message: WireMessage) -> str:
    """Return what stands on the arrow of a message: `REGISTER CSeq 3`, `401 Unauthorized CSeq 3`."""
    if message.kind is not WireKind.SIP:
        return message.summary
    return _SEQUENCE.sub(r" CSeq \1", message.summary)


def arrow(text: str, width: int, *, sent: bool) -> tuple[str, str, str]:
    """Return an arrow of `width` cells: what stands before `text`, the text as it fits, what stands behind.

    The text has to be printable.
    """
    room = max(width - 6, 4)
    if cell_len(text) > room:
        text = formats.fit(text, room)
    rule = max(width - cell_len(text) - 3, 0)
    before, behind = "─" * (rule - rule // 2), "─" * (rule // 2)
    return (f"{before} ", text, f" {behind}▶") if sent else (f"◀{before} ", text, f" {behind}")


def marked(text: str, words: str, tone: str) -> list[Piece]:
    """Return a text in pieces, with whatever one filters by told apart."""
    found = [re.escape(word) for word in words.split()]
    if not found:
        return [Piece(text, tone)]
    parts = re.split(f"({'|'.join(found)})", text, flags=re.IGNORECASE)
    return [Piece(part, tone, marked=bool(place % 2)) for place, part in enumerate(parts) if part]


def heading(message: WireMessage) -> str:
    """Return which message it is: direction, time, kind, session, endpoint and size."""
    way = "sent" if message.sent else "received"
    told = [f"{way} {instant(message)}", f"{formats.count(message.size)} B", f"session {message.generation}"]
    return " · ".join([*told, message.kind.value, message.endpoint])


def lines(message: WireMessage) -> list[str]:
    """Return the lines of a message, and how much of it was not kept."""
    found = _LINE_END.split(message.text)
    while len(found) > 1 and not found[-1]:
        found.pop()
    if message.left_out:
        found.append(f"… {formats.count(message.left_out)} more bytes were not kept")
    return found


def broken(text: str, width: int) -> list[str]:
    """Return printable text in parts of `width` cells at most; spaces stay as they are."""
    return chop_cells(text, width) or [""]


def written(messages: Iterable[WireMessage]) -> Iterator[str]:
    """Yield messages as printable lines of a file."""
    for message in messages:
        date = time.strftime("%Y-%m-%d", time.localtime(message.time))
        yield clean(f"{date} {direction(message)} {heading(message)}")
        yield from (f"    {clean(line)}" for line in lines(message))
        yield ""
