"""The sentences of the event log."""

from __future__ import annotations

import time

import pytest
from msgspec.structs import replace

from manager.events import (
    Acknowledged,
    AnyEvent,
    BandChanged,
    BudgetChanged,
    Changed,
    ClockJumped,
    Commanded,
    DoubtedBySibling,
    Event,
    FactsChanged,
    FailedOver,
    Flapping,
    ListenerDetached,
    LoginWithheld,
    MaxAttemptsReached,
    Muted,
    ProbeAnswered,
    ProbeFailed,
    Reconnected,
    Recovered,
    Reloaded,
    ReloadFailed,
    Reported,
    SpareChanged,
    Stable,
    Stalled,
    StateChanged,
    Steady,
    TimesChanged,
    Unmuted,
    WokenByOperator,
    WokenByPeek,
    WokenBySibling,
)
from manager.model import (
    Band,
    BudgetStatus,
    Failure,
    FailureClass,
    MuteStatus,
    Phase,
    SpareStatus,
    Stage,
)
from tests.tui.fake_client import DROPS, NO_ANSWER, connection
from tui.log.entry import Level
from tui.sentences import log_line

NEXT = time.mktime((2026, 11, 23, 2, 44, 18, 0, 0, -1))


def told(kind: type, **fields) -> tuple[str, str, str]:
    line = log_line(kind(seq=1, time=0.0, health=100, **fields))
    return line.subject, line.word, line.text


def changed(
    phase: Phase, previous: Phase = Phase.UP, type_name: str = "sip", **fields
) -> tuple[str, str, str]:
    return told(StateChanged, status=connection("desk", type_name, phase, **fields), previous=previous)


def test_a_wait_says_how_long_for_which_attempt_and_why():
    assert changed(Phase.WAITING) == ("desk", "waiting", "8 s to attempt 4/15 · connection refused")


def test_an_attempt_says_its_number_and_where():
    assert changed(Phase.CONNECTING) == ("desk", "connecting", "attempt 4/15 · pbx1:5060/tcp")
    assert changed(Phase.CONNECTING, attempt=0)[2] == "pbx1:5060/tcp"


def test_up_says_where_and_what_the_session_knows():
    assert changed(Phase.UP, Phase.CONNECTING, "ami")[2] == "pbx1:5038 · Asterisk 22.10.1 · 4 calls"


def test_another_band_says_which_it_was_and_how_many_points_there_are():
    assert told(BandChanged, band=Band.GREEN, previous=Band.RED) == ("", "health", "green, was red · 100 %")


def test_a_band_of_nothing_says_so():
    event = BandChanged(seq=1, time=0.0, health=None, band=Band.UNKNOWN, previous=Band.GREEN)
    assert log_line(event).text == "unknown, was green · nothing counts"


def test_a_suspect_that_answers_again_says_so():
    assert changed(Phase.UP, Phase.SUSPECT)[2] == "answers again"


def test_a_suspect_says_what_was_not_answered():
    assert changed(Phase.SUSPECT)[2] == "no answer to OPTIONS · asked again at once"


def test_a_refusal_says_why_what_to_do_and_when_it_is_tried_again():
    text = changed(Phase.BLOCKED, next_attempt=NEXT)[2]
    assert text == "wrong secret or ACL · mend the password · next try 02:44:18"


def test_a_parked_connection_says_when_it_is_tried_again_or_that_it_is_not():
    assert changed(Phase.PARKED, next_attempt=NEXT)[2] == "connection refused · next try 02:44:18"
    assert changed(Phase.PARKED, next_attempt=None)[2] == "connection refused · no more tries by itself"


def test_pauses_and_stops_say_what_they_are():
    assert changed(Phase.PAUSED)[2] == "closed until it is resumed"
    assert changed(Phase.STOPPED)[2] == "closed"


def test_a_connection_whose_service_is_lost_says_that_nothing_is_known_of_it():
    away = Failure(
        kind=FailureClass.TRANSIENT, stage=Stage.SESSION, reason="not known: munich is not attached"
    )
    assert changed(Phase.STOPPED, failure=away)[2] == "not known: munich is not attached"


def test_a_missed_heartbeat_counts():
    status = connection("desk", phase=Phase.SUSPECT, failures=2)
    assert told(ProbeFailed, status=status, probe="heartbeat", failure=NO_ANSWER)[1:] == (
        "missed",
        "no answer to OPTIONS · 2 of 3",
    )


def test_a_loop_that_stood_still_says_how_long_and_who_held_it_up():
    assert told(Stalled, seconds=2.31, connection="queue", where="ping/driver.py:41 in beat") == (
        "queue",
        "stalled",
        "nothing went on for 2.3 s · held up at ping/driver.py:41 in beat",
    )


def test_a_recovery_says_how_long_it_was_away():
    assert told(Recovered, status=connection("desk"), downtime=45.2, attempts=5)[2] == (
        "back after 45 s and 5 attempts"
    )
    assert told(Reconnected, connections=("a", "b", "c"), downtime=45)[2] == (
        "all 3 that were lost are back after 45 s"
    )
    assert told(Reconnected, connections=("a",), downtime=45)[2] == "a is back after 45 s"


def test_budgets_calls_limits_and_listeners_are_told():
    budget = BudgetStatus(host="pbx2", used=4, limit=4, window=600.0, next_free=NEXT)
    assert told(BudgetChanged, budget=budget) == (
        "pbx2",
        "logins",
        "4 of 4 refused logins in 10 min · next login 02:44:18",
    )
    desk = connection("desk")
    assert "pbx2 is used up" in told(LoginWithheld, status=desk, host="pbx2")[2]
    assert (
        told(Reported, status=desk, report="incomingCall", text="call from 200", fields={})[2]
        == "call from 200"
    )
    assert told(MaxAttemptsReached, status=desk, attempts=15)[2].startswith("all 15 attempts failed")
    assert told(ListenerDetached, listener="journal", errors=1)[2] == "raised 1 error and is no longer called"


def test_what_a_sibling_brought_about_says_who_and_what_quietly():
    desk = connection("desk")
    assert told(WokenBySibling, status=desk, sibling="ami") == (
        "desk",
        "woken",
        "ami is back · not waiting any longer",
    )
    assert told(DoubtedBySibling, status=desk, sibling="ami") == (
        "desk",
        "asked",
        "ami was lost · asked for a sign of life at once",
    )
    for kind in (WokenBySibling, DoubtedBySibling):
        assert log_line(kind(seq=1, time=0.0, health=100, status=desk, sibling="ami")).tone == "muted"


@pytest.mark.parametrize(
    ("kind", "fields", "text"),
    [
        (ProbeAnswered, {"probe": "heartbeat"}, "heartbeat in 12 ms"),
        (ProbeAnswered, {"probe": "check", "finding": "4 calls"}, "check · 4 calls"),
        (FactsChanged, {}, "Asterisk 22.10.1 · 4 calls"),
        (Stable, {}, "attempts count from nothing again"),
        (TimesChanged, {}, "its times are told by the clock as it is now"),
    ],
)
def test_what_happens_all_the_time_is_a_detail(kind, fields, text):
    line = log_line(kind(seq=1, time=0.0, health=100, status=connection("desk", "ami"), **fields))
    assert (line.level, line.subject, line.text) == (Level.DETAIL, "desk", text)


@pytest.mark.parametrize(
    ("phase", "level"),
    [(phase, Level.CHANGE) for phase in (Phase.UP, Phase.CONNECTING, Phase.PAUSED, Phase.STOPPED)]
    + [(phase, Level.PROBLEM) for phase in (Phase.SUSPECT, Phase.WAITING, Phase.PARKED, Phase.BLOCKED)],
)
def test_trouble_is_a_problem_and_an_attempt_under_way_is_not(phase, level):
    event = StateChanged(
        seq=1, time=0.0, health=100, status=connection("a", phase=phase), previous=Phase.STOPPED
    )
    assert log_line(event).level is level


def test_every_kind_of_event_has_been_thought_of():
    assert set(log_line.registry) - {object} == set(AnyEvent.__args__)


def test_an_event_of_a_kind_without_a_sentence_is_told_by_its_name():
    class Unheard(Event, frozen=True, kw_only=True, tag="connection:unheard"):
        pass

    line = log_line(Unheard(seq=1, time=0.0, health=None))
    assert (line.text, line.level) == ("connection:unheard", Level.DETAIL)


def test_a_spare_says_where_it_stands_by_and_what_it_took_over_from():
    spare = SpareStatus(endpoint="pbx2:5060", phase=Phase.UP, since=0.0)
    assert told(SpareChanged, status=connection("desk", spare=spare))[1:] == (
        "spare",
        "stands by on pbx2:5060",
    )
    lost = replace(spare, phase=Phase.WAITING, failure=NO_ANSWER)
    assert told(SpareChanged, status=connection("desk", spare=lost))[2] == (
        "waiting on pbx2:5060: no answer to OPTIONS"
    )
    status = connection("desk", endpoint="pbx2:5060")
    assert told(FailedOver, status=status, previous="pbx1:5060", failure=NO_ANSWER)[1:] == (
        "failover",
        "the spare on pbx2:5060 took over: no answer to OPTIONS",
    )
    assert told(FailedOver, status=status, previous="pbx1:5060", failure=None)[1] == "home"


@pytest.mark.parametrize(
    ("spare", "text"),
    [
        (None, "none stands by"),
        (SpareStatus(endpoint="pbx2:5060", phase=Phase.CONNECTING, since=0.0), "opens on pbx2:5060"),
    ],
)
def test_a_spare_that_opens_or_is_gone_is_a_detail(spare, text):
    line = log_line(SpareChanged(seq=1, time=0.0, health=100, status=connection("desk", spare=spare)))
    assert (line.level, line.text) == (Level.DETAIL, text)


def test_a_peek_says_what_answers_again():
    assert told(WokenByPeek, status=connection("desk", "sip", Phase.WAITING)) == (
        "desk",
        "woken",
        "pbx1:5060/tcp answers again · not waiting any longer",
    )


def test_flapping_says_in_which_rhythm_and_what_cures_it():
    assert told(Flapping, status=connection("desk", flap=DROPS)) == (
        "desk",
        "flapping",
        "drops after 60 s of silence · heartbeat_interval = 40 or less keeps it open",
    )
    assert told(Steady, status=connection("desk"), outlived=DROPS)[1:] == (
        "steady",
        "has outlived what it was flapping of: drops after 60 s of silence",
    )


def test_what_an_operator_did_is_told_with_what_it_was_about():
    desk = connection("desk", phase=Phase.WAITING)
    assert told(WokenByOperator, status=desk)[1:] == (
        "skipped",
        "the rest of the countdown · not waiting any longer",
    )
    assert told(Acknowledged, status=connection("desk", phase=Phase.WAITING, acknowledged=NEXT))[1:] == (
        "noted",
        "acknowledged",
    )
    assert told(Acknowledged, status=desk)[2] == "no longer acknowledged"
    mute = MuteStatus(group="pbx1", since=0.0, until=NEXT)
    line = log_line(Muted(seq=1, time=NEXT - 60, health=100, mute=mute))
    assert (line.subject, line.word, line.text) == ("pbx1", "muted", "until 02:44")
    assert told(Unmuted, group="pbx1", expired=True) == ("pbx1", "unmuted", "its time is over")
    assert told(Unmuted, group="pbx1", expired=False)[2] == "ended before its time"
    assert told(Commanded, command="skip", connection="desk") == ("desk", "command", "skip")
    assert told(Commanded, command="reconnect", connection=None) == ("", "command", "reconnect all")


def test_new_settings_say_how_many_they_touched():
    assert told(Reloaded, added=("a", "b"), removed=(), changed=("c",))[2] == "settings: 2 added, 1 changed"
    assert told(Reloaded, added=(), removed=(), changed=())[2] == "settings: nothing has changed"
    assert told(ReloadFailed, reason="line 3: wrong")[2] == "not taken up, nothing has changed: line 3: wrong"
    assert told(Changed, status=connection("desk"))[2] == "other settings · opened anew with them"


def test_a_jump_of_the_clock_says_what_became_of_it():
    assert told(ClockJumped, suspended=3600.0, stepped=0.0)[2] == (
        "this machine slept for 60 min · everything is checked now"
    )
    assert told(ClockJumped, suspended=0.0, stepped=-90.0)[2].startswith("its clock was set back by 90 s")
    assert " and its clock was set forward" in told(ClockJumped, suspended=60.0, stepped=60.0)[2]
