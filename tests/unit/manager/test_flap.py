"""What the rhythm of sessions that end by themselves says, in given times."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.engine.flap import CONSECUTIVE, MANY, WINDOW, FlapWatch, agree
from manager.model import Failure, FailureClass, Flap, FlapCause, Stage
from manager.settings import Policy

CLOSED = Failure(kind=FailureClass.TRANSIENT, stage=Stage.SESSION, reason="closed by the server")
GIVEN_UP = Failure(kind=FailureClass.TRANSIENT, stage=Stage.HEARTBEAT, reason="no answer to a heartbeat")
NO_CHECK = Failure(kind=FailureClass.TRANSIENT, stage=Stage.CHECK, reason="no binding")
FOREVER = Policy(heartbeat_interval=100_000.0)


class Line:
    """A connection that waits a second after each loss."""

    def __init__(self, **policy: object) -> None:
        self.policy = Policy(**policy)
        self.watch = FlapWatch(self.policy)
        self.now = 1000.0

    def lives(
        self,
        age: float,
        end: Failure | None = CLOSED,
        *,
        answered: bool = True,
        messages: tuple[float, ...] = (),
    ) -> Flap | None:
        """Let a session live so long, its heartbeats answered or not, with messages at these ages."""
        up, interval = self.now, self.policy.heartbeat_interval
        beats = [interval * n for n in range(1, int(age / interval) + 1)] if answered else []
        self.watch.begins(up)
        for at, note in sorted(
            [(at, self.watch.answered) for at in beats if at < age]
            + [(at, self.watch.heard) for at in messages],
            key=lambda entry: entry[0],
        ):
            note(up + at)
        self.watch.ended(end, up + age)
        self.now = up + age + 1.0
        return self.watch.flap


def test_sessions_that_end_in_silence_at_the_same_age_have_met_an_idle_timeout():
    line = Line(heartbeat_interval=120.0)
    assert line.lives(60.1) is None
    assert line.lives(59.9) is None
    flap = line.lives(60.0)
    assert (flap.cause, flap.after) == (FlapCause.IDLE_TIMEOUT, pytest.approx(60.0))
    assert flap.reason == (
        "drops after 60 s of silence, likely by an idle timeout of a proxy or NAT "
        "(the default of nginx and AWS's ALB)"
    )
    assert flap.hint.startswith("heartbeat_interval = 40 or less keeps it open; if it drops all the same")


def test_a_heartbeat_that_its_own_deadline_would_outlast_is_advised_with_a_shorter_one():
    line = Line(heartbeat_interval=25.0)
    flap = [line.lives(12.0) for _ in range(3)][-1]
    assert flap.cause is FlapCause.IDLE_TIMEOUT
    assert "heartbeat_interval = 8 or less keeps it open, with a heartbeat_timeout below it" in flap.hint


@pytest.mark.parametrize("age", [30.0, 60.0, 120.0, 300.0, 350.0, 600.0, 900.0, 3600.0])
def test_sessions_whose_heartbeats_were_answered_are_cured_by_no_shorter_interval(age):
    line = Line(heartbeat_interval=25.0)
    flap = [line.lives(age - 0.02) for _ in range(3)][-1]
    assert flap.cause is FlapCause.SESSION_AGE
    assert "a shorter heartbeat_interval would not help" in flap.hint
    assert "keeps it open" not in flap.hint


@pytest.mark.parametrize("age", [20.0, 60.0, 120.0, 240.0, 300.0, 350.0, 600.0, 900.0, 3600.0])
def test_without_heartbeats_the_same_ages_are_idle_timeouts(age):
    line = Line(heartbeat_interval=7200.0)
    flap = [line.lives(age) for _ in range(3)][-1]
    assert flap.cause is FlapCause.IDLE_TIMEOUT
    assert f"heartbeat_interval = {int(age * 2 / 3)} or less" in flap.hint


def test_the_same_silence_after_traffic_of_any_length_is_an_idle_timeout():
    line = Line(heartbeat_interval=600.0)
    for last in (4.0, 33.0):
        assert line.lives(last + 60.0, messages=(1.0, last)) is None
    flap = line.lives(78.0, messages=(1.0, 18.0))
    assert (flap.cause, flap.after) == (FlapCause.IDLE_TIMEOUT, pytest.approx(60.0))


def test_the_same_silence_that_was_survived_before_is_none():
    line = Line(heartbeat_interval=600.0)
    for last in (62.0, 124.0, 186.0):
        flap = line.lives(last + 60.0, messages=tuple(62.0 * n for n in range(1, int(last / 62) + 1)))
    assert flap is None


def test_messages_that_never_stop_speak_against_an_idle_timeout():
    line = Line(heartbeat_interval=600.0)
    flap = [line.lives(60.5, messages=tuple(range(1, 61))) for _ in range(3)][-1]
    assert flap.cause is FlapCause.SESSION_AGE


def test_what_a_server_says_as_the_session_comes_up_is_no_heartbeat():
    line = Line(heartbeat_interval=25.0)
    flap = [line.lives(20.0, messages=(0.01,)) for _ in range(3)][-1]
    assert flap.cause is FlapCause.IDLE_TIMEOUT


def test_sessions_that_never_answer_a_heartbeat_are_hung_or_forgotten_on_the_way():
    line = Line(heartbeat_interval=300.0)
    flap = [line.lives(316.0, GIVEN_UP, answered=False) for _ in range(3)][-1]
    assert flap.cause is FlapCause.NO_HEARTBEAT
    assert "a NAT or firewall forgets the connection within 300 s" in flap.hint


@pytest.mark.parametrize("end", [GIVEN_UP, NO_CHECK])
def test_the_regularity_of_our_own_clock_says_nothing(end):
    line = Line(heartbeat_interval=25.0)
    assert [line.lives(91.0, end) for _ in range(3)] == [None, None, None]


def test_ends_that_are_noticed_by_a_heartbeat_agree_by_chance_while_they_are_young():
    young, old = Line(heartbeat_interval=25.0), Line(heartbeat_interval=25.0)
    assert [young.lives(50.0) for _ in range(3)][-1] is None
    assert [old.lives(300.0) for _ in range(3)][-1].cause is FlapCause.SESSION_AGE


def test_sessions_shorter_than_any_timeout_are_flapping_by_their_number_alone():
    line = Line()
    assert [line.lives(0.2) for _ in range(4)] == [None] * 4
    flap = line.lives(0.2)
    assert (flap.cause, flap.after, flap.reason) == (FlapCause.IRREGULAR, None, "lost 5 times in 5 s")


def test_many_losses_are_many_only_in_a_short_time():
    line = Line()
    assert [line.lives(age) for age in (190.0, 237.0, 302.0, 71.0, 111.0)][-1] is None
    assert line.lives(3.0) is not None


def test_a_refusal_and_an_end_by_request_are_no_loss():
    line = Line(heartbeat_interval=120.0)
    refused = Failure(kind=FailureClass.CREDENTIALS, stage=Stage.SESSION, reason="forbidden")
    assert [line.lives(60.0, end) for end in (None, refused, None, refused, None, CLOSED, CLOSED)] == [
        None
    ] * 7


def test_a_session_that_was_closed_here_after_a_longer_life_disproves_the_rhythm():
    line = Line(heartbeat_interval=7200.0)
    assert [line.lives(age, end) for age, end in ((60, CLOSED), (60, CLOSED), (500, None), (60, CLOSED))] == [
        None
    ] * 4
    assert [line.lives(60), line.lives(60)][-1].cause is FlapCause.IDLE_TIMEOUT


def test_one_that_was_closed_here_sooner_says_nothing_about_it():
    line = Line(heartbeat_interval=7200.0)
    for age, end in ((60.0, CLOSED), (60.0, CLOSED), (20.0, None)):
        assert line.lives(age, end) is None
    assert line.lives(60.0).cause is FlapCause.IDLE_TIMEOUT


def test_what_was_recognised_stays_while_sessions_follow_it_and_falls_with_one_that_outlives_it():
    line = Line(heartbeat_interval=30.0)
    first = [line.lives(20.0) for _ in range(3)][-1]
    assert line.lives(20.2) is first
    assert line.lives(59.0) is first
    line.watch.begins(line.now)
    line.watch.answered(line.now + 59.0)
    assert line.watch.flap is first
    line.watch.answered(line.now + 89.0)
    assert line.watch.flap is None


def test_a_rhythm_takes_the_place_of_mere_number_but_not_the_other_way_round():
    line = Line(heartbeat_interval=25.0)
    for age in (1.0, 2.0, 1.0, 3.0, 1.0):
        flap = line.lives(age)
    assert flap.cause is FlapCause.IRREGULAR
    for _ in range(3):
        flap = line.lives(20.0)
    assert flap.cause is FlapCause.IDLE_TIMEOUT
    for age in (1.0, 2.0, 1.0, 3.0, 1.0):
        assert line.lives(age) is flap


def test_another_rhythm_takes_the_place_of_the_first():
    line = Line(heartbeat_interval=120.0)
    first = [line.lives(60.0) for _ in range(3)][-1]
    second = [line.lives(20.0) for _ in range(3)][-1]
    assert (first.after, second.after) == (pytest.approx(60.0), pytest.approx(20.0))


def test_switched_off_it_recognises_nothing():
    line = Line(heartbeat_interval=120.0, flap_watch=False)
    assert [line.lives(60.0) for _ in range(9)] == [None] * 9


@given(st.lists(st.floats(0.0, 100_000.0), min_size=1, max_size=5))
def test_times_agree_only_within_a_second_or_three_per_cent(times):
    spread = max(times) - min(times)
    assert not agree(times) or spread <= max(1.0, 0.03 * max(times))
    assert agree([times[0]] * 3)


@given(st.floats(5.0, 100_000.0), st.lists(st.floats(0.0, 0.01), min_size=3, max_size=3))
def test_three_of_the_same_age_are_always_recognised(age, drift):
    line = Line(heartbeat_interval=FOREVER.heartbeat_interval)
    flaps = [line.lives(age + each * min(age, 30.0)) for each in drift]
    assert [flap is not None for flap in flaps] == [False] * (CONSECUTIVE - 1) + [True]


@given(st.lists(st.floats(0.0, 2000.0), max_size=40))
def test_flapping_needs_three_that_agree_or_five_in_ten_minutes(ages):
    line = Line(heartbeat_interval=FOREVER.heartbeat_interval)
    ends: list[tuple[float, float]] = []
    for age in ages:
        before, flap = line.watch.flap, line.lives(age)
        ends.append((line.now - 1.0, age))
        if flap is not None and flap is not before:
            if flap.cause is FlapCause.IRREGULAR:
                assert ends[-1][0] - ends[-MANY][0] <= WINDOW
            else:
                assert agree(each for _, each in ends[-CONSECUTIVE:])
