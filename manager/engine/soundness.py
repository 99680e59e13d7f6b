"""What a driver of another package gives, made fit to stand in a status or an event, or refused.

Types say what a driver has to give; nothing makes it. What gets past here is of the right type, finite, on
one line, and bounded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from manager.model import FactValue, Failure, FailureClass, Stage
from manager.text import LONGEST_QUOTE, quoted

MOST_FACTS = 32
_LONGEST_NAME = 64
_LARGEST = 2**53
"""Beyond this a reader of JSON takes one whole number for another."""
_LONGEST_WAIT = 24 * 3600.0
"""Seconds that a server may ask us to wait."""


def sound_text(text: object, limit: int = LONGEST_QUOTE) -> str:
    """Return a text on one line, at most `limit` characters long; empty for what is none."""
    return quoted(str.__str__(text), limit) if isinstance(text, str) else ""


def sound_latency(seconds: object) -> float | None:
    """Return a round trip in seconds; None for what cannot be one."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    return float(seconds) if 0.0 <= seconds < math.inf else None


def sound_failure(failure: object, stage: Stage) -> Failure | None:
    """Return a failure whose fields can be shown, of `stage` where it has none; None for what is none."""
    if not isinstance(failure, Failure) or not _is(failure.kind, FailureClass):
        return None
    reason = sound_text(failure.reason)
    if not reason:
        return None
    patience = sound_latency(failure.retry_after)
    return Failure(
        kind=failure.kind,
        stage=failure.stage if _is(failure.stage, Stage) else stage,
        reason=reason,
        hint=sound_text(failure.hint),
        retry_after=None if patience is None else min(patience, _LONGEST_WAIT),
    )


def sound_facts(facts: object) -> tuple[dict[str, FactValue], bool]:
    """Return the facts that can be shown, and whether that is all of them."""
    if not isinstance(facts, Mapping):
        return {}, False
    sound: dict[str, FactValue] = {}
    for name, value in facts.items():
        if len(sound) == MOST_FACTS:
            break
        if isinstance(name, str) and _is_scalar(value):
            sound[sound_text(name, _LONGEST_NAME)] = sound_text(value) if isinstance(value, str) else value
    return sound, len(sound) == len(facts)


def _is(value: object, kind: type) -> bool:
    return isinstance(value, kind)


def _is_scalar(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return -_LARGEST <= value <= _LARGEST
    return value is None or isinstance(value, str)
