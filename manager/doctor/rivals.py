"""Whether a second program uses the same login: each puts the other out, comes back and is put out. No IO.

Some servers say so: an AMI user that may be logged in once, an ARI application with a new owner, a
registrar that keeps one Contact, a WebSocket closed as `replaced`. From others only the rhythm tells:
sessions that come up, and end a few seconds later by the server, again and again. A server that cannot bear
us looks the same, so that is told as what it is: a likely cause.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from manager.doctor.report import Finding, Topic
from manager.drivers.failures import (
    APPLICATION_TAKEN,
    LOGGED_IN_ALREADY,
    NOT_LISTED,
    PLACE_TAKEN,
    REGISTRATION_ENDED,
)
from manager.history import History, SessionSpan
from manager.model import Failure, FailureClass, FlapCause, Stage, Status

IN_A_ROW = 3
"""Sessions that make a rhythm."""
SOON = 90.0
"""Seconds within which each of them has ended."""
RECENT = 1800.0
"""Seconds for which an ending is news."""

_SAYS = (LOGGED_IN_ALREADY, NOT_LISTED, REGISTRATION_ENDED, PLACE_TAKEN, APPLICATION_TAKEN)
_CLOSED = re.compile(
    r"closed by the server.*\b(replaced|superseded|duplicate|taken over|conflict"
    r"|another (client|connection|session|login)|(logged|signed) in (elsewhere|again))",
    re.IGNORECASE,
)
"""What WebSocket servers close the older of two sessions with."""
_WHERE = {
    "ami": "on Asterisk, `manager show connected` lists who is logged in; give each program a user of its "
    "own in manager.conf",
    "sip": "`pjsip show contacts` (Asterisk) or `kamcmd ul.lookup` (Kamailio) lists who is bound; give each "
    "program an account of its own, or raise max_contacts",
    "websocket": "look for a second program, tab or test with the same token or application name, and give "
    "each one of its own",
}
_ELSEWHERE = "stop the other, or give each program a login of its own"


def rival(status: Status, history: History | None, now: float) -> Finding | None:
    """Return what speaks for a second program with the same login; None where nothing does.

    Args:
        status: of the connection.
        history: what became of it; the status alone is looked at where there is none.
        now: wall time.
    """
    for failure in _recent(status, history, now):
        said = rival_of(status.type, failure)
        if said is not None:
            return said
    if status.flap is not None and status.flap.cause in (FlapCause.IDLE_TIMEOUT, FlapCause.NO_HEARTBEAT):
        return None
    spans = _put_out(history.sessions, now) if history is not None else []
    if not spans:
        return None
    ages = [span.until - span.since for span in spans if span.until is not None]
    last = spans[-1].failure
    why = f" ({last.reason})" if last is not None else ""
    return Finding(
        topic=Topic.SECOND_LOGIN,
        says=f"comes up and is dropped by the server within {_range(ages)}, {len(ages)} times in a row{why}; "
        "a second program with the same login does that, or a server that fails after the login",
        do=_what_to_do(status.type),
    )


def rival_of(kind: str, failure: Failure) -> Finding | None:
    """Return what one failure says of a second program; None where it says nothing."""
    if (
        kind == "sip"
        and failure.reason.endswith("(403 Forbidden)")
        and failure.kind is FailureClass.CREDENTIALS
    ):
        return Finding(
            topic=Topic.SECOND_LOGIN,
            says="403 is also what a registrar that takes one Contact answers while another program holds it",
            do=_what_to_do(kind),
        )
    said = next((each for each in _SAYS if failure.reason.startswith(each)), "")
    if not said and not _CLOSED.search(failure.reason):
        return None
    return Finding(
        topic=Topic.SECOND_LOGIN,
        says=f"a second program uses the same login: {failure.reason}",
        do=_what_to_do(kind),
    )


def _recent(status: Status, history: History | None, now: float) -> Iterable[Failure]:
    if status.failure is not None:
        yield status.failure
    for seen in reversed(history.failures if history is not None else ()):
        if now - seen.time > RECENT:
            return
        yield seen.failure


def _put_out(sessions: Sequence[SessionSpan], now: float) -> list[SessionSpan]:
    """Return the sessions at the end that the peer has ended soon; none where they are few, or old news."""
    found: list[SessionSpan] = []
    for span in reversed(sessions):
        if span.until is None:
            if now - span.since > SOON:
                return []
            continue  # the one of now has not had its time yet
        ended_there = span.failure is not None and span.failure.stage is Stage.SESSION
        if not ended_there or span.until - span.since > SOON or now - span.until > RECENT:
            break
        found.append(span)
    return found[::-1] if len(found) >= IN_A_ROW else []


def _range(ages: Sequence[float]) -> str:
    low, high = min(ages), max(ages)
    return f"{high:.0f} s" if round(low) == round(high) else f"{low:.0f} to {high:.0f} s"


def _what_to_do(kind: str) -> str:
    return f"{_WHERE.get(kind, _ELSEWHERE)}; a second trunkline on another machine counts as well"
