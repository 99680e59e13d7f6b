"""What cost a connection, or the whole, each point of its health."""

from __future__ import annotations

from collections.abc import Collection

from manager.model import Status
from manager.shares import shares
from tui import formats, phases
from tui.details.subject import Subject
from tui.page import Piece, Writer

MOST = 500
"""Connections that are listed; how many more there are is told."""
_BANDS = "green from 80, orange from 50, red below"


def write(writer: Writer, subject: Subject) -> None:
    """Write what cost this connection its points."""
    status = subject.status
    if not status.phase.counts:
        writer.begin("Health", "does not count")
        writer.sentence(f"a connection that is {status.phase.value} does not count for the whole", "muted")
        return
    writer.begin("Health", f"{status.score} of 100 points")
    for cost in status.costs:
        _cost(writer, cost.points, cost.reason, writer.margin)
    if not status.costs:
        writer.sentence("nothing cost it a point", "muted")


def write_whole(writer: Writer, statuses: Collection[Status], health: int | None) -> None:
    """Write what cost the whole its points, by connection, the dearest first."""
    word, tone = phases.judgement(health, statuses)
    number = "unknown" if health is None else f"{health} %"
    writer.begin("Health", _BANDS)
    writer.add(Piece(number, tone, writer.margin), Piece(" "), Piece(word, tone))
    counting = [status for status in statuses if status.phase.counts]
    if health is None:
        writer.sentence("no connection counts: all are paused or stopped, or there is none", "muted")
    else:
        mean = "the mean of what they score" if _equal(counting) else "their mean by weight"
        writer.sentence(f"{formats.plural(len(counting), 'connection')} count: {mean}, rounded down", "muted")
    _write_costs(writer, counting, health)
    apart = [status for status in statuses if not status.phase.counts]
    if apart:
        writer.begin("Not counted", formats.count(len(apart)))
        for status in apart[:MOST]:
            writer.add(Piece(status.name, "text", writer.margin), Piece(f"  {status.phase.value}", "muted"))
        _more(writer, len(apart))


def _write_costs(writer: Writer, counting: Collection[Status], health: int | None) -> None:
    points = shares(counting)
    # One that costs less than a point of the whole is told of as well.
    lacking = {status.name: status for status in counting if status.score < 100}
    dearest = sorted(lacking, key=lambda name: (-points.get(name, 0), lacking[name].score))
    writer.begin("What cost it", formats.plural(100 - (100 if health is None else health), "point"))
    for name in dearest[:MOST]:
        status = lacking[name]
        share = f"-{points[name]}" if name in points else "<1"
        own = f"its own {status.score} of 100"
        if status.weight != 1:
            own += f", weight {status.weight:g}"
        writer.add(
            Piece(f"{share:>4}", phases.tone_of(status), writer.margin - 1),
            Piece(status.name, "strong", writer.margin + 5),
            Piece(f"  {own}", "muted"),
        )
        for cost in status.costs:
            _cost(writer, cost.points, cost.reason, writer.margin + 5)
    _more(writer, len(dearest))
    if not dearest:
        writer.sentence("nothing cost a point", "muted")


def _cost(writer: Writer, points: int, reason: str, at: int) -> None:
    writer.add(Piece(f"-{points}", "warn", at), Piece(reason, "text", at + 6))


def _more(writer: Writer, number: int) -> None:
    if number > MOST:
        writer.sentence(f"and {formats.count(number - MOST)} more", "muted")


def _equal(statuses: Collection[Status]) -> bool:
    return len({status.weight for status in statuses}) < 2
