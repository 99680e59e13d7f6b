"""The phases of the last hour as a bar, and the last changes one by one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from manager.history import WAITS, PhaseChange
from manager.model import Phase
from tui import formats
from tui.details.subject import Subject
from tui.page import Piece, Writer
from tui.phases import TONES

HOUR = 3600.0
LISTED = 20
"""Changes that are told one by one."""

BLOCKS = {
    Phase.UP: "█",
    Phase.SUSPECT: "▓",
    Phase.CONNECTING: "▒",
    Phase.WAITING: "░",
    Phase.PARKED: "─",
    Phase.BLOCKED: "×",  # noqa: RUF001 - a sign, no letter
    Phase.PAUSED: "·",
    Phase.STOPPED: "·",
}
_WORST = (
    Phase.BLOCKED,
    Phase.PARKED,
    Phase.WAITING,
    Phase.CONNECTING,
    Phase.SUSPECT,
    Phase.STOPPED,
    Phase.PAUSED,
    Phase.UP,
)
"""Which of the phases within a cell of the bar it shows."""

Span = tuple[float, float, Phase]
"""From when to when a phase lasted."""


def write(writer: Writer, subject: Subject) -> None:
    """Write the bar, how long each phase lasted in it, and the changes, the newest first."""
    history, now = subject.history, subject.now
    writer.begin("Phases", "of the last hour")
    _write_bar(writer, list(spans(history.phases, now)), now)
    _write_sums(writer, history.phases, now)
    changes = history.phases[::-1]
    for place, change in enumerate(changes[:LISTED]):
        _write_change(writer, change, changes[place - 1].time if place else None, now)
    older = len(changes) - LISTED
    if older > 0 or history.dropped:
        told = [f"{formats.count(older)} older changes are remembered"] if older > 0 else []
        if history.dropped:
            told.append(f"{formats.count(history.dropped)} are no longer held")
        writer.sentence(" · ".join(told), "muted")
    if not changes:
        writer.sentence("no change is remembered", "muted")


def spans(changes: Sequence[PhaseChange], now: float) -> Iterator[Span]:
    """Yield from when to when each phase lasted.

    What was before the first change is told by it; before a connection was taken up there was nothing.
    """
    if changes and changes[0].previous is not Phase.STOPPED:
        yield -math.inf, changes[0].time, changes[0].previous
    for place, change in enumerate(changes):
        until = changes[place + 1].time if place + 1 < len(changes) else now
        yield change.time, until, change.phase


def cells(lasted: Sequence[Span], start: float, end: float, width: int) -> list[Phase | None]:
    """Return the worst phase within each cell of a bar; None where nothing is known."""
    found: list[Phase | None] = [None] * width
    size = (end - start) / width
    for since, until, phase in lasted:
        first = max(0, math.floor((since - start) / size)) if since > start else 0
        last = min(width - 1, math.ceil((until - start) / size) - 1)
        for place in range(first, last + 1):
            known = found[place]
            if known is None or _WORST.index(phase) < _WORST.index(known):
                found[place] = phase
    return found


def _write_bar(writer: Writer, lasted: Sequence[Span], now: float) -> None:
    width = max(writer.width - 2 * writer.margin, 10)
    # It moves on by whole cells, so that it is not another at each heartbeat.
    size = HOUR / width
    end = math.ceil(now / size) * size
    start = end - HOUR
    pieces: list[Piece] = []
    for phase in cells(lasted, start, end, width):
        block, tone = (BLOCKS[phase], TONES[phase]) if phase is not None else (" ", "muted")
        if pieces and pieces[-1].tone == tone and pieces[-1].text[-1] == block:
            pieces[-1] = pieces[-1]._replace(text=pieces[-1].text + block)
        else:
            pieces.append(Piece(block, tone, 0 if pieces else writer.margin))
    writer.draw(*pieces)
    middle = writer.margin + width // 2 - 4
    writer.draw(
        Piece(formats.clock(start), "muted", writer.margin),
        Piece(formats.clock(start + HOUR / 2), "muted", middle),
        Piece(formats.clock(end), "muted", writer.margin + width - 8),
    )


def _write_sums(writer: Writer, changes: Sequence[PhaseChange], now: float) -> None:
    sums: dict[Phase, float] = {}
    for since, until, phase in spans(changes, now):
        within = min(until, now) - max(since, now - HOUR)
        if within > 0:
            sums[phase] = sums.get(phase, 0.0) + within
    for phase in (phase for phase in _WORST if phase in sums):
        lasted = formats.duration(round(sums[phase]) or 1)
        last = phase is changes[-1].phase
        # What goes on is told by when it began: a length would be another at each glance.
        told = f"since {formats.moment(changes[-1].time, now)}" if last else lasted
        if last and (before := sums[phase] - (now - max(changes[-1].time, now - HOUR))) >= 1:
            told += f", {formats.duration(round(before))} before that"
        writer.draw(
            Piece(BLOCKS[phase], TONES[phase], writer.margin, 2),
            Piece(phase.value, TONES[phase], width=11),
            Piece(told, "muted"),
        )


def _write_change(writer: Writer, change: PhaseChange, until: float | None, now: float) -> None:
    lasted = "" if until is None else formats.duration(max(until - change.time, 0.001))
    when = Piece(formats.moment(change.time, now), "muted", writer.margin, 8 if writer.narrow else 13)
    word = Piece(change.phase.value, TONES[change.phase], when.at + (when.width or 0) + 1, 11)
    text = " · ".join(filter(None, (_why(change), f"lasted {lasted}" if lasted else "")))
    if writer.narrow:
        writer.draw(when, word)
        writer.sentence(text, "text", writer.margin + 2)
    else:
        writer.add(when, word, Piece(text, "text", word.at + 11))


def _why(change: PhaseChange) -> str:
    reason = change.failure.reason if change.failure is not None else ""
    if change.phase is Phase.CONNECTING:
        return f"attempt {change.attempt} · {change.endpoint}" if change.attempt else change.endpoint
    if change.phase in WAITS:
        wait = f"waits {formats.duration(change.wait)}" if change.wait else ""
        number = f"attempt {change.attempt} follows" if change.attempt else ""
        return " · ".join(filter(None, (reason, wait, number)))
    return reason or (change.endpoint if change.phase.connected else "")
