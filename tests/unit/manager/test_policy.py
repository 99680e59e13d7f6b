from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from manager.engine.policy import delay, next_wait
from manager.model import Failure, FailureClass, Phase, Stage
from manager.settings import Policy

policies = st.builds(
    Policy,
    base_delay=st.floats(0.01, 60),
    max_delay=st.floats(60, 3600),
    max_attempts=st.integers(1, 50),
    jitter=st.floats(0, 1),
    cooldown=st.floats(0, 3600),
    blocked_retry=st.floats(0, 7200),
)
chances = st.floats(0, 1)
failures = st.builds(
    Failure,
    kind=st.sampled_from(FailureClass),
    stage=st.sampled_from(Stage),
    reason=st.just("why"),
    retry_after=st.none() | st.floats(0, 1e12),
)


def test_the_plain_schedule():
    policy = Policy(jitter=0.0)
    assert [delay(policy, n, 0.7) for n in range(1, 8)] == [1, 2, 4, 8, 16, 30, 30]


@given(policies, st.integers(1, 10_000), chances)
def test_no_wait_exceeds_the_cap_or_falls_below_what_jitter_may_take_off(policy, attempt, chance):
    seconds = delay(policy, attempt, chance)
    plain = min(policy.base_delay * 2.0 ** min(attempt - 1, 64), policy.max_delay)
    assert plain * (1 - policy.jitter) - 1e-9 <= seconds <= plain <= policy.max_delay


@given(policies, failures, st.integers(1, 60), st.integers(0, 5), chances)
def test_every_failure_leads_to_a_wait_that_is_numbered_only_while_it_counts(
    policy, failure, attempt, refusals, chance
):
    wait = next_wait(policy, failure, attempt=attempt, refusals=refusals, chance=chance)
    assert wait.seconds >= 0
    assert wait.phase in (Phase.WAITING, Phase.PARKED, Phase.BLOCKED)
    assert wait.attempt == (attempt if wait.phase is Phase.WAITING else 0)
    if failure.kind in (FailureClass.TRANSIENT, FailureClass.OVERLOAD):
        assert wait.phase is (Phase.WAITING if attempt <= policy.max_attempts else Phase.PARKED)


@given(policies, failures, st.integers(1, 60), chances)
def test_a_servers_wish_for_patience_never_shortens_a_wait_and_is_bounded(policy, failure, attempt, chance):
    wait = next_wait(policy, failure, attempt=attempt, refusals=0, chance=chance)
    if wait.phase is Phase.WAITING:
        longest = max(policy.max_delay, policy.cooldown, policy.blocked_retry)
        assert delay(policy, attempt, chance) <= wait.seconds <= longest
