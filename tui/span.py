"""A span of time as people type it: `30 min`, `2 h`, `1 h 30 min`, `until 06:00`."""

from __future__ import annotations

import re
import time

EXAMPLE = "30 min, 2 h, until 06:00"

_UNITS = {"s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(sec|s|min|m|h|d)\s*")
_CLOCK = re.compile(r"(?:until\s+)?([0-9]{1,2}):([0-9]{2})")


class SpanError(ValueError):
    """Words that are no span of time; the message says what is."""


def seconds_of(words: str, now: float) -> float:
    """Return the seconds that are meant; a time of the day is the next one, by the local clock.

    Args:
        words: what was typed.
        now: wall time.

    Raises:
        SpanError: they mean no time that is still to come.
    """
    text = words.strip().lower()
    clock = _CLOCK.fullmatch(text)
    if clock is not None and int(clock[1]) < 24 and int(clock[2]) < 60:
        return _until(int(clock[1]), int(clock[2]), now) - now
    parts = list(_PART.finditer(text))
    seconds = sum(float(part[1]) * _UNITS[part[2]] for part in parts)
    if not parts or "".join(part[0] for part in parts) != text or not seconds:
        raise SpanError(f"“{words.strip()}” is no time: {EXAMPLE}")
    return seconds


def _until(hour: int, minute: int, now: float) -> float:
    year, month, day = time.localtime(now)[:3]
    today, tomorrow = (time.mktime((year, month, day + on, hour, minute, 0, 0, 0, -1)) for on in (0, 1))
    return today if today > now else tomorrow
