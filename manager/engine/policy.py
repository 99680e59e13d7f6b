"""What is tried again, and when: pure functions of the policy's numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from manager.model import Failure, FailureClass, Phase
from manager.settings import Policy

REFUSALS_TO_BLOCK = 2
"""A server that has just started may refuse good credentials once; one that does it twice means it."""

_HOPELESS = (FailureClass.CONFIGURATION, FailureClass.PERMANENT)


@dataclass(frozen=True, slots=True)
class Wait:
    """How long to wait, in which phase, and the number of the attempt that follows (0: it has none)."""

    phase: Phase
    seconds: float
    attempt: int


MOVE = Wait(Phase.WAITING, 0.0, 0)
"""No wait: another endpoint is opened at once."""


def delay(policy: Policy, attempt: int, chance: float) -> float:
    """Return the seconds before an attempt: doubled each time, capped, then shortened by the jitter.

    Args:
        policy: the numbers.
        attempt: number of the attempt that follows, from 1.
        chance: a random number from 0 to 1.
    """
    doublings = min(attempt - 1, 64)
    plain = min(policy.base_delay * 2.0**doublings, policy.max_delay)
    return plain * (1.0 - policy.jitter * chance)


def next_wait(policy: Policy, failure: Failure, *, attempt: int, refusals: int, chance: float) -> Wait:
    """Decide what follows a failure.

    Args:
        policy: the numbers.
        failure: what ended the last session or attempt.
        attempt: number of the attempt that would follow.
        refusals: how often in a row the credentials were refused, this failure included.
        chance: a random number from 0 to 1.
    """
    refused = failure.kind is FailureClass.CREDENTIALS and refusals >= REFUSALS_TO_BLOCK
    if refused or failure.kind in _HOPELESS:
        return Wait(Phase.BLOCKED, policy.blocked_retry or math.inf, 0)
    asked = patience(policy, failure)
    if attempt > policy.max_attempts:
        return Wait(Phase.PARKED, max(policy.cooldown, asked) if policy.cooldown else math.inf, 0)
    return Wait(Phase.WAITING, max(delay(policy, attempt, chance), asked), attempt)


def patience(policy: Policy, failure: Failure) -> float:
    """Return what the server asked for, up to the longest wait that the policy knows."""
    longest = max(policy.max_delay, policy.cooldown, policy.blocked_retry)
    return min(failure.retry_after or 0.0, longest)
