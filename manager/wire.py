"""What went over the wire of a connection, as it is kept and as it is shown."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from typing import NamedTuple, Protocol

import msgspec

from manager.model import Position

LONGEST_SUMMARY = 120


class WireKind(enum.StrEnum):
    """What sort of message it is."""

    SIP = "sip"
    AMI = "ami"
    HANDSHAKE = "handshake"
    """The HTTP request or response that opens a WebSocket."""
    TEXT = "text"
    BINARY = "binary"
    PING = "ping"
    PONG = "pong"
    CLOSE = "close"


class Life(NamedTuple):
    """The session that a message belongs to, one that never came up included."""

    generation: int
    """Its number; 0 for a spare that has not taken over."""
    endpoint: str
    """Label of its endpoint, which names the transport."""


class Record(Protocol):
    """How a message is kept; every secret in `content` is masked already."""

    def __call__(self, life: Life, kind: WireKind, content: bytes, *, sent: bool) -> None:
        """Keep a message that went over the wire just now."""


class WireMessage(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="message"):
    """One message of the protocol. Its texts are the peer's, control characters and all."""

    position: Position
    """The place after it, to go on from; `seq` counts the messages of the connection from 1."""
    time: float
    """Seconds since 1970."""
    monotonic: float
    """Seconds on the manager's monotonic clock."""
    sent: bool
    """Whether it went out; it came in otherwise."""
    kind: WireKind
    generation: int
    """Number of the session."""
    endpoint: str
    """Label of the session's endpoint, which names the transport."""
    summary: str
    """One line: `REGISTER sip:pbx1 CSeq 3`, `Event: Newchannel`, `text 124 B`."""
    text: str
    """The message with every secret as `***`; bytes that are no UTF-8 stand as `\\xff`."""
    size: int
    """Bytes of the message, as it was recorded."""
    left_out: int = 0
    """How many of them at its end were not kept."""


def summary_of(kind: WireKind, content: bytes, size: int) -> str:
    """Return a message in one line; `size` is that of the whole where `content` was cut."""
    summary = _SUMMARIES[kind](content) if kind in _SUMMARIES else f"{kind} {size} B"
    return summary if len(summary) <= LONGEST_SUMMARY else summary[: LONGEST_SUMMARY - 1] + "…"


def text_of(content: bytes) -> str:
    """Return bytes as text that can be shown and written as JSON."""
    return content.decode(errors="backslashreplace")


_CSEQ = re.compile(rb"^CSeq[ \t]*:[ \t]*(\d+)[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)


def _sip(content: bytes) -> str:
    line = _first_line(content)
    if not line:
        return "keep-alive"
    sequence = _CSEQ.search(content)
    if line.upper().startswith("SIP/2.0 "):
        line = line[len("SIP/2.0 ") :]
        return f"{line} CSeq {text_of(sequence[1] + b' ' + sequence[2])}" if sequence else line
    line = line.removesuffix(" SIP/2.0")
    return f"{line} CSeq {text_of(sequence[1])}" if sequence else line


def _close(content: bytes) -> str:
    if len(content) < 2:
        return "close"
    return f"close {int.from_bytes(content[:2])} {_first_line(content[2:])}".rstrip()


def _first_line(content: bytes) -> str:
    return text_of(content.lstrip(b"\r\n").split(b"\n", 1)[0].rstrip(b"\r"))


_SUMMARIES: dict[WireKind, Callable[[bytes], str]] = {
    WireKind.SIP: _sip,
    WireKind.AMI: _first_line,
    WireKind.HANDSHAKE: _first_line,
    WireKind.CLOSE: _close,
}
