"""How a row of this type is shown."""

from __future__ import annotations

from manager.model import Facts

TITLE = "Banner"


def present(facts: Facts) -> list[str]:
    """Return `READY · 12 pongs`."""
    return [str(facts.get("banner", "")), f"{facts.get('pongs', 0)} pongs"]
