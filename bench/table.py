"""One row for each claim, and the table that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """What was done, what came out on both sides, and whether that is what was to be reached."""

    work: str
    ours: str
    against: str
    theirs: str
    target: str
    met: str
    """`yes`, or `no` with the reason."""

    def asdict(self) -> dict[str, str]:
        return asdict(self)


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a table in Markdown."""
    lines = [
        "| work | trunkline | against | theirs | to reach | reached |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.work} | {row.ours} | {row.against} | {row.theirs} | {row.target} | {row.met} |"
        for row in rows
    ]
    return "\n".join(lines)


def yes(reached: bool, why_not: str = "") -> str:
    """Return the word for a target that was reached, or not and why."""
    return "yes" if reached else f"no: {why_not}" if why_not else "no"
