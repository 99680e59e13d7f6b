"""What a status means to the one who asks why it is not as it should be. No IO."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Iterable, Iterator

from manager.doctor.report import Finding, Topic
from manager.doctor.rivals import rival
from manager.history import History
from manager.model import BudgetStatus, FailureClass, Phase, Snapshot, Status
from manager.shares import shares

_HOST = re.compile(r"(?:\w+://)?(?:[^@/]*@)?(?:\[(?P<six>[^\]]+)\]|(?P<host>[^:/]+))")


def findings(
    status: Status, history: History | None, budgets: Iterable[BudgetStatus], now: float
) -> tuple[Finding, ...]:
    """Return what is wrong with a connection, by its status.

    Args:
        status: as the manager has it.
        history: what became of it, where that is known.
        budgets: the login budgets that were drawn on.
        now: wall time.
    """
    found = [*_not_reconnecting(status, budgets), *_low_health(status)]
    second = rival(status, history, now)
    if second is not None:
        found.append(second)
    if status.flap is not None:
        found.append(Finding(topic=Topic.DROPS, says=status.flap.reason, do=status.flap.hint))
    return tuple(found)


def whole(snapshot: Snapshot) -> dict[str, int]:
    """Return the points of the whole that each connection costs, the dearest first."""
    return shares(snapshot.statuses)


def _not_reconnecting(status: Status, budgets: Iterable[BudgetStatus]) -> Iterator[Finding]:
    if status.phase.connected or (status.phase is Phase.CONNECTING and status.failure is None):
        return
    reason = status.failure.reason if status.failure else ""
    says, do = _SAYINGS[status.phase](status)
    hint = status.failure.hint if status.failure and status.phase not in (Phase.PAUSED, Phase.STOPPED) else ""
    yield Finding(
        topic=Topic.NOT_RECONNECTING,
        says=f"{says}: {reason}" if reason else says,
        do="; ".join(filter(None, (hint, do))),
    )
    refused = status.failure is not None and status.failure.kind is FailureClass.CREDENTIALS
    for budget in budgets:
        if refused and budget.next_free is not None and budget.host in (status.group, _host(status)):
            yield Finding(
                topic=Topic.NOT_RECONNECTING,
                says=f"{budget.host} has refused {budget.used} logins within {budget.window / 60:g} min, and "
                f"is sent no more before {_clock(budget.next_free)}, so that it does not ban us",
                do=f"mend the credentials first; `{_command('reconnect --override', status)}` goes past it",
            )


def _low_health(status: Status) -> Iterator[Finding]:
    """Itemise the points of a connection that is up; one that is not has lost them all to that."""
    if not status.phase.connected or not status.costs:
        return
    items = "; ".join(f"{cost.points} for {cost.reason}" for cost in status.costs)
    hint = status.failure.hint if status.failure is not None and status.failures else ""
    slow = "" if status.failures else "the way there or the server has become slower than it was"
    yield Finding(
        topic=Topic.LOW_HEALTH, says=f"{status.score} of 100 points; it has lost {items}", do=hint or slow
    )


def _parked(status: Status) -> tuple[str, str]:
    again = f"probed again at {_clock(status.next_attempt)}" if status.next_attempt else "not tried by itself"
    says = f"given up after {status.max_attempts} attempts, and {again}"
    return says, f"once that is mended: {_command('reconnect', status)}"


def _blocked(status: Status) -> tuple[str, str]:
    again = f"tried again at {_clock(status.next_attempt)}" if status.next_attempt else "not tried by itself"
    says = f"blocked, for trying again will not change the answer; {again}, or when its secret changes"
    return says, f"mend it, then: {_command('reconnect', status)}"


def _waiting(status: Status) -> tuple[str, str]:
    number = f"attempt {status.attempt} of {status.max_attempts}" if status.attempt else "the next attempt"
    at = f" comes at {_clock(status.next_attempt)}" if status.next_attempt else " is waited for"
    return f"{number}{at}", f"to try now: {_command('reconnect', status)}"


def _connecting(status: Status) -> tuple[str, str]:
    return f"attempt {status.attempt} of {status.max_attempts} is under way; the last one failed", ""


def _paused(status: Status) -> tuple[str, str]:
    return "paused by an operator", f"to take it up again: {_command('resume', status)}"


def _stopped(status: Status) -> tuple[str, str]:
    return "not managed now", f"to take it up again: {_command('resume', status)}; the log may say why"


_SAYINGS = {
    Phase.PARKED: _parked,
    Phase.BLOCKED: _blocked,
    Phase.WAITING: _waiting,
    Phase.CONNECTING: _connecting,
    Phase.PAUSED: _paused,
    Phase.STOPPED: _stopped,
}


def _host(status: Status) -> str:
    """Return the host of the endpoint, which is at the beginning of its label or behind a scheme."""
    found = _HOST.match(status.endpoint)
    return (found["six"] or found["host"]) if found else ""


def _command(verb: str, status: Status) -> str:
    return f"trunkline {verb} {shlex.quote(status.name)}"


def _clock(instant: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(instant))
