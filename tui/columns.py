"""Where the columns of a row stand. They depend on the width and on the longest name and endpoint alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

WIDE = 100
"""Columns from which the header is large and rows name their endpoint."""
NARROW = 60
"""Columns below which a row keeps only its glyph, name, countdown and reason."""


LEAST_REASON = 26
"""Cells that a wide table leaves for the reason before an endpoint is cut."""
_LEAST_BESIDE_MORE = 12
"""Cells that it leaves for the reason where columns were asked for."""


class Columns(msgspec.Struct, frozen=True):
    """Widths in cells, from left to right; 0 for a column that is not shown."""

    margin: int
    name: int
    phase: int
    endpoint: int
    measure: int
    """Attempt, failures or latency."""
    bar: int
    seconds: int
    gap: int
    """Between the columns up to the measure."""
    more: tuple[tuple[str, int], ...] = ()
    """Columns that somebody asked for, between endpoint and measure."""

    @property
    def name_at(self) -> int:
        """Where the name begins, behind the glyph."""
        return self.margin + 2

    @property
    def bar_at(self) -> int:
        """Where the bar begins, and with it the text of a row that has no countdown."""
        more = [width for _, width in self.more]
        before = [width for width in (self.phase, self.endpoint, *more, self.measure) if width]
        behind = 2 if self.measure else 1
        return self.name_at + self.name + sum(self.gap + width for width in before) + behind

    @property
    def seconds_at(self) -> int:
        """Where the seconds of a countdown begin."""
        return self.bar_at + self.bar

    @property
    def reason_at(self) -> int:
        """Where the reason of a row with a countdown begins."""
        return self.seconds_at + self.seconds + (2 if self.bar else 1)


OFFERED: Mapping[str, int] = {
    "phase": 10,
    "endpoint": 0,
    "group": 12,
    "since": 8,
    "attempts": 8,
    "drops": 6,
    "health": 6,
}
"""Columns that may be chosen, and their widths in cells; an endpoint takes what there is."""

USUAL = ("phase", "endpoint")


def columns_for(
    width: int, longest_name: int, longest_endpoint: int, wanted: Sequence[str] = USUAL
) -> Columns:
    """Lay the columns out for a table `width` cells wide.

    Columns that are wanted beside the usual ones are left out, the last first, where they leave too little
    for the reason.
    """
    if width < NARROW:
        name = min(max(longest_name, 6), 12)
        return Columns(margin=0, name=name, phase=0, endpoint=0, measure=0, bar=0, seconds=6, gap=1)
    phase = OFFERED["phase"] if "phase" in wanted else 0
    more = [(name, OFFERED[name]) for name in wanted if name not in USUAL]
    if width < WIDE:
        name = min(max(longest_name, 10), 20 if width >= 76 else 14)
        bar = 8 if width >= 76 else 0
        bare = Columns(margin=1, name=name, phase=phase, endpoint=0, measure=6, bar=bar, seconds=6, gap=1)
        return _with_more(bare, more, width)
    name = min(max(longest_name, 12), 24 if width < 140 else 36)
    bare = Columns(margin=1, name=name, phase=phase, endpoint=0, measure=7, bar=12, seconds=6, gap=2)
    if "endpoint" not in wanted:
        return _with_more(bare, more, width)
    least = replace(bare, endpoint=12)
    full = _with_more(least, more, width)
    room = width - replace(full, endpoint=0).reason_at - full.gap - LEAST_REASON
    return replace(full, endpoint=max(min(max(longest_endpoint, 12), room), 12))


def _with_more(columns: Columns, more: Sequence[tuple[str, int]], width: int) -> Columns:
    for number in range(len(more), 0, -1):
        larger = replace(columns, more=tuple(more[:number]))
        if width - larger.reason_at >= _LEAST_BESIDE_MORE:
            return larger
    return columns
