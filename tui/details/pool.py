"""The endpoints of a connection: which is in use, which comes next, and what the others did last."""

from __future__ import annotations

from manager.history import Attempt, History
from manager.model import Phase
from tui import formats
from tui.details.subject import Subject
from tui.page import Piece, Writer
from tui.phases import TONES


def write(writer: Writer, subject: Subject) -> None:
    """Write the endpoints, in the order of the settings."""
    labels = endpoints_of(subject)
    writer.begin("Endpoints", formats.count(len(labels)) if len(labels) > 1 else "")
    # Where there is no other, it is tried all the same.
    aside = {each.endpoint: each.until for each in subject.history.set_aside} if len(labels) > 1 else {}
    for label in labels:
        _write_endpoint(writer, subject, label, aside.get(label, 0.0))


def _write_endpoint(writer: Writer, subject: Subject, label: str, aside_until: float) -> None:
    status, now = subject.status, subject.now
    word, tone = _use(subject, label)
    told = _last(subject.history, label, now)
    if label == status.endpoint and status.phase.connected and status.address:
        told = f"at {status.address} · {told}"
    name = Piece(label, "strong" if word else "text", writer.margin)
    words = [Piece(f"  {word}", tone)] if word else []
    if aside_until > now:
        words.append(Piece(f"  set aside until {formats.clock(aside_until)}", "warn"))
    writer.add(name, *words)
    spare = status.spare
    if spare is not None and spare.endpoint == label and spare.failure is not None:
        writer.sentence(f"the spare failed last: {spare.failure.reason}", "muted", writer.margin + 2)
    writer.sentence(told, "muted", writer.margin + 2)


def endpoints_of(subject: Subject) -> list[str]:
    """Return the labels of the pool; of a connection whose settings are not known, the one in use."""
    configured = [
        row.value.partition(" weight ")[0] for row in subject.settings if row.key.startswith("endpoints[")
    ]
    return list(dict.fromkeys([*configured, subject.status.endpoint]))


def _use(subject: Subject, label: str) -> tuple[str, str]:
    status, spare = subject.status, subject.status.spare
    if label != status.endpoint:
        if spare is None or spare.endpoint != label:
            return "", "muted"
        next_try = f", next try {formats.clock(spare.next_attempt)}" if spare.next_attempt is not None else ""
        return f"spare, {spare.phase.value}{next_try}", TONES[spare.phase]
    if status.phase.connected:
        return "in use", "good"
    return {Phase.CONNECTING: ("tried now", "warn"), Phase.PAUSED: ("next, once resumed", "muted")}.get(
        status.phase, ("tried next", "warn")
    )


def _last(history: History, label: str, now: float) -> str:
    """Return what became of the last attempt at an endpoint."""
    tried = [
        attempt for attempt in history.attempts if attempt.endpoint == label and attempt.ended is not None
    ]
    if not tried:
        return "not tried yet, as far as is remembered"
    return _told(tried[-1], now)


def _told(attempt: Attempt, now: float) -> str:
    instant = formats.moment(attempt.ended or attempt.started, now)
    if attempt.succeeded:
        return f"last opened {instant}"
    reason = attempt.failure.reason if attempt.failure is not None else "broken off"
    return f"last failed {instant}: {reason}"
