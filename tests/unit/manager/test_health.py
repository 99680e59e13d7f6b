from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.engine import health
from manager.model import Band, Failure, FailureClass, Phase, Stage, Status
from manager.settings import Policy
from manager.shares import shares

POLICY = Policy()


def status(phase: Phase = Phase.UP, **fields) -> Status:
    plain = Status(name="one", type="sip", group="pbx1", phase=phase, since=0.0, **fields)
    costs = health.costs(plain, POLICY)
    return Status(
        name="one", type="sip", group="pbx1", phase=phase, since=0.0, score=health.score(costs), **fields
    )


@pytest.mark.parametrize(
    ("failures", "threshold", "points"),
    [(0, 3, 100), (1, 3, 67), (2, 3, 34), (3, 3, 0), (1, 1, 0), (9, 3, 0)],
)
def test_each_failure_in_a_row_costs_its_share_of_the_threshold(failures, threshold, points):
    assert status(Phase.SUSPECT, failures=failures, threshold=threshold).score == points


@pytest.mark.parametrize("phase", [phase for phase in Phase if not phase.connected])
def test_what_is_not_up_has_no_points(phase):
    assert status(phase).score == 0


@pytest.mark.parametrize(
    ("latency", "usual", "points"),
    [
        (0.149, 0.1, 0),
        (0.30, 0.1, 0),
        (0.06, 0.01, 0),
        (0.061, 0.01, 1),
        (10.0, 0.1, 20),
        (99.0, 0.1, 20),
        (5.15, 0.1, 10),
        (None, 0.1, 0),
        (5.0, None, 0),
    ],
)
def test_slow_replies_cost_up_to_twenty_points(latency, usual, points):
    assert health.slow_points(latency, usual, 10.0) == points


def test_a_connection_that_is_always_slow_costs_nothing():
    assert health.slow_points(4.0, 3.9, 10.0) == 0


def test_every_lost_point_has_a_line():
    failing = status(
        Phase.SUSPECT,
        failures=1,
        latency=5.15,
        usual_latency=0.1,
        failure=Failure(kind=FailureClass.TRANSIENT, stage=Stage.HEARTBEAT, reason="no answer"),
    )
    lines = health.costs(failing, POLICY)
    assert [(cost.points, cost.reason) for cost in lines] == [
        (33, "1 of 3 failures in a row: no answer"),
        (10, "slow: 5150 ms, usually 100 ms"),
    ]
    assert health.score(lines) == failing.score == 57


def test_the_whole_is_the_weighted_mean_rounded_down():
    assert health.aggregate([status(), status(), status(Phase.WAITING)]) == 66
    assert health.aggregate([status(weight=3.0), status(Phase.WAITING)]) == 75
    assert health.aggregate([status(), status(Phase.WAITING, weight=0.001)]) == 99


def test_what_is_paused_or_stopped_does_not_count():
    assert health.aggregate([status(), status(Phase.PAUSED), status(Phase.STOPPED)]) == 100


def test_nothing_to_count_is_unknown_and_not_zero():
    assert health.aggregate([]) is None
    assert health.aggregate([status(Phase.PAUSED)]) is None
    assert health.band(None) is Band.UNKNOWN


@pytest.mark.parametrize(
    ("percent", "band"),
    [
        (100, Band.GREEN),
        (80, Band.GREEN),
        (79, Band.ORANGE),
        (50, Band.ORANGE),
        (49, Band.RED),
        (0, Band.RED),
    ],
)
def test_bands(percent, band):
    assert health.band(percent) is band


statuses = st.builds(
    status,
    phase=st.sampled_from(Phase),
    failures=st.integers(0, 5),
    weight=st.floats(0.001, 1000),
    latency=st.none() | st.floats(0, 100),
    usual_latency=st.none() | st.floats(0, 100),
)


@given(st.lists(st.tuples(statuses, statuses), max_size=20))
def test_the_running_aggregate_equals_the_one_computed_anew(changes):
    running = health.Aggregate()
    for old, new in changes:
        running.replace(None, old)
        running.replace(old, new)
    assert running.health == health.aggregate([new for _, new in changes])


@given(statuses)
def test_a_score_is_from_0_to_100_and_the_costs_account_for_all_of_it(one):
    costs = health.costs(one, POLICY)
    assert 0 <= one.score <= 100
    assert sum(cost.points for cost in costs) == 100 - one.score


@pytest.mark.parametrize(
    ("previous", "points", "told"),
    [
        (Band.GREEN, 80, Band.GREEN),
        (Band.GREEN, 79, Band.ORANGE),
        (Band.GREEN, 49, Band.RED),
        (Band.ORANGE, 84, Band.ORANGE),
        (Band.ORANGE, 85, Band.GREEN),
        (Band.ORANGE, 49, Band.RED),
        (Band.RED, 54, Band.RED),
        (Band.RED, 55, Band.ORANGE),
        (Band.RED, 80, Band.ORANGE),
        (Band.RED, 84, Band.ORANGE),
        (Band.RED, 85, Band.GREEN),
        (Band.UNKNOWN, 80, Band.GREEN),
        (Band.UNKNOWN, 0, Band.RED),
        (Band.RED, None, Band.UNKNOWN),
    ],
)
def test_a_band_falls_at_once_and_rises_five_points_above_its_floor(previous, points, told):
    assert health.steady_band(previous, points) is told


@given(st.sampled_from(Band), st.integers(0, 100))
def test_a_band_that_is_told_is_never_better_than_that_of_the_number_and_holds(previous, points):
    ranks = (Band.RED, Band.ORANGE, Band.GREEN)
    told = health.steady_band(previous, points)
    assert ranks.index(told) <= ranks.index(health.band(points))
    assert health.steady_band(told, points) is told


_counted = st.tuples(
    st.sampled_from(Phase), st.integers(0, 3), st.floats(0.001, 1000, allow_nan=False, allow_infinity=False)
)


@given(st.lists(_counted))
def test_what_each_connection_costs_the_whole_sums_up_to_what_it_lacks(drawn):
    statuses = [
        msgspec.structs.replace(status(phase, failures=failures, weight=weight), name=str(number))
        for number, (phase, failures, weight) in enumerate(drawn)
    ]
    whole = health.aggregate(statuses)
    costs = shares(statuses)
    assert sum(costs.values()) == (0 if whole is None else 100 - whole)
    full = {each.name for each in statuses if each.score == 100 or not each.phase.counts}
    assert not full & set(costs)
    assert list(costs.values()) == sorted(costs.values(), reverse=True)


def test_the_heavier_connection_costs_the_whole_more():
    down = [
        msgspec.structs.replace(status(phase, weight=weight), name=name)
        for name, phase, weight in (("a", Phase.PARKED, 1.0), ("b", Phase.WAITING, 2.0), ("c", Phase.UP, 3.0))
    ]
    assert shares(down) == {"b": 33, "a": 17}
