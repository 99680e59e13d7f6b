"""What a status and a history mean, in words that say what to do."""

from __future__ import annotations

import pytest

from manager.doctor import Finding, Topic, findings
from manager.doctor.rivals import RECENT
from manager.history import History, SeenFailure, SessionSpan
from manager.model import (
    BudgetStatus,
    Cost,
    Failure,
    FailureClass,
    Flap,
    FlapCause,
    Phase,
    Stage,
    Status,
)

NOW = 1_800_000_000.0
REFUSED = Failure(
    kind=FailureClass.TRANSIENT,
    stage=Stage.CONNECT,
    reason="connection refused",
    hint="nothing listens there",
)
WRONG = Failure(
    kind=FailureClass.CREDENTIALS,
    stage=Stage.LOGIN,
    reason="wrong AMI secret or ACL",
    hint="check the secret",
)
CUT = Failure(kind=FailureClass.TRANSIENT, stage=Stage.SESSION, reason="closed by the server")
SILENT = Failure(kind=FailureClass.TRANSIENT, stage=Stage.HEARTBEAT, reason="no answer in 10 s (heartbeat)")


def status(phase: Phase = Phase.UP, **fields) -> Status:
    defaults = {
        "name": "pbx1 ami",
        "type": "ami",
        "group": "pbx1",
        "endpoint": "pbx1:5038",
        "since": NOW - 60,
        "score": 100 if phase is Phase.UP else 0,
    }
    return Status(phase=phase, **{**defaults, **fields})


def found(one: Status, history: History | None = None, budgets=()) -> list[Finding]:
    return list(findings(one, history, budgets, NOW))


def test_what_is_up_and_well_has_none() -> None:
    assert found(status()) == []
    assert found(status(Phase.CONNECTING)) == []


@pytest.mark.parametrize(
    ("one", "says", "do"),
    [
        (
            status(Phase.PARKED, failure=REFUSED, next_attempt=NOW + 300),
            "given up after 15 attempts, and probed again at ",
            "nothing listens there; once that is mended: trunkline reconnect 'pbx1 ami'",
        ),
        (status(Phase.PARKED, failure=REFUSED), "and not tried by itself: connection refused", "reconnect"),
        (
            status(Phase.BLOCKED, failure=WRONG, next_attempt=NOW + 1800),
            "blocked, for trying again will not change the answer; tried again at ",
            "check the secret; mend it, then: trunkline reconnect 'pbx1 ami'",
        ),
        (status(Phase.PAUSED, failure=REFUSED), "paused by an operator", "trunkline resume 'pbx1 ami'"),
        (status(Phase.STOPPED), "not managed now", "trunkline resume 'pbx1 ami'"),
        (
            status(Phase.WAITING, attempt=7, failure=REFUSED, next_attempt=NOW + 30),
            "attempt 7 of 15 comes at ",
            "to try now: trunkline reconnect 'pbx1 ami'",
        ),
        (
            status(Phase.CONNECTING, attempt=3, failure=REFUSED),
            "attempt 3 of 15 is under way; the last one failed: connection refused",
            "nothing listens there",
        ),
    ],
)
def test_what_does_not_come_back_is_told_with_what_to_run(one: Status, says: str, do: str) -> None:
    (finding,) = found(one)
    assert finding.topic is Topic.NOT_RECONNECTING
    assert says in finding.says
    assert do in finding.do


@pytest.mark.parametrize("endpoint", ["pbx1:5038", "pbx1:5038/tls", "ws://***@pbx1/ari", "pbx1/udp", "pbx1"])
def test_an_empty_login_budget_is_told_where_the_login_was_refused(endpoint: str) -> None:
    budgets = [
        BudgetStatus(host=host, used=4, limit=4, window=600.0, next_free=NOW + 90)
        for host in ("pbx2", "pbx1")
    ]
    blocked = status(Phase.BLOCKED, failure=WRONG, group="office", endpoint=endpoint)
    _, budget = found(blocked, budgets=budgets)
    assert budget.says.startswith("pbx1 has refused 4 logins within 10 min, and is sent no more before ")
    assert "trunkline reconnect --override 'pbx1 ami'" in budget.do
    assert len(found(status(Phase.WAITING, failure=REFUSED), budgets=budgets)) == 1


def test_the_host_of_an_ipv6_endpoint_is_found() -> None:
    budget = BudgetStatus(host="fe80::1", used=4, limit=4, window=600.0, next_free=NOW + 90)
    for endpoint in ("[fe80::1]:5038", "[fe80::1]/udp", "wss://[fe80::1]/x"):
        blocked = status(Phase.BLOCKED, failure=WRONG, group="office", endpoint=endpoint)
        assert len(found(blocked, budgets=[budget])) == 2


def test_low_health_is_itemised() -> None:
    costs = (Cost(33, "1 of 3 failures in a row: no answer"), Cost(7, "slow: 400 ms, usually 12 ms"))
    (finding,) = found(status(Phase.SUSPECT, costs=costs, score=60, failures=1, failure=REFUSED))
    assert finding.topic is Topic.LOW_HEALTH
    assert finding.says == (
        "60 of 100 points; it has lost 33 for 1 of 3 failures in a row: no answer; "
        "7 for slow: 400 ms, usually 12 ms"
    )
    (slow,) = found(status(costs=costs[1:], score=93))
    assert "slower than it was" in slow.do


def test_a_rhythm_that_is_known_is_told_with_its_cure() -> None:
    flap = Flap(
        cause=FlapCause.IDLE_TIMEOUT, after=60.0, reason="drops after 60 s", hint="heartbeat_interval = 40"
    )
    (finding,) = found(status(flap=flap), history(60.0, 60.0, 60.0))
    assert (finding.topic, finding.do) == (Topic.DROPS, "heartbeat_interval = 40")


# --- a second program with the same login -----------------------------------------------------------------


def history(*ages: float, why: Failure = CUT, ended: float = 5.0, up: float | None = None) -> History:
    """Return sessions of these ages in a row, the last of which ended so long ago; one may be up now."""
    spans, until = [], NOW - ended
    for generation in range(len(ages), 0, -1):
        age = ages[generation - 1]
        span = SessionSpan(
            generation=generation, endpoint="pbx1:5038", since=until - age, until=until, failure=why
        )
        spans.insert(0, span)
        until -= age + 2.0
    if up is not None:
        spans.append(SessionSpan(generation=len(ages) + 1, endpoint="pbx1:5038", since=NOW - up))
    return History(connection="pbx1 ami", sessions=tuple(spans))


def second(one: Status, of: History | None = None) -> Finding | None:
    return next((each for each in found(one, of) if each.topic is Topic.SECOND_LOGIN), None)


def test_drops_soon_after_each_login_are_a_second_program() -> None:
    finding = second(status(), history(4.0, 6.0, 5.0, up=3.0))
    assert finding is not None
    assert "dropped by the server within 4 to 6 s, 3 times in a row (closed by the server)" in finding.says
    assert "manager show connected" in finding.do
    assert second(status(Phase.WAITING, failure=CUT), history(5.0, 5.0, 5.0)) is not None


@pytest.mark.parametrize(
    "of",
    [
        history(4.0, 6.0),
        history(4.0, 600.0, 5.0),
        history(4.0, 6.0, 5.0, why=SILENT),
        history(4.0, 6.0, 5.0, up=600.0),
        history(4.0, 6.0, 5.0, ended=RECENT + 1),
    ],
    ids=["too few", "one held", "given up by ourselves", "the one of now holds", "long ago"],
)
def test_other_endings_are_not(of: History) -> None:
    assert second(status(), of) is None


@pytest.mark.parametrize(
    ("kind", "reason", "word"),
    [
        ("ami", "this AMI user is logged in already", "manager show connected"),
        ("sip", "the registrar does not list our Contact", "pjsip show contacts"),
        ("sip", "an earlier registration of ours still holds the place (403 Forbidden)", "max_contacts"),
        ("sip", "the registrar has ended the registration", "max_contacts"),
        ("websocket", "another client took over the ARI application calls", "application name"),
        ("websocket", "closed by the server: a code of its own (4001): Connection replaced", "token"),
        ("websocket", "closed by the server: policy violation (1008): logged in elsewhere", "token"),
        ("banner", "the registrar does not list our Contact", "a login of its own"),
    ],
)
def test_a_server_that_says_so_is_believed_at_once(kind: str, reason: str, word: str) -> None:
    failure = Failure(kind=FailureClass.TRANSIENT, stage=Stage.SESSION, reason=reason)
    finding = second(status(Phase.WAITING, type=kind, failure=failure))
    assert finding is not None
    assert reason in finding.says
    assert word in finding.do
    seen = History(connection="pbx1 ami", failures=(SeenFailure(time=NOW - 60, failure=failure),))
    assert second(status(type=kind), seen) is not None
    old = History(connection="pbx1 ami", failures=(SeenFailure(time=NOW - RECENT - 1, failure=failure),))
    assert second(status(type=kind), old) is None


@pytest.mark.parametrize(
    "reason", ["closed by the server: going away (1001)", "connection reset", "replaced"]
)
def test_an_ending_that_says_nothing_of_another_is_none(reason: str) -> None:
    failure = Failure(kind=FailureClass.TRANSIENT, stage=Stage.SESSION, reason=reason)
    assert second(status(Phase.WAITING, type="websocket", failure=failure)) is None
