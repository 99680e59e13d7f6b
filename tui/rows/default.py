"""A type that has no rows of its own: its facts as they are."""

from __future__ import annotations

from manager.model import Facts


def present(facts: Facts) -> list[str]:
    """Return `name value` of each fact, in the order given."""
    return [f"{name.replace('_', ' ')} {value}" for name, value in facts.items() if value is not None]


def details(facts: Facts) -> list[tuple[str, str]]:
    """Return the name and the value of each fact, in the order given."""
    return [(name.replace("_", " "), str(value)) for name, value in facts.items() if value is not None]
