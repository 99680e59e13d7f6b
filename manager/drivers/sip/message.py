"""SIP messages: read with tolerance, written with care (RFC 3261 §7, §25). Bytes in, bytes out, no IO.

Text is UTF-8; bytes that are not survive unchanged as lone surrogates, so that what is echoed or hashed is
what came. Nothing of it is fit for a screen or a log before it went through `manager.text`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from manager.drivers.sip.address import split_quoted

MAX_HEADER_BYTES = 64 * 1024
MAX_BODY_BYTES = 1024 * 1024
MAX_HEADERS = 256

_COMPACT = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
    "y": "identity",
}
_NAME = r"[A-Za-z0-9\-.!%*_+`'~]+"
_TOKEN = re.compile(rf"{_NAME}\Z")
_STATUS_LINE = re.compile(r"SIP/2\.0[ \t]+([1-6][0-9]{2})(?:[ \t]+(.*))?\Z", re.IGNORECASE | re.DOTALL)
_END_OF_HEADERS = re.compile(rb"\n\r?\n")
_FOLD = re.compile(r"\n[ \t]+")
_HEADER = re.compile(rf"^[ \t]*({_NAME})[ \t]*:[ \t]*(.*)", re.MULTILINE)
_WRITTEN_HEADER = re.compile(rf"{_NAME}: [^\r\n\x00]*\Z")
_FORBIDDEN = re.compile(r"[\r\n\x00]")
_NUMBER = re.compile(r"[ \t]*([0-9]{1,10})(?![0-9])")
_LENGTH = re.compile(r"[0-9]{1,10}\Z")
_CSEQ = re.compile(r"\s*([0-9]{1,10})\s+(\S+)\s*\Z", re.ASCII)

REASONS = {
    100: "Trying",
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    420: "Bad Extension",
    423: "Interval Too Brief",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    500: "Server Internal Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    600: "Busy Everywhere",
    603: "Decline",
    607: "Unwanted",
}


class MessageError(ValueError):
    """Bytes that are no SIP message, or a message that must not be written."""


class Headers:
    """Header lines in order. Neither case nor compact form tells names apart (`v` is `Via`)."""

    __slots__ = ("_lines",)

    def __init__(self, lines: Iterable[tuple[str, str]] = ()) -> None:
        self._lines = [(_key(name), name, value) for name, value in lines]

    def add(self, name: str, value: str) -> None:
        """Append a line."""
        self._lines.append((_key(name), name, value))

    def put_first(self, name: str, value: str) -> None:
        """Add a line above all others."""
        self._lines.insert(0, (_key(name), name, value))

    def set(self, name: str, value: str) -> None:
        """Replace all lines of a name by one, in the place of the first."""
        key = _key(name)
        places = [place for place, (other, _, _) in enumerate(self._lines) if other == key]
        if not places:
            self.add(name, value)
            return
        self._lines[places[0]] = (key, name, value)
        for place in reversed(places[1:]):
            del self._lines[place]

    def get(self, name: str) -> str | None:
        """Return the first line of a name."""
        key = _key(name)
        for other, _, value in self._lines:
            if other == key:
                return value
        return None

    def lines(self, name: str) -> list[str]:
        """Return every line of a name, each as it came."""
        key = _key(name)
        return [value for other, _, value in self._lines if other == key]

    def values(self, name: str) -> list[str]:
        """Return every value of a list header (Via, Contact, Allow…): one a line, or several behind commas.

        Not for the authentication headers, in which a comma parts parameters (`digest.parse_challenges`).
        """
        return [value for line in self.lines(name) for value in split_quoted(line, ",")]

    def number(self, name: str) -> int | None:
        """Return the number that a header begins with (`Retry-After: 5 (busy)`), None where there is none."""
        match = _NUMBER.match(self.get(name) or "")
        return None if match is None else int(match.group(1))

    def written(self) -> list[str]:
        """Return the lines as they are written, all but Content-Length.

        Raises:
            MessageError: a name is no token, or a line end or NUL stands in a value.
        """
        lines = [f"{name}: {value}" for key, name, value in self._lines if key != "content-length"]
        for line in lines:
            if not _WRITTEN_HEADER.match(line):
                raise MessageError("a malformed name, or a line end or NUL in a value")
        return lines

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((name, value) for _, name, value in self._lines)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        return list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # mutable, as a list is

    def __repr__(self) -> str:
        # Values may be credentials; names are enough to see which message it is.
        return f"Headers({[name for _, name, _ in self._lines]})"


@dataclass(slots=True)
class Request:
    """A request; `uri` is the Request-URI as written."""

    method: str
    uri: str
    headers: Headers = field(default_factory=Headers)
    body: bytes = field(default=b"", repr=False)

    def encode(self) -> bytes:
        """Write the request; Content-Length is always right.

        Raises:
            MessageError: a line end or NUL stands in a value, or a name, method or URI is malformed.
        """
        if not _TOKEN.match(self.method):
            raise MessageError("a method is a token")
        if not self.uri or re.search(r"\s", self.uri):
            raise MessageError("a Request-URI has no spaces")
        return _encode(f"{self.method} {self.uri} SIP/2.0", self.headers, self.body)


@dataclass(slots=True)
class Response:
    """A response."""

    status: int
    reason: str = ""
    headers: Headers = field(default_factory=Headers)
    body: bytes = field(default=b"", repr=False)

    def encode(self) -> bytes:
        """Write the response; Content-Length is always right.

        Raises:
            MessageError: a line end or NUL stands in a value, a name is malformed or the status is none.
        """
        if not 100 <= self.status <= 699:
            raise MessageError("a status is a number from 100 to 699")
        return _encode(f"SIP/2.0 {self.status} {self.reason}", self.headers, self.body)


Message = Request | Response


def parse_message(raw: bytes) -> Message:
    """Read one whole message: a datagram, a WebSocket message or a frame of a stream.

    Tolerates bare line feeds, folded lines, spaces before colons, lines that are no header (skipped) and
    bytes behind the body. Which headers a message must have is for its reader to say.

    Raises:
        MessageError: no start line, too large, too many headers, or a body shorter than announced (§18.3).
    """
    end = _END_OF_HEADERS.search(raw)
    head, rest = (raw, b"") if end is None else (raw[: end.start()].removesuffix(b"\r"), raw[end.end() :])
    if len(head) > MAX_HEADER_BYTES:
        raise MessageError("the headers are too large")
    start_line, headers = parse_head(head)
    length = content_length(headers)
    if length is not None and length > len(rest):
        raise MessageError("the body is shorter than announced")
    message = begin(start_line)
    message.headers = headers
    message.body = rest if length is None else rest[:length]
    return message


def begin(start_line: str) -> Message:
    """Read a start line: a message that has no more than that yet.

    Raises:
        MessageError: it is none.
    """
    status = _STATUS_LINE.match(start_line)
    if status is not None:
        return Response(int(status.group(1)), (status.group(2) or "").strip())
    parts = start_line.split()
    if len(parts) != 3 or parts[2].upper() != "SIP/2.0" or not _TOKEN.match(parts[0]):
        raise MessageError("no SIP start line")
    return Request(parts[0], parts[1])


def parse_head(head: bytes) -> tuple[str, Headers]:
    """Split what stands before the empty line into start line and headers, folded lines joined (§7.3.1).

    Raises:
        MessageError: too many headers.
    """
    text = head.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    start_line, _, rest = text.partition("\n")
    rest = _FOLD.sub(" ", rest)
    if rest.count("\n") >= MAX_HEADERS:
        raise MessageError("too many headers")
    headers = Headers((name, value.rstrip(" \t")) for name, value in _HEADER.findall(rest))
    return start_line.strip(" \t"), headers


def content_length(headers: Headers) -> int | None:
    """Return the announced length of the body, None where none is announced.

    Raises:
        MessageError: it is no number, too large, or announced twice and differently.
    """
    announced = headers.lines("Content-Length")
    if not announced:
        return None
    lengths = {int(value) if _LENGTH.match(value) else None for value in announced}
    length = lengths.pop()
    if length is None or lengths:
        raise MessageError("no single Content-Length")
    if length > MAX_BODY_BYTES:
        raise MessageError("the body is too large")
    return length


def response_to(request: Request, status: int, reason: str | None = None, *, tag: str = "") -> Response:
    """Begin a response: Via, From, To, Call-ID and CSeq of the request, and a tag for To (§8.2.6.2)."""
    headers = Headers()
    for name in ("Via", "From", "To", "Call-ID", "CSeq"):
        for value in request.headers.lines(name):
            if name == "To" and tag and ";tag=" not in re.sub(r"\s", "", value.lower()).rpartition(">")[2]:
                value = f"{value};tag={tag}"  # noqa: PLW2901 - the same value with its tag
            headers.add(name, value)
    return Response(status, REASONS.get(status, "Unknown") if reason is None else reason, headers)


def cseq_of(message: Message) -> tuple[int, str] | None:
    """Return number and method of CSeq; None where it is missing or malformed (§20.16)."""
    match = _CSEQ.match(message.headers.get("CSeq") or "")
    return None if match is None else (int(match.group(1)), match.group(2))


@lru_cache(128)  # of the few names that there are
def _key(name: str) -> str:
    lowered = name.lower()
    return _COMPACT.get(lowered, lowered)


def _encode(start_line: str, headers: Headers, body: bytes) -> bytes:
    if _FORBIDDEN.search(start_line):
        raise MessageError("a line end or NUL in the start line")
    lines = [start_line, *headers.written(), f"Content-Length: {len(body)}", "", ""]
    try:
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + body
    except UnicodeEncodeError:
        raise MessageError("a character that cannot be written") from None
