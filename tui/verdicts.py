"""The verdicts: what is wrong, in one line a cause and host, the worst first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from manager.model import BudgetStatus, MuteStatus, Phase, Status
from tui import formats, phases, rows

_UNREACHABLE = ("no route to host", "network unreachable", "network down")


class Verdict(msgspec.Struct, frozen=True):
    """One cause on one host."""

    phase: Phase
    """Whose glyph and tone it bears."""
    subject: str
    """The host, or the group's name."""
    sentence: str
    """What is wrong, since when, what happens next, what a person can do."""
    tone: str
    quiet: bool = False
    """Whether somebody knows of it already, or its group is muted: it stands behind all that is not."""


class _Cause(msgspec.Struct, frozen=True):
    """Connections of one group that share a trouble."""

    rank: int
    group: str
    members: tuple[Status, ...]
    whole: int
    """How many connections of the group count."""
    muted_until: float | None

    @property
    def acknowledged(self) -> float | None:
        """When the last of them was acknowledged; None while one is not."""
        times = [status.acknowledged for status in self.members]
        return None if None in times else max(time for time in times if time is not None)

    @property
    def quiet(self) -> bool:
        """Whether nobody has to be told of it any more, or for now."""
        return self.muted_until is not None or self.acknowledged is not None


def verdicts(
    statuses: Sequence[Status],
    budgets: Iterable[BudgetStatus],
    now: float,
    mutes: Iterable[MuteStatus] = (),
) -> list[Verdict]:
    """Judge all connections.

    Args:
        statuses: the connections; those that are stopped or paused are nobody's trouble.
        budgets: the login budgets of the hosts.
        now: wall time, to tell today from other days.
        mutes: the groups whose troubles stand last.
    """
    until = {mute.group: mute.until for mute in mutes}
    by_group: dict[str, list[Status]] = {}
    for status in statuses:
        if status.phase.counts:
            by_group.setdefault(status.group, []).append(status)
    causes = [
        cause for group, members in by_group.items() for cause in _causes(group, members, until.get(group))
    ]
    causes.sort(key=lambda cause: (cause.quiet, cause.rank, -len(cause.members), cause.group))
    by_host = {budget.host: budget for budget in budgets}
    return [_verdict(cause, by_host.get(cause.group), now) for cause in causes]


def calm(statuses: Sequence[Status], now: float) -> str:
    """Return the sentence that stands where no verdict is needed."""
    counted = [status for status in statuses if status.phase.counts]
    if not statuses:
        return ""
    if not counted:
        return f"all {len(statuses)} are paused or stopped · p takes the selected one up again"
    opening = sum(status.phase is Phase.CONNECTING for status in counted)
    if opening:
        return f"opening {formats.plural(opening, 'connection')} for the first time"
    since = max(status.up_since or 0.0 for status in counted)
    whole = "the one connection is" if len(counted) == 1 else f"all {formats.count(len(counted))} are"
    return f"{whole} up since {formats.moment(since, now)}" if since else f"{whole} up"


def _causes(group: str, members: Sequence[Status], muted_until: float | None) -> Iterable[_Cause]:
    whole = len(members)

    def cause(rank: int, affected: Sequence[Status]) -> _Cause:
        return _Cause(rank, group, tuple(affected), whole, muted_until)

    blocked = [status for status in members if status.phase is Phase.BLOCKED]
    for same in _by_reason(blocked):
        yield cause(0, same)
    away = [status for status in members if _is_away(status)]
    # A host of which nothing is left is one cause, in whatever words each connection met it.
    one_cause = len(away) > 1 and len(away) + len(blocked) == whole
    for same in [away] if one_cause else _by_reason(away):
        yield cause(1 if all(status.phase is Phase.PARKED for status in same) else 2, same)
    suspects = [status for status in members if status.phase is Phase.SUSPECT]
    if suspects:
        yield cause(3, suspects)
    for same in _by_rhythm([status for status in members if status.phase is Phase.UP]):
        yield cause(4, same)
    slow = [status for status in members if phases.slow(status)]
    if slow:
        yield cause(5, slow)


def _is_away(status: Status) -> bool:
    """Whether it is lost or never came up; one that opens for the first time is in no trouble yet."""
    if status.phase is Phase.CONNECTING:
        return status.failure is not None
    return status.phase in (Phase.WAITING, Phase.PARKED)


def _by_reason(statuses: Sequence[Status]) -> list[list[Status]]:
    """Put those together whose reasons say the same: silence is one, at whatever step it was met."""
    groups: dict[str, list[Status]] = {}
    for status in statuses:
        groups.setdefault(verb(status.failure.reason) if status.failure else "", []).append(status)
    return list(groups.values())


def _by_rhythm(statuses: Sequence[Status]) -> list[list[Status]]:
    groups: dict[str, list[Status]] = {}
    for status in statuses:
        if status.flap is not None:
            groups.setdefault(status.flap.reason, []).append(status)
    return list(groups.values())


def _verdict(cause: _Cause, budget: BudgetStatus | None, now: float) -> Verdict:
    worst = min(cause.members, key=phases.attention)
    if cause.rank == 0:
        words = _blocked(cause, budget)
    elif cause.rank in (1, 2):
        words = _away(cause, now)
    elif cause.rank == 3:
        words = _suspect(cause, now)
    elif cause.rank == 4:
        words = _flapping(cause)
    else:
        words = [f"slow to answer: {who(cause.members, cause.whole)}", cause.members[0].costs[0].reason]
    phase = worst.phase
    if cause.rank == 2:
        # Attempts come and go within an outage; the line does not flicker with them.
        phase = Phase.WAITING
    tone = "warn" if cause.rank >= 4 else phases.TONES[phase]
    if cause.quiet:
        words, tone = [*_why_quiet(cause, now), *words], "muted"
    return Verdict(phase, cause.group, " · ".join(filter(None, words)), tone, cause.quiet)


def _why_quiet(cause: _Cause, now: float) -> Iterable[str]:
    if cause.acknowledged is not None:
        yield f"acknowledged {formats.minute(cause.acknowledged, now)}"
    if cause.muted_until is not None:
        yield f"muted until {formats.minute(cause.muted_until, now)}"


def _blocked(cause: _Cause, budget: BudgetStatus | None) -> list[str]:
    failure = cause.members[0].failure
    words = [f"{failure.reason if failure else 'refused'}: {who(cause.members, cause.whole)}"]
    if budget is not None and budget.used:
        words.append(f"stopped at {budget.used} of {budget.limit} logins")
    hint = failure.hint if failure else ""
    words.append(f"{hint}, then r" if hint else "mend it, then r")
    instants = [status.next_attempt for status in cause.members if status.next_attempt is not None]
    if instants:
        words.append(f"next try by itself {formats.clock(min(instants))}")
    return words


def _away(cause: _Cause, now: float) -> list[str]:
    reasons = Counter(status.failure.reason if status.failure else "lost" for status in cause.members)
    reason = reasons.most_common(1)[0][0]
    lost = [status.down_since for status in cause.members if status.down_since is not None]
    what = f"{verb(reason)} {who(cause.members, cause.whole)}"
    what += f" since {formats.moment(min(lost), now)}" if lost else ", not up yet"
    rhythm = _rhythm(cause)
    if any(status.phase is Phase.CONNECTING for status in cause.members):
        return [what, "trying now", rhythm]
    instants = [status.next_attempt for status in cause.members if status.next_attempt is not None]
    if instants:
        return [what, f"next try {formats.clock(min(instants))}", rhythm]
    return [what, "no more tries by itself, r tries now", rhythm]


def _suspect(cause: _Cause, now: float) -> list[str]:
    failure = cause.members[0].failure
    since = formats.moment(min(status.since for status in cause.members), now)
    return [f"{failure.reason if failure else 'no answer'} since {since}", who(cause.members, cause.whole)]


def _flapping(cause: _Cause) -> list[str]:
    flap = cause.members[0].flap
    return [f"{_rhythm(cause)}: {who(cause.members, cause.whole)}", flap.hint if flap else ""]


def _rhythm(cause: _Cause) -> str:
    """Return in which rhythm all of them drop; empty where there is none."""
    reasons = {status.flap.reason if status.flap else "" for status in cause.members}
    return reasons.pop() if len(reasons) == 1 else ""


def verb(reason: str) -> str:
    """Put a reason in front of whom it befalls."""
    if reason == "connection refused":
        return "refuses"
    if reason in _UNREACHABLE:
        return "is unreachable for"
    if reason.startswith("no answer"):
        return "does not answer"
    return f"{reason}:"


def who(members: Sequence[Status], whole: int) -> str:
    """Return `all 3 (SIP, WebSocket, AMI)`, `2 of 5 (SIP)` or, for one, `desk-6001 (SIP)`."""
    types = sorted({status.type for status in members}, key=rows.section_order)
    titles = ", ".join(rows.title_of(name) for name in types)
    number = len(members)
    if number == 1:
        return f"{members[0].name} ({titles})"
    share = f"all {number}" if number == whole else f"{number} of {whole}"
    return f"{share} ({titles})"
