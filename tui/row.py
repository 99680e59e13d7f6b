"""What one row says, in words and tones, apart from how wide it is."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import msgspec

from manager.model import Phase, Status
from tui import formats, phases, rows


class Countdown(msgspec.Struct, frozen=True):
    """A wait that is shown by a bar and its seconds. Times on this machine's monotonic clock."""

    deadline: float
    wait: float

    def left(self, now: float) -> float:
        """Return the share of the wait that is left, 1 to 0."""
        if self.wait <= 0:
            return 0.0
        return min(1.0, max(0.0, (self.deadline - now) / self.wait))

    def seconds(self, now: float) -> str:
        """Return what stands beside the bar; never less than `1 s`: the row then turns to connecting."""
        return formats.countdown(self.deadline - now)

    def next_change(self, now: float) -> float | None:
        """Return after how many seconds `seconds` says something else; None once it holds at the last."""
        remaining = self.deadline - now
        shown = formats.remaining_seconds(remaining)
        if shown <= 1:
            return None
        if shown < 1000:
            return remaining - (shown - 1)
        # Minutes change at whole minutes; below 1,000 s seconds are shown.
        return remaining - max(60 * (math.ceil(shown / 60) - 1), 999)


class Row(msgspec.Struct, frozen=True):
    """The cells of one row."""

    phase: Phase
    tone: str
    name: str
    name_tone: str
    word: str
    endpoint: str
    measure: str
    countdown: Countdown | None
    lead: str
    """Stands where others have their countdown: `next try 02:44:18`."""
    text: str
    """The reason, or the facts of a row that is well."""
    text_tone: str
    note: str = ""
    """What the measure is of; stands before the text where there is a column for the measure."""
    slotted: bool = False
    """Whether `text` stands behind the countdown's place, not in it."""
    more: tuple[str, ...] = ()
    """Cells of the columns that somebody asked for."""
    marked: bool = False
    """Whether the next command is meant for it."""
    news: bool = False
    """Whether it is in another phase than when somebody last looked."""


class Feedback(msgspec.Struct, frozen=True):
    """What became of an operator's command, shown in the row for a while."""

    text: str
    tone: str
    phase: Phase | None = None
    """Phase that the connection was in by then; in another the result says nothing of how it stands."""


def row_of(
    status: Status, clock_offset: float, now: float, latency: float | None, feedback: Feedback | None = None
) -> Row:
    """Describe a connection.

    Args:
        status: what is known of it.
        clock_offset: what is added to a deadline of the manager to have it on this machine's clock.
        now: wall time, to tell today from other days.
        latency: the round trip to show; it lags behind the status so that numbers do not dance.
        feedback: takes the place of the row's own text.
    """
    well = phases.well(status)
    countdown = None
    if status.phase is Phase.WAITING and status.deadline is not None:
        countdown = Countdown(status.deadline + clock_offset, status.wait)
    lead, text, tone = _words(status, now)
    acknowledged = phases.known(status) and status.acknowledged is not None
    if acknowledged:
        text, tone = f"acknowledged {formats.minute(status.acknowledged or 0.0, now)} · {text}", "muted"
    slotted = bool(lead) or countdown is not None
    if feedback is not None and feedback.phase in (None, status.phase):
        text, tone = feedback.text, feedback.tone
        if countdown is None:
            lead, slotted = "", False
    return Row(
        phase=status.phase,
        tone=phases.tone_of(status),
        name=status.name,
        name_tone="text" if well or acknowledged else "strong",
        word=status.phase.value,
        endpoint=status.endpoint,
        measure=_measure(status, latency),
        countdown=countdown,
        lead=lead,
        text=text,
        text_tone=tone,
        slotted=slotted,
    )


def more_cells(status: Status, wanted: Sequence[str], now: float) -> tuple[str, ...]:
    """Return the cells of the columns that somebody asked for."""
    cells = {
        "group": status.group,
        "since": formats.moment(status.since, now),
        "attempts": f"{status.attempt}/{status.max_attempts}" if status.attempt else "",
        "drops": formats.count(status.drops) if status.drops else "",
        "health": str(status.score) if status.phase.counts else "",
    }
    return tuple(cells[name] for name in wanted)


def fold_row(statuses: Sequence[Status], where: str, clock_offset: float) -> Row:
    """Describe several connections that share one row: well ones, or equal troubles of one host."""
    first = statuses[0]
    number = formats.count(len(statuses))
    hosts = Counter(status.group for status in statuses)
    spread = formats.plural(len(hosts), "host")
    if phases.well(first):
        slowest = max((phases.round_trip(status) or 0.0 for status in statuses), default=0.0)
        return Row(
            phase=first.phase,
            tone="good",
            name=f"{number} on {where}" if where else f"{number} up",
            name_tone="text",
            word=first.phase.value,
            endpoint="" if where else spread,
            measure=formats.latency(slowest) if slowest else "",
            countdown=None,
            lead="",
            text="enter unfolds",
            text_tone="muted",
            note="the slowest" if slowest else "",
        )
    if not where:
        return Row(
            phase=first.phase,
            tone=phases.tone_of(first),
            name=f"{number} {first.phase.value}",
            name_tone="text",
            word=first.phase.value,
            endpoint=spread,
            measure="",
            countdown=None,
            lead="",
            text="enter unfolds",
            text_tone="muted",
        )
    awaited = min(
        (status for status in statuses if status.deadline is not None),
        key=lambda status: status.deadline or 0.0,
        default=first,
    )
    countdown = None
    if awaited.phase is Phase.WAITING and awaited.deadline is not None:
        countdown = Countdown(awaited.deadline + clock_offset, awaited.wait)
    reason = first.failure.reason if first.failure else first.phase.value
    known = phases.known(first)
    return Row(
        phase=awaited.phase,
        tone=phases.tone_of(awaited),
        name=f"{number} on {where}",
        name_tone="text" if known else "strong",
        word=awaited.phase.value,
        endpoint="all of one cause",
        measure=_measure(awaited, None),
        countdown=countdown,
        lead="" if countdown else _next_try(awaited),
        text=f"acknowledged · {reason}" if known else f"{reason} · enter unfolds",
        text_tone="muted" if known else "text",
        slotted=True,
    )


def _measure(status: Status, latency: float | None) -> str:
    if status.phase is Phase.SUSPECT:
        return f"{max(status.failures, 1)}/{status.threshold}"
    if status.phase is Phase.UP:
        return formats.latency(latency) if latency is not None else ""
    if status.attempt and status.phase in (Phase.WAITING, Phase.CONNECTING):
        return f"{status.attempt}/{status.max_attempts}"
    return ""


def _words(status: Status, now: float) -> tuple[str, str, str]:
    """Return what stands in the countdown's place, the text, and its tone."""
    reason = status.failure.reason if status.failure else ""
    since = formats.moment(status.since, now)
    if status.phase is Phase.WAITING:
        return "" if status.deadline is not None else "waits for you", reason or "connection lost", "text"
    if status.phase is Phase.CONNECTING:
        return "trying now", f"after {reason}" if reason else "", "muted"
    if status.phase is Phase.SUSPECT:
        return "", f"{reason or 'no answer'} since {since} · asked again at once", "text"
    if status.phase is Phase.PARKED:
        return _next_try(status), reason or "the last attempt failed", "bad"
    if status.phase is Phase.BLOCKED:
        hint = status.failure.hint if status.failure else ""
        return _next_try(status), " · ".join(filter(None, (reason, hint, "r tries now"))), "bad"
    if status.phase is Phase.PAUSED:
        return "", f"paused since {since} · p resumes", "muted"
    if status.phase is Phase.STOPPED:
        return "", reason or "not managed now", "muted"
    if phases.slow(status):
        return "", status.costs[0].reason, "text"
    return "", rows.facts_of(status.type, status.facts), "muted"


def _next_try(status: Status) -> str:
    if status.next_attempt is None:
        return "waits for you"
    return f"next try {formats.clock(status.next_attempt)}"
