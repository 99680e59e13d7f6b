"""What the matrix found, as a table to read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tests.lab.chaos.sites import KINDS
from tests.lab.chaos.troubles import PHASES, TROUBLES

EMPTY = "EMPTY"
NOT_HERE = "\N{EN DASH}"
_WIDTH = 10


def lines_of(found: Iterable[dict]) -> Iterator[str]:
    """Yield a line for each trouble and type; `found` has the cells of a trouble each, in any order."""
    by_name = {each["trouble"]: each for each in found}
    reasons: dict[str, set[str]] = {}
    yield f"{'':36}" + "".join(f"{phase:>{_WIDTH}}" for phase in PHASES)
    for trouble in (each.name for each in TROUBLES if each.name in by_name):
        cells = by_name[trouble]["cells"]
        for kind in map(str, KINDS):
            row = [cells.get(f"{kind} {phase}", EMPTY) for phase in PHASES]
            if set(row) != {NOT_HERE}:
                yield f"{trouble:22}{kind:14}" + "".join(f"{cell:>{_WIDTH}}" for cell in row)
        for reason in by_name[trouble]["reasons"].values():
            reasons.setdefault(reason, set()).add(trouble)
    yield f"kept: the session had to survive it, and did. {NOT_HERE}: does not apply."
    for reason, troubles in sorted(reasons.items()):
        yield f"  {NOT_HERE} {reason}" + (
            "" if len(troubles) == len(by_name) else f" ({', '.join(sorted(troubles))})"
        )
