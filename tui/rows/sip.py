"""SIP registrations: until when the registrar keeps the binding."""

from __future__ import annotations

from manager.model import Facts
from tui.formats import clock

TITLE = "SIP"


def present(facts: Facts) -> list[str]:
    """Return `registered until 02:15:12` and, where it is known, who the registrar says it is."""
    expires = facts.get("expires_at")
    words = [f"registered until {clock(expires)}" if isinstance(expires, int | float) else "registered"]
    if server := facts.get("server"):
        words.append(str(server))
    return words
