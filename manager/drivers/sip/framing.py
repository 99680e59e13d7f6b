"""Messages and keep-alives out of a stream of bytes (RFC 3261 §18.3, RFC 5626 §3.5.1). No IO."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator

from manager.drivers.sip.message import MAX_HEADER_BYTES, MessageError, begin, content_length, parse_head

_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")


class KeepAlive(enum.Enum):
    """An empty line between messages."""

    PONG = b"\r\n"
    """A single one: the answer to a ping, or the first half of one."""
    PING = b"\r\n\r\n"
    """Reported as its second half arrives; the first was reported as a `PONG`."""


class StreamFramer:
    """Cuts a stream into frames; how the bytes were split on their way changes nothing."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0
        self._length: int | None = None
        """Bytes of the frame at the front, once its headers are complete."""
        self._half_ping = False
        self._broken = False

    def feed(self, chunk: bytes) -> Iterator[bytes | KeepAlive]:
        """Take bytes and yield the frames they complete; a frame is one message for `parse_message`.

        Raises:
            MessageError: the stream cannot be followed any further: no SIP, headers or body too large, or
                more than one Content-Length. So does every later call.

        Where there is no Content-Length there is no body (against §20.14, but some leave it out without one);
        if there was one, the next frame has no start line.
        """
        if self._broken:
            raise MessageError("the stream is out of step")
        self._buffer += chunk
        try:
            while (frame := self._next()) is not None:
                yield frame
        except MessageError:
            self._broken = True
            self._buffer.clear()
            raise

    def _next(self) -> bytes | KeepAlive | None:
        if self._length is None:
            keep_alive = self._keep_alive()
            if keep_alive is not None:
                return keep_alive
            if not self._measure():
                return None
        if self._length is None or len(self._buffer) < self._length:
            return None
        frame = bytes(self._buffer[: self._length])
        del self._buffer[: self._length]
        self._length = None
        return frame

    def _keep_alive(self) -> KeepAlive | None:
        for line_end in (b"\r\n", b"\n"):
            if self._buffer.startswith(line_end):
                del self._buffer[: len(line_end)]
                self._half_ping = not self._half_ping
                return KeepAlive.PONG if self._half_ping else KeepAlive.PING
        if self._buffer and self._buffer != b"\r":
            self._half_ping = False
        return None

    def _measure(self) -> bool:
        end = _END_OF_HEADERS.search(self._buffer, max(0, self._searched - 3))
        self._searched = len(self._buffer)
        if (end.start() if end else len(self._buffer) - len(b"\r\n\r\n")) > MAX_HEADER_BYTES:
            raise MessageError("the headers are too large")
        if end is None:
            return False
        start_line, headers = parse_head(bytes(self._buffer[: end.start()]))
        begin(start_line)
        self._length = end.end() + (content_length(headers) or 0)
        self._searched = 0
        return True
