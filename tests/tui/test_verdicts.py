"""The verdict lines: one a cause and host, the worst first."""

from __future__ import annotations

import time

import pytest

from manager.model import BudgetStatus, Failure, FailureClass, MuteStatus, Phase, Stage
from tests.tui.fake_client import DROPS, REFUSED, connection, slow, waiting
from tui.verdicts import calm, verdicts

NOON = time.mktime((2026, 11, 23, 12, 0, 0, 0, 0, -1))


def at(hour: int, minute: int, second: int) -> float:
    return time.mktime((2026, 11, 23, hour, minute, second, 0, 0, -1))


LOST = at(2, 13, 8)
NEXT = at(2, 14, 36)


def away(name: str, type_name: str = "sip", *, reason: str = "connection refused", **fields):
    failure = Failure(kind=FailureClass.TRANSIENT, stage=Stage.CONNECT, reason=reason)
    usual = {"failure": failure, "down_since": LOST, "next_attempt": NEXT}
    return connection(name, type_name, fields.pop("phase", Phase.WAITING), **(usual | fields))


def told(*statuses, budgets=()) -> list[tuple[str, str]]:
    return [(one.subject, one.sentence) for one in verdicts(statuses, budgets, LOST + 60)]


def test_three_connections_of_a_host_that_refuses_are_one_line():
    assert told(away("desk"), away("backend", "websocket"), away("pbx1-ami", "ami")) == [
        ("pbx1", "refuses all 3 (SIP, WebSocket, AMI) since 02:13:08 · next try 02:14:36")
    ]


def test_a_host_of_which_nothing_is_left_is_one_cause_in_whatever_words_it_is_met():
    found = told(
        away("desk"),
        away("desk-2", down_since=LOST + 2),
        away("ami", "ami", reason="connection closed by the peer", next_attempt=NEXT - 3),
    )
    assert found == [("pbx1", "refuses all 3 (SIP, AMI) since 02:13:08 · next try 02:14:33")]


def test_different_troubles_of_a_host_that_is_still_there_are_told_apart():
    found = told(away("desk"), away("ami", "ami", reason="connection reset"), connection("other"))
    assert [sentence.split(" since")[0] for _, sentence in found] == [
        "refuses desk (SIP)",
        "connection reset: ami (AMI)",
    ]


def test_silence_is_one_cause_at_whatever_step_it_is_met():
    found = told(
        away("a", reason="no answer in 5 s (connect)"),
        away("b", reason="no answer in 5 s (handshake)"),
        connection("c"),
    )
    assert [sentence.split(" since")[0] for _, sentence in found] == ["does not answer 2 of 3 (SIP)"]


def test_some_of_a_host_are_counted_against_all_of_it():
    found = told(away("a"), away("b"), connection("c"), connection("d", phase=Phase.PAUSED))
    assert found[0][1].startswith("refuses 2 of 3 (SIP) since")


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        ("no route to host", "is unreachable for desk (SIP)"),
        ("no answer (login)", "does not answer desk (SIP)"),
        ("503 Service Unavailable", "503 Service Unavailable: desk (SIP)"),
    ],
)
def test_a_reason_becomes_a_sentence(reason, sentence):
    assert told(away("desk", reason=reason))[0][1].startswith(sentence)


def test_while_an_attempt_runs_the_line_says_so_and_keeps_its_glyph():
    trying = away("desk", phase=Phase.CONNECTING)
    (verdict,) = verdicts([trying], (), LOST + 60)
    assert verdict.sentence == "refuses desk (SIP) since 02:13:08 · trying now"
    assert verdict.phase is Phase.WAITING


def test_what_was_never_up_does_not_pretend_to_have_been_lost():
    assert told(away("desk", down_since=None))[0][1] == "refuses desk (SIP), not up yet · next try 02:14:36"


def test_a_refusal_names_the_budget_what_to_do_and_when_it_is_tried_by_itself():
    blocked = connection("pbx2-ami", "ami", Phase.BLOCKED, host="pbx2", next_attempt=NEXT)
    budget = BudgetStatus(host="pbx2", used=2, limit=4, window=600.0)
    ((subject, sentence),) = told(blocked, budgets=[budget])
    assert subject == "pbx2"
    assert sentence.split(" · ") == [
        "wrong secret or ACL: pbx2-ami (AMI)",
        "stopped at 2 of 4 logins",
        "mend the password, then r",
        "next try by itself 02:14:36",
    ]


def test_a_refusal_that_is_never_tried_again_promises_nothing():
    blocked = connection("ami", "ami", Phase.BLOCKED, next_attempt=None)
    assert told(blocked)[0][1] == "wrong secret or ACL: ami (AMI) · mend the password, then r"


def test_a_parked_connection_without_slow_tries_says_what_a_person_can_do():
    parked = away("desk", phase=Phase.PARKED, next_attempt=None)
    assert told(parked)[0][1].endswith("no more tries by itself, r tries now")


def test_a_suspect_says_what_it_did_not_answer_and_since_when():
    suspect = connection("trunk", phase=Phase.SUSPECT, host="sbc2", since=LOST)
    assert told(suspect) == [("sbc2", "no answer to OPTIONS since 02:13:08 · trunk (SIP)")]


def test_those_that_flap_alike_are_one_line_with_its_cure():
    found = told(connection("desk", flap=DROPS), connection("ami", "ami", flap=DROPS), connection("well"))
    assert found == [
        (
            "pbx1",
            "drops after 60 s of silence: 2 of 3 (SIP, AMI) · heartbeat_interval = 40 or less keeps it open",
        )
    ]
    (verdict,) = verdicts([connection("desk", flap=DROPS)], (), LOST + 60)
    assert verdict.tone == "warn"


def test_one_that_flaps_and_is_away_is_no_second_line():
    assert told(away("desk", flap=DROPS)) == [
        ("pbx1", "refuses desk (SIP) since 02:13:08 · next try 02:14:36 · drops after 60 s of silence")
    ]
    assert told(away("desk", flap=DROPS), away("ami", "ami"))[0][1].endswith("next try 02:14:36")


def test_slow_replies_say_how_slow():
    assert told(slow("desk")) == [("pbx1", "slow to answer: desk (SIP) · slow: 240 ms, usually 12 ms")]


def test_the_worst_come_first_and_among_equals_the_larger():
    found = told(
        slow("slow", host="e"),
        connection("suspect", phase=Phase.SUSPECT, host="d"),
        away("one", host="b"),
        away("two", host="c"),
        away("three", "ami", host="c"),
        away("parked", phase=Phase.PARKED, host="p"),
        connection("blocked", "ami", Phase.BLOCKED, host="a"),
    )
    assert [subject for subject, _ in found] == ["a", "p", "c", "b", "d", "e"]


def test_paused_stopped_and_well_connections_are_no_trouble():
    quiet = [connection("a"), connection("b", phase=Phase.PAUSED), connection("c", phase=Phase.STOPPED)]
    assert told(*quiet) == []


def test_a_first_connect_is_no_trouble_yet():
    first = connection("a", phase=Phase.CONNECTING, failure=None, attempt=0)
    assert told(first) == []
    assert calm([first, connection("b")], NOON) == "opening 1 connection for the first time"


def test_what_is_acknowledged_is_dimmed_and_stands_behind_what_is_not():
    found = verdicts(
        [
            connection("ami", "ami", Phase.BLOCKED, host="pbx2", acknowledged=at(2, 13, 40)),
            connection("slow", phase=Phase.SUSPECT, host="pbx3", since=LOST),
        ],
        (),
        LOST + 60,
    )
    assert [(one.subject, one.quiet, one.tone) for one in found] == [
        ("pbx3", False, "warn"),
        ("pbx2", True, "muted"),
    ]
    assert found[1].sentence.startswith("acknowledged 02:13 · wrong secret or ACL: ami (AMI)")


def test_a_cause_is_acknowledged_when_all_of_it_is():
    some = [away("a", acknowledged=at(2, 13, 20)), away("b")]
    assert [one.quiet for one in verdicts(some, (), LOST + 60)] == [False]
    (one,) = verdicts([some[0], away("b", acknowledged=at(2, 13, 50))], (), LOST + 60)
    assert one.sentence.startswith("acknowledged 02:13 · refuses all 2")


def test_the_troubles_of_a_muted_group_are_still_told_at_the_end():
    mute = MuteStatus(group="pbx1", since=LOST, until=at(6, 0, 0))
    statuses = [
        connection("ami", "ami", Phase.BLOCKED, host="pbx1"),
        connection("slow", phase=Phase.SUSPECT, host="pbx3"),
    ]
    found = verdicts(statuses, (), LOST + 60, [mute])
    assert [(one.subject, one.quiet) for one in found] == [("pbx3", False), ("pbx1", True)]
    assert found[1].sentence.startswith("muted until 06:00 · wrong secret or ACL: ami (AMI)")


def test_all_well_is_said_in_one_calm_sentence():
    assert calm([connection("a", up_since=LOST), connection("b", up_since=LOST - 5)], LOST) == (
        "all 2 are up since 02:13:08"
    )
    assert calm([connection("a", up_since=LOST)], LOST) == "the one connection is up since 02:13:08"
    assert calm([connection("a", phase=Phase.PAUSED)], LOST).startswith("all 1 are paused")
    assert calm([], LOST) == ""


def test_a_wait_without_a_reason_is_still_a_trouble():
    assert told(connection("a", phase=Phase.WAITING, **(waiting(8, 5) | {"failure": None})))[0][0] == "pbx1"
    assert REFUSED.reason == "connection refused"
