"""SIP registrations: until when the registrar keeps the binding."""

from __future__ import annotations

from manager.model import Facts
from tui.formats import clock, count, duration

TITLE = "SIP"


def present(facts: Facts) -> list[str]:
    """Return `registered until 02:15:12` and, where it is known, who the registrar says it is."""
    expires = facts.get("expires_at")
    words = [f"registered until {clock(expires)}" if isinstance(expires, int | float) else "registered"]
    if server := facts.get("server"):
        words.append(str(server))
    return words


def details(facts: Facts) -> list[tuple[str, str]]:
    """Return the registration and the flow that it is bound to, as far as they are known."""
    lines = []
    granted, until = facts.get("expires"), facts.get("expires_at")
    if isinstance(until, int | float):
        words = f"until {clock(until)}"
        if isinstance(granted, int | float):
            words = f"granted for {duration(granted)}, {words}"
        lines.append(("registration", f"{words}, refreshed before that"))
    flow = " to ".join(str(facts[name]) for name in ("transport", "registrar") if facts.get(name))
    if flow:
        lines.append(("flow", flow))
    for name, label in (("contact", "contact"), ("public_address", "seen by it as"), ("server", "server")):
        if facts.get(name):
            lines.append((label, str(facts[name])))
    for name, label in (("calls_refused", "calls refused"), ("messages_dropped", "messages dropped")):
        number = facts.get(name)
        if isinstance(number, int) and number:
            lines.append((label, count(number)))
    return lines
