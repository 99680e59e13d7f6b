"""When a line happened: by the local clock, by how long ago it was, or in UTC."""

from __future__ import annotations

import enum
import time
from datetime import UTC, datetime

from tui import formats

STEP = 10.0
"""Seconds in which an age grows at least; it needs no redrawing in between."""


class Times(enum.Enum):
    """How times are shown."""

    LOCAL = "local"
    AGO = "ago"
    UTC = "UTC"

    @property
    def width(self) -> int:
        """Cells of the widest."""
        return {Times.LOCAL: 8, Times.AGO: 7, Times.UTC: 9}[self]

    @property
    def next(self) -> Times:
        """The one that follows."""
        every = list(Times)
        return every[(every.index(self) + 1) % len(every)]

    def stamp(self, instant: float, now: float) -> str:
        """Return when something happened, seen from `now`."""
        if self is Times.AGO:
            return age(now - instant)
        if self is Times.UTC:
            return time.strftime("%H:%M:%SZ", time.gmtime(instant))
        return formats.clock(instant)

    def day(self, instant: float, now: float) -> str:
        """Return the day of an instant where that is not today: `23 Nov`."""
        broken_down = time.gmtime if self is Times.UTC else time.localtime
        then = broken_down(instant)
        return "" if self is Times.AGO or then[:3] == broken_down(now)[:3] else time.strftime("%d %b", then)


def age(seconds: float) -> str:
    """Return how long ago something was, in steps of `STEP` or more: `now`, `40 s`, `12 min`, `9 h`."""
    if seconds < STEP:
        return "now"
    if seconds < 120:
        return f"{int(seconds // STEP * STEP)} s"
    minutes = int(seconds // 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} d"


def iso(instant: float, *, utc: bool) -> str:
    """Return an instant for a file: with its date, its milliseconds and its zone."""
    moment = datetime.fromtimestamp(instant, UTC)
    if utc:
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return moment.astimezone().isoformat(timespec="milliseconds")
