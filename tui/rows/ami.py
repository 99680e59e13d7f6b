"""AMI logins: which Asterisk it is, and how many calls are up."""

from __future__ import annotations

from manager.model import Facts
from tui.formats import count, plural

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


def details(facts: Facts) -> list[tuple[str, str]]:
    """Return which Asterisk it is, since when it runs, and its calls, as far as they are known."""
    lines = []
    version, build = facts.get("version"), facts.get("build")
    if version:
        more = f" ({build})" if build and build != version else ""
        lines.append(("Asterisk", f"{version}{more}"))
    for name, label in (("system", "system name"), ("ami", "AMI version")):
        if facts.get(name):
            lines.append((label, str(facts[name])))
    for name, label in (("started", "up since"), ("reloaded", "last reload")):
        if facts.get(name):
            lines.append((label, f"{facts[name]} by its own clock"))
    for name, label in (("calls", "calls"), ("reloads", "modules reloaded")):
        number = facts.get(name)
        if isinstance(number, int):
            lines.append((label, count(number)))
    return lines
