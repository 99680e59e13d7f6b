"""WebSockets: what went through, and the subprotocol in use."""

from __future__ import annotations

from manager.model import Facts
from tui.formats import count, plural

TITLE = "WebSocket"


def present(facts: Facts) -> list[str]:
    """Return `12 in · 3 out · sip`, as far as it is known."""
    words = []
    for key, direction in (("messages_in", "in"), ("messages_out", "out")):
        number = facts.get(key)
        if isinstance(number, int):
            words.append(f"{count(number)} {direction}")
    if subprotocol := facts.get("subprotocol"):
        words.append(str(subprotocol))
    return words or ["open"]


_CLOSE_CODES = {
    1000: "done",
    1001: "the server goes away",
    1002: "a mistake in the protocol",
    1003: "it takes no such messages",
    1005: "no reason given",
    1006: "without a closing handshake",
    1007: "a message in no known encoding",
    1008: "against its rules",
    1009: "a message too large",
    1011: "a mistake in the server",
    1012: "the server restarts",
    1013: "the server is overloaded, later perhaps",
    1015: "the TLS handshake failed",
}
"""What RFC 6455 §7.4 and the registry of IANA say."""


def details(facts: Facts) -> list[tuple[str, str]]:
    """Return what went through in both directions, and how it was closed, as far as it is known."""
    lines = []
    for way, label in (("in", "received"), ("out", "sent")):
        messages, size = facts.get(f"messages_{way}"), facts.get(f"bytes_{way}")
        if isinstance(messages, int):
            words = plural(messages, "message")
            lines.append((label, f"{words}, {count(size)} B" if isinstance(size, int) else words))
    lines += [(name, str(facts[name])) for name in ("subprotocol", "server") if facts.get(name)]
    code = facts.get("close_code")
    if isinstance(code, int):
        lines.append(("closed with", f"{code} {_CLOSE_CODES.get(code, '')}".rstrip()))
    return lines
