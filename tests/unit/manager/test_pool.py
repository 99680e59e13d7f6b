"""Which endpoint is next, as the pool decides it: no sockets and no time but what is passed in."""

from __future__ import annotations

from collections import Counter

import hypothesis.strategies as st
import pytest
from hypothesis import given
from msgspec.structs import replace

from manager.endpoint import parse_endpoint
from manager.engine.ejection import FIRST, LONGEST, MOST, Ejections
from manager.engine.pool import Pool
from manager.model import Failure, FailureClass, Stage
from manager.settings import Strategy

A, B, C = (parse_endpoint(f"ami://{host}") for host in ("a", "b", "c"))
ALL = (A, B, C)


def failure(kind: FailureClass = FailureClass.TRANSIENT, stage: Stage = Stage.CONNECT) -> Failure:
    return Failure(kind=kind, stage=stage, reason="gone")


def fail(pool: Pool, now: float = 0.0, **how) -> bool:
    left = pool.failed(failure(**how), now)
    pool.move(now)
    return left


def test_a_pool_of_none_is_refused():
    with pytest.raises(ValueError, match="needs an endpoint"):
        Pool(())


@pytest.mark.parametrize("strategy", Strategy)
def test_in_one_round_every_endpoint_is_tried_once(strategy):
    pool = Pool(ALL, strategy, chance=lambda: 0.99)
    seen = [pool.current]
    while fail(pool):
        seen.append(pool.current)
    assert sorted(each.host for each in seen) == ["a", "b", "c"]


def test_priority_goes_by_the_order_and_to_the_first_whose_time_is_up():
    pool = Pool(ALL)
    assert pool.current is A
    fail(pool)
    assert pool.current is B
    pool.holds()
    fail(pool, 10.0)
    assert pool.current is C
    pool.holds()
    fail(pool, FIRST)
    assert pool.current is A


def test_round_robin_takes_each_in_turn():
    pool = Pool(ALL, Strategy.ROUND_ROBIN)
    seen = []
    for _ in range(6):
        seen.append(pool.current)
        pool.holds()
        pool.begin_round()
        pool.move(0.0)
    assert seen == [A, B, C, A, B, C]


def test_least_latency_measures_every_endpoint_and_then_takes_the_fastest():
    pool = Pool(ALL, Strategy.LEAST_LATENCY)
    latency = {A: 0.05, B: 0.01, C: 0.03}
    seen = []
    for _ in range(5):
        seen.append(pool.current)
        pool.measured(latency[pool.current])
        pool.move(0.0)
    assert set(seen[:3]) == {A, B, C}
    assert seen[3:] == [B, B]


def test_one_slow_reply_does_not_send_a_connection_elsewhere():
    pool = Pool((A, B), Strategy.LEAST_LATENCY)
    for latency in (0.01, 0.01, 5.0):
        pool.measured(latency)
    pool.move(0.0)
    assert pool.current is B
    pool.measured(0.02)
    pool.move(0.0)
    assert pool.current is A


def test_weights_are_shares_of_the_choices():
    chances = iter(number / 1000 for number in range(1000))
    pool = Pool((replace(A, weight=3.0), replace(B, weight=1.0)), Strategy.WEIGHTED, chance=lambda: 0.0)
    pool._chance = lambda: next(chances)
    seen = Counter()
    for _ in range(1000):
        pool.move(0.0)
        seen[pool.current.host] += 1
    assert seen == {"a": 750, "b": 250}


def test_random_gives_each_the_same_share_whatever_its_weight():
    chances = iter(number / 300 for number in range(300))
    pool = Pool((replace(A, weight=9.0), B, C), Strategy.RANDOM, chance=lambda: 0.0)
    pool._chance = lambda: next(chances)
    seen = Counter()
    for _ in range(300):
        pool.move(0.0)
        seen[pool.current.host] += 1
    assert set(seen.values()) == {100}


def test_all_set_aside_the_one_whose_time_is_up_first_is_tried():
    pool = Pool(ALL)
    for now in (0.0, 1.0, 2.0):
        fail(pool, now)
    assert pool.current is A
    fail(pool, 3.0)
    assert pool.current is B


def test_one_refusal_is_not_final_while_others_are_left():
    pool = Pool((A, B))
    bad = failure(FailureClass.CONFIGURATION)
    assert pool.failed(bad, 0.0)
    pool.move(0.0)
    assert not pool.failed(failure(), 0.0)
    assert pool.kind_of(bad) is FailureClass.TRANSIENT
    pool.failed(bad, 0.0)
    assert pool.kind_of(bad) is FailureClass.CONFIGURATION


def test_a_withheld_login_passes_an_endpoint_over_without_blame():
    pool = Pool((A, B))
    assert pool.withheld()
    pool.move(0.0)
    assert pool.current is B
    pool.holds()
    pool.move(0.0)
    assert pool.current is A


# --- addresses of a name --------------------------------------------------------------------------------


def test_an_address_that_hangs_after_the_connect_is_tried_last_from_then_on():
    pool = Pool((A,))
    assert pool.ordered(["1", "2", "3"], 0.0) == ["1", "2", "3"]
    pool.using("1")
    assert pool.address == "1"
    assert pool.failed(failure(stage=Stage.LOGIN), 0.0)
    pool.move(0.0)
    assert pool.ordered(["1", "2", "3"], 0.0) == ["2", "3", "1"]
    pool.using("2")
    assert pool.failed(failure(stage=Stage.TLS), 0.0)
    pool.move(0.0)
    assert pool.ordered(["1", "2", "3"], 0.0) == ["3", "1", "2"]
    pool.using("3")
    assert not pool.failed(failure(stage=Stage.HEARTBEAT), 0.0)


def test_a_name_is_set_aside_when_each_of_its_addresses_is():
    pool = Pool((A, B))
    for address in ("1", "2"):
        pool.ordered(["1", "2"], 0.0)
        pool.using(address)
        assert pool.failed(failure(stage=Stage.LOGIN), 0.0)
        pool.move(0.0)
    assert pool.current is B


def test_a_failed_connect_is_about_all_addresses_for_all_were_tried():
    pool = Pool((A, B))
    pool.ordered(["1", "2"], 0.0)
    pool.using("1")
    pool.failed(failure(stage=Stage.CONNECT), 0.0)
    pool.move(0.0)
    assert pool.current is B


def test_an_address_that_holds_is_trusted_again():
    pool = Pool((A,))
    pool.ordered(["1", "2"], 0.0)
    pool.using("1")
    pool.failed(failure(stage=Stage.LOGIN), 0.0)
    pool.ordered(["1", "2"], 0.0)
    pool.using("1")
    pool.holds()
    assert pool.ordered(["1", "2"], 0.0) == ["1", "2"]


def test_one_address_alone_is_not_worth_telling():
    pool = Pool((A,))
    pool.ordered(["1"], 0.0)
    pool.using("1")
    assert pool.address == ""


# --- being set aside ------------------------------------------------------------------------------------


def test_each_failure_sets_aside_twice_as_long_up_to_a_bound():
    ejections = Ejections()
    lengths = []
    for number in range(8):
        ejections.failed("a", 1000.0 * number)
        lengths.append(ejections.until("a") - 1000.0 * number)
    assert lengths[:4] == [FIRST, 2 * FIRST, 4 * FIRST, 8 * FIRST]
    assert lengths[4:] == [LONGEST] * 4
    ejections.holds("a")
    assert ejections.until("a") == 0.0


@given(
    st.sampled_from(list(Strategy)),
    st.lists(
        st.tuples(
            st.sampled_from(["failed", "holds", "withheld", "measured", "wish", "address"]),
            st.floats(0, 500),
            st.sampled_from(list(FailureClass)),
            st.sampled_from(list(Stage)),
        ),
        max_size=60,
    ),
    st.floats(0, 0.999),
)
def test_whatever_happens_a_round_ends_and_there_is_always_an_endpoint(strategy, story, chance):
    pool = Pool(ALL, strategy, chance=lambda: chance)
    now, in_a_row = 0.0, 0
    for what, later, kind, stage in story:
        now += later
        match what:
            case "failed":
                in_a_row = in_a_row + 1 if pool.failed(failure(kind, stage), now) else 0
            case "withheld":
                in_a_row = in_a_row + 1 if pool.withheld() else 0
            case "holds":
                pool.holds()
                in_a_row = 0
            case "measured":
                pool.measured(later)
            case "wish":
                pool.begin_round()
                in_a_row = 0
            case "address":
                pool.ordered(["1", "2"], now)
                pool.using("1" if later < 250 else "2")
                continue
        pool.move(now)
        assert pool.current in ALL
        assert in_a_row <= 2 * len(ALL)


def test_a_name_that_stands_for_other_addresses_each_time_is_remembered_within_bounds():
    ejections = Ejections()
    for now in range(2 * MOST):
        ejections.failed((A, str(now)), now)
    kept = [now for now in range(2 * MOST) if ejections.until((A, str(now)))]
    assert kept == list(range(MOST, 2 * MOST))
    ejections.failed((A, "0"), 0.0)
    assert ejections.until((A, "0")) == 0.0
