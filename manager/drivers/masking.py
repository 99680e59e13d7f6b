"""What the protocols themselves name as credentials, hidden in the bytes of a message before it is recorded.

What stays is what helps to find a fault: who, where, and by which algorithm.
"""

from __future__ import annotations

import re

from manager.endpoint import is_secret_name, masked_query
from manager.secret import MASK

_MASK = MASK.encode()

_AMI_WORDS = (b"secret", b"key", b"passw", b"pwd", b"cred", b"token", b"auth")
_AMI_HEADER = re.compile(
    rb"^([^:\r\n]{0,40}(?:secret|passw|pwd|md5cred|token|credential)[^:\r\n]{0,40}|key|auth)"
    rb"([ \t]*:[ \t]?)[^\r\n]*",
    re.IGNORECASE | re.MULTILINE,
)
_SIP_WORDS = (b"authorization", b"authentication-info")
_SIP_HEADER = re.compile(  # one that begins with a line end is found six times as fast as one with `^`
    rb"\n((?:proxy-)?authorization|(?:proxy-)?authentication-info)([ \t]*:[ \t]*)"
    rb"([^\n]*(?:\n[ \t][^\n]*)*)",
    re.IGNORECASE,
)
_DIGEST_SECRET = re.compile(
    rb'\b((?:response|cnonce|rspauth)[ \t\r\n]*=[ \t\r\n]*)(?:"(?:\\.|[^"\\])*"|[^,\s]*)',
    re.IGNORECASE | re.DOTALL,
)
_HTTP_HEADER = re.compile(rb"^([^:\r\n]+)(:[ \t]*)[^\r\n]*", re.MULTILINE)
_OPEN_HTTP_HEADERS = ("sec-websocket-", "www-authenticate", "proxy-authenticate")
"""Headers that sound like secrets and are none."""
_REQUEST_TARGET = re.compile(rb"^([A-Z]+ [^ ?\r\n]*)\?([^ \r\n]*)")


def ami(raw: bytes) -> bytes:
    """Hide the values of `Secret`, `Key` and other headers of AMI that hold a login or a password."""
    lowered = raw.lower()
    for word in _AMI_WORDS:  # a generator would cost as much as all the searches
        if word in lowered:
            return _AMI_HEADER.sub(rb"\1\2" + _MASK, raw)
    return raw


def sip(raw: bytes) -> bytes:
    """Hide what of a digest could be guessed at: response, cnonce and rspauth; any other login whole."""
    lowered = raw.lower()
    for word in _SIP_WORDS:
        if word in lowered:
            return _SIP_HEADER.sub(_without_digest, b"\n" + raw)[1:]
    return raw


def http(raw: bytes) -> bytes:
    """Hide the credentials of a WebSocket's opening: in the query and in headers that are named so."""
    head, blank, body = raw.partition(b"\r\n\r\n")
    head = _REQUEST_TARGET.sub(_without_query_secrets, head)
    return _HTTP_HEADER.sub(_without_header_secrets, head) + blank + body


def _without_digest(header: re.Match[bytes]) -> bytes:
    name, colon, value = header.groups()
    is_login = name.lower().endswith(b"authorization")
    if is_login and value[:6].lower() != b"digest":
        end = b"\r" if value.endswith(b"\r") else b""
        return bytes(b"\n" + name + colon + _MASK + end)
    return bytes(b"\n" + name + colon + _DIGEST_SECRET.sub(_without_value, value))


def _without_value(parameter: re.Match[bytes]) -> bytes:
    return bytes(parameter[1]) + b'"' + _MASK + b'"'


def _without_query_secrets(start: re.Match[bytes]) -> bytes:
    return bytes(start[1]) + masked_query(start[2].decode("latin-1")).encode("latin-1")


def _without_header_secrets(header: re.Match[bytes]) -> bytes:
    name = header[1].decode("latin-1").strip().lower()
    if name.startswith(_OPEN_HTTP_HEADERS) or not is_secret_name(name):
        return bytes(header[0])
    return bytes(header[1] + header[2]) + _MASK
