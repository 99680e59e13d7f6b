"""WebSockets: what went through, and the subprotocol in use."""

from __future__ import annotations

from manager.model import Facts
from tui.formats import count

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
