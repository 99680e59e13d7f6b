"""Attachments to services: which one it is, and what one may do there."""

from __future__ import annotations

from manager.model import Facts

TITLE = "Services"


def present(facts: Facts) -> list[str]:
    """Return `config.toml · only to look`, as far as it is known."""
    words = []
    config = facts.get("config")
    if isinstance(config, str):
        words.append(config.rpartition("/")[2])
    if facts.get("may") == "read":
        words.append("only to look")
    return words or ["attached"]


def details(facts: Facts) -> list[tuple[str, str]]:
    """Return its settings, its version, its process, and what one may do there, as far as it is known."""
    lines = [
        (label, str(facts[name]))
        for name, label in (("config", "settings"), ("trunkline", "version"), ("pid", "process"))
        if facts.get(name)
    ]
    may = {"read": "look", "act": "look and act"}.get(str(facts.get("may")))
    return [*lines, ("may", may)] if may else lines
