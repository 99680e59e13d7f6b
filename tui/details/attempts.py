"""The attempts to open a session, the newest first."""

from __future__ import annotations

from manager.history import Attempt
from tui import formats
from tui.details.subject import Subject
from tui.page import Piece, Writer

LISTED = 20
"""Attempts that are told one by one."""


def write(writer: Writer, subject: Subject) -> None:
    """Write the attempts, with the endpoint of each, how long it took and what came of it."""
    attempts = subject.history.attempts[::-1]
    succeeded = sum(attempt.succeeded for attempt in attempts)
    writer.begin("Attempts", f"{succeeded} of the last {len(attempts)} succeeded" if attempts else "")
    for attempt in attempts[:LISTED]:
        _write_attempt(writer, attempt, subject)
    if len(attempts) > LISTED:
        writer.sentence(f"{len(attempts) - LISTED} older ones are remembered", "muted")
    if not attempts:
        writer.sentence("none is remembered", "muted")


def _write_attempt(writer: Writer, attempt: Attempt, subject: Subject) -> None:
    outcome, tone = _outcome(attempt)
    instant = formats.moment(attempt.started, subject.now)
    when = Piece(instant, "muted", writer.margin, 8 if writer.narrow else 13)
    limit = subject.status.max_attempts
    number = f"{attempt.number}/{limit}" if attempt.number else "unnumbered"
    which = Piece(number, "text", when.at + (when.width or 0) + 1, 11)
    if writer.narrow:
        writer.draw(when, which)
        writer.sentence(attempt.endpoint, "muted", writer.margin + 2)
        writer.sentence(outcome, tone, writer.margin + 2)
    else:
        where = Piece(attempt.endpoint, "muted", which.at + 11, 26)
        writer.add(when, which, where, Piece(outcome, tone, where.at + 27))


def _outcome(attempt: Attempt) -> tuple[str, str]:
    if attempt.duration is None:
        return "under way", "warn"
    took = formats.duration(max(attempt.duration, 0.0))
    if attempt.succeeded:
        return f"up after {took}", "good"
    if attempt.failure is None:
        return f"broken off after {took}", "muted"
    return f"{attempt.failure.stage.value}: {attempt.failure.reason} after {took}", "text"
