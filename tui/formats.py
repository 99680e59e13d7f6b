"""One format for times, one for durations, one for counts, and how a text is made to fit its column."""

from __future__ import annotations

import math
import time
from typing import Literal

from rich.cells import cell_len, set_cell_size

Align = Literal["left", "right"]


def clock(instant: float) -> str:
    """Return the local wall time of an instant: `02:14:36`."""
    return time.strftime("%H:%M:%S", time.localtime(instant))


def moment(instant: float, now: float) -> str:
    """Return the local wall time of an instant, with its day where that is another: `23 Nov 02:14`."""
    then, today = time.localtime(instant), time.localtime(now)
    if then[:3] == today[:3] or abs(now - instant) < 6 * 3600:
        return time.strftime("%H:%M:%S", then)
    return time.strftime("%d %b %H:%M", then)


def minute(instant: float, now: float) -> str:
    """Return a local wall time to the minute, where people think in minutes: `06:00`, `23 Nov 06:00`."""
    then, today = time.localtime(instant), time.localtime(now)
    near = then[:3] == today[:3] or abs(now - instant) < 6 * 3600
    return time.strftime("%H:%M" if near else "%d %b %H:%M", then)


def duration(seconds: float) -> str:
    """Return a length of time: `31 ms`, `0.9 s`, `45 s`, `12 min`, `9 h 12 min`, `3 d`."""
    if seconds < 0.1:
        return latency(seconds)
    if seconds < 10 and seconds != int(seconds):
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes = whole // 60
    if minutes < 120:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} d"


def latency(seconds: float) -> str:
    """Return a round trip: `12 ms`, `1.2 s`; never zero."""
    milliseconds = seconds * 1000
    if milliseconds < 1:
        return "<1 ms"
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    return f"{seconds:.1f} s"


def remaining_seconds(remaining: float) -> int:
    """Return the second that a countdown shows: the one that has begun, and never less than 1."""
    return max(1, math.ceil(remaining - 1e-6))


def countdown(remaining: float) -> str:
    """Return what a countdown shows: `5 s`, from 1,000 s on `17 min`."""
    seconds = remaining_seconds(remaining)
    return f"{seconds} s" if seconds < 1000 else f"{math.ceil(seconds / 60)} min"


def count(number: int) -> str:
    """Return a whole number with its thousands apart: `1,204`."""
    return f"{number:,}"


def plural(number: int, one: str, many: str = "") -> str:
    """Return `1 call`, `4 calls`; `many` where it is not `one` with an s."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def fit(text: str, width: int, align: Align = "left") -> str:
    """Return printable `text` in exactly `width` cells; what is cut ends in an ellipsis."""
    if width <= 0:
        return ""
    cells = cell_len(text)
    if cells > width:
        return set_cell_size(text, width - 1) + "…"
    padding = " " * (width - cells)
    return padding + text if align == "right" else text + padding
