"""AMI logins: which Asterisk it is, and how many calls are up."""

from __future__ import annotations

from manager.model import Facts
from tui.formats import plural

TITLE = "AMI"


def present(facts: Facts) -> list[str]:
    """Return `Asterisk 22.10.1 · 4 calls · up since 02:13:08`, as far as it is known."""
    words = []
    if version := facts.get("version"):
        words.append(f"Asterisk {version}")
    calls = facts.get("calls")
    if isinstance(calls, int):
        words.append(plural(calls, "call"))
    return words or ["logged in"]
