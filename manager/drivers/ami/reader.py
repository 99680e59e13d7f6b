"""Bytes to messages, without IO: bounded in everything, linear in time, however the bytes are cut."""

from __future__ import annotations

from collections.abc import Iterator

from manager.drivers.ami.message import Headers

MAX_BANNER = 256
"""Bytes of the first line."""
MAX_LINE = 64 * 1024
"""Bytes of a line."""
MAX_LINES = 65_536
"""Lines of a message: a command's output is a header a line."""
MAX_MESSAGE = 8 * 1024 * 1024
"""Bytes of a message."""

_FOLLOWS_HEADERS = ("privilege", "actionid", "message")
_END_COMMAND = "--END COMMAND--"


class ReaderError(Exception):
    """The peer sent what is longer than any message may be."""


class Reader:
    """Takes the bytes of one connection and gives the messages in them.

    The first line is the banner. A message is lines up to an empty one; `Key: value`, `Key:value` and `Key:`
    are all headers, and a line without a colon is one with an empty name. Bytes that are not UTF-8 become
    U+FFFD. The raw lines of a `Response: Follows` (Asterisk 13 and before) become the `Output` headers that
    Asterisk sends since.
    """

    def __init__(self) -> None:
        self.banner: str | None = None
        self.raw = b""
        """The message that was yielded last, as it came."""
        self._buffer = bytearray()
        self._searched = 0
        """How much of the buffer is known to hold no line end."""
        self._headers: list[tuple[str, str]] = []
        self._lines: list[bytes] = []
        """Its lines as they came."""
        self._size = 0
        """Bytes of the message that `_headers` is the beginning of."""
        self._follows = False
        """Whether that message is a `Response: Follows`."""
        self._raw = False
        """Whether its raw lines have begun."""
        self._error: ReaderError | None = None

    def feed(self, chunk: bytes) -> Iterator[Headers]:
        """Take bytes and yield the messages that they complete. Consume it to the end before feeding more.

        Raises:
            ReaderError: a line or message is longer than allowed; nothing can be read any more.
        """
        if self._error is not None:
            raise self._error
        self._buffer += chunk
        start, searched, self._searched = 0, self._searched, 0
        try:
            while (end := self._buffer.find(b"\n", max(start, searched))) >= 0:
                self._check_line(end - start)
                message = self._take(bytes(self._buffer[start:end]))
                start = end + 1
                if message is not None:
                    yield message
            self._check_line(len(self._buffer) - start)
            self._searched = len(self._buffer) - start
        except ReaderError as error:
            self._error = error
            self._headers.clear()
            self._lines.clear()
            start = len(self._buffer)
            raise
        finally:
            del self._buffer[:start]

    def _check_line(self, length: int) -> None:
        limit = MAX_BANNER if self.banner is None else MAX_LINE
        if length > limit:
            raise ReaderError(f"a line longer than {limit} bytes")

    def _take(self, line: bytes) -> Headers | None:
        """Take a line without its line feed; return the message that it ends, if it does."""
        text = line.decode(errors="replace").rstrip("\r")
        if self.banner is None:
            self.banner = text
            return None
        ended_by_crlf = line.endswith(b"\r")
        self._lines.append(line)
        if not text and (ended_by_crlf or not self._raw):
            return self._finish()
        self._size += len(line) + 1
        if self._size > MAX_MESSAGE:
            raise ReaderError(f"a message longer than {MAX_MESSAGE} bytes")
        if len(self._headers) >= MAX_LINES:
            raise ReaderError(f"a message of more than {MAX_LINES} lines")
        if self._follows:
            self._take_follows(text, ended_by_crlf)
        else:
            self._headers.append(_header(text))
            self._follows = len(self._headers) == 1 and _is_follows(self._headers[0])
        return None

    def _take_follows(self, text: str, ended_by_crlf: bool) -> None:
        name, value = _header(text)
        self._raw = self._raw or not (ended_by_crlf and name.lower() in _FOLLOWS_HEADERS)
        if not self._raw:
            self._headers.append((name, value))
        elif text != _END_COMMAND:
            self._headers.append(("Output", text.removesuffix(_END_COMMAND)))

    def _finish(self) -> Headers | None:
        headers = tuple(self._headers)
        self.raw = b"\n".join(self._lines) + b"\n"
        self._headers.clear()
        self._lines.clear()
        self._size = 0
        self._follows = self._raw = False
        return headers or None


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        return "", text
    return name.strip(), value.removeprefix(" ")


def _is_follows(header: tuple[str, str]) -> bool:
    name, value = header
    return name.lower() == "response" and value.strip().lower() == "follows"
