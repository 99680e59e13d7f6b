"""Events as lines of JSON, one object each, for programs and for `jq`.

All have `seq`, `time` (UTC, ISO 8601), `event` and `health` (percent of all; null where unknown). Those of a
connection have `connection`, `type` and `phase` too. `connection:stateChanged` adds `connected`, `previous`,
`endpoint`, `attempt`, `max_attempts`, `wait` (seconds), `next_attempt`, `reason` and `hint`; probes add
`failures`, `threshold` and `latency` (seconds). The rest are the event's own fields (`manager/events.py`).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

import msgspec

from manager.events import ConnectionEvent, Event, Gap, ProbeAnswered, ProbeFailed, StateChanged
from manager.model import Status

_COMMON = ("event", "seq", "time", "health", "status")


def line_of(event: Event | Gap) -> str:
    """Return an event as one line without its line end; what a terminal could act on is escaped."""
    text = json.dumps(fields_of(event), ensure_ascii=False)
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else json.dumps(character)[1:-1] for character in text
    )


def fields_of(event: Event | Gap) -> dict[str, object]:
    """Return the fields of an event's line, in their order."""
    own: dict[str, object] = msgspec.to_builtins(event)
    if isinstance(event, Gap):
        return own
    fields: dict[str, object] = {
        "seq": event.seq,
        "time": _utc(event.time),
        "event": own["event"],
    }
    if isinstance(event, ConnectionEvent):
        fields |= {"connection": event.connection, "type": event.type, "phase": event.phase.value}
    fields["health"] = event.health
    fields |= {name: value for name, value in own.items() if name not in _COMMON}
    if isinstance(event, StateChanged):
        fields |= _state(event.status)
    if isinstance(event, (ProbeAnswered, ProbeFailed)):
        status = event.status
        fields |= {"failures": status.failures, "threshold": status.threshold, "latency": status.latency}
    return fields


def _state(status: Status) -> dict[str, object]:
    failure = status.failure
    return {
        "connected": status.phase.connected,
        "endpoint": status.endpoint,
        "attempt": status.attempt,
        "max_attempts": status.max_attempts,
        "wait": round(status.wait, 3),
        "next_attempt": None if status.next_attempt is None else _utc(status.next_attempt),
        "reason": failure.reason if failure else None,
        "hint": failure.hint if failure else None,
    }


def _utc(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
