"""Which headers a WebSocket handshake may bear besides its own (RFC 9110 §5, RFC 6455 §4.1)."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"[-!#$%&'*+.^_`|~0-9a-zA-Z]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_OWN = ("connection", "content-length", "host", "transfer-encoding", "upgrade")


def is_token(text: str) -> bool:
    """Whether this can be the name of a header or of a subprotocol."""
    return _TOKEN.fullmatch(text) is not None


def is_value(text: str) -> bool:
    """Whether this can be the value of a header: nothing that ends its line."""
    return _VALUE.fullmatch(text) is not None


def belongs_to_handshake(name: str) -> bool:
    """Whether the handshake sets this header itself."""
    return name.lower() in _OWN or name.lower().startswith("sec-websocket-")
