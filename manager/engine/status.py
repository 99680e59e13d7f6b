"""The status of one connection and the events that tell of its changes: the supervisor's pen."""

from __future__ import annotations

import logging
from typing import Protocol

from msgspec.structs import replace

from manager.drivers.base import Session
from manager.endpoint import Endpoint
from manager.engine import health
from manager.engine.acknowledgement import Acknowledgement
from manager.engine.clock import Clock
from manager.engine.group import group_of
from manager.engine.latency import LatencyWindow
from manager.engine.policy import Wait
from manager.engine.timekeeper import Jump
from manager.events import (
    Acknowledged,
    ConnectionEvent,
    DoubtedBySibling,
    EndpointChanged,
    FactsChanged,
    FailedOver,
    Flapping,
    LoginWithheld,
    MaxAttemptsReached,
    ProbeAnswered,
    ProbeFailed,
    Recovered,
    Reported,
    SpareChanged,
    Stable,
    StateChanged,
    Steady,
    TimesChanged,
    WokenByOperator,
    WokenByPeek,
    WokenBySibling,
)
from manager.model import Facts, FactValue, Failure, Flap, Phase, SpareStatus, Status
from manager.settings import ConnectionSettings
from manager.trace import frames_of

log = logging.getLogger(__name__)


class Publish(Protocol):
    """How an event of a connection is made known."""

    def __call__(self, kind: type[ConnectionEvent], status: Status, **fields: object) -> None:
        """Publish an event of this kind with the connection's new status."""


class StatusWriter:
    """Holds the status of one connection; every change of it goes out with an event."""

    __slots__ = (
        "_acknowledgement",
        "_clock",
        "_closed_at",
        "_last_endpoint",
        "_latencies",
        "_lost_at",
        "_policy",
        "_publish",
        "_settings",
        "_up_at",
        "status",
    )

    def __init__(
        self, settings: ConnectionSettings, endpoint: Endpoint, clock: Clock, publish: Publish
    ) -> None:
        self._settings = settings
        self._policy = settings.policy
        self._clock = clock
        self._publish = publish
        self._latencies = LatencyWindow()
        self._acknowledgement = Acknowledgement()
        self._up_at: float | None = None
        """Monotonic time at which the last session came up; None where there was none yet."""
        self._closed_at: float | None = None
        """Monotonic time at which it was closed to be opened anew."""
        self._last_endpoint = ""
        """Label of the endpoint that it was up on last."""
        self._lost_at: float | None = None
        """Monotonic time of the first loss since the last stable session."""
        self.status = self._scored(
            Status(
                name=settings.name,
                type=settings.type,
                group=group_of(settings, endpoint),
                phase=Phase.STOPPED,
                since=clock.wall(),
                weight=settings.weight,
                endpoint=endpoint.label,
                max_attempts=self._policy.max_attempts,
                threshold=self._policy.unhealthy_threshold,
            )
        )

    def connecting(self, endpoint: Endpoint, *, generation: int, attempt: int) -> None:
        """An attempt begins."""
        if self.status.phase.connected:
            self._closed_at = self._clock.monotonic()
        self._enter(
            Phase.CONNECTING,
            group=group_of(self._settings, endpoint),
            endpoint=endpoint.label,
            generation=generation,
            attempt=attempt,
            **_NO_SESSION,
        )

    def up(self, session: Session, address: str) -> None:
        """The session is usable; `address` is told where the name of its endpoint has several."""
        self._up_at = self._clock.monotonic()
        self._closed_at = None
        self._enter(
            Phase.UP, up_since=self._clock.wall(), facts=_facts_of(session), failures=0, address=address
        )
        previous, self._last_endpoint = self._last_endpoint, self.status.endpoint
        if previous not in ("", self.status.endpoint):
            self._tell(EndpointChanged, {}, previous=previous)

    def spare(
        self, phase: Phase, endpoint: Endpoint, tried_in: float | None, failure: Failure | None
    ) -> None:
        """The spare is in this state now; `tried_in` seconds it is opened again, if it is waited for."""
        now, known = self._clock.wall(), self.status.spare
        spare = SpareStatus(
            endpoint=endpoint.label,
            phase=phase,
            since=known.since if known is not None and known.phase is phase else now,
            next_attempt=None if tried_in is None else now + tried_in,
            failure=failure,
        )
        if spare != known:
            self._tell(SpareChanged, {"spare": spare})

    def failed_over(
        self, session: Session, endpoint: Endpoint, address: str, *, generation: int, failure: Failure | None
    ) -> None:
        """The spare is the session in use now; `failure` is what ended the other, if one did."""
        now, status = self._clock.monotonic(), self.status
        if failure is not None and self._up_at is not None and self._lost_at is None:
            self._lost_at = now if self._closed_at is None else self._closed_at
        self._up_at, self._closed_at = now, None
        changes: dict[str, object] = {
            **_NO_SESSION,
            "group": group_of(self._settings, endpoint),
            "endpoint": endpoint.label,
            "address": address,
            "attempt": 0,
            "generation": generation,
            "facts": _facts_of(session),
            "up_since": self._clock.wall(),
            "down_since": None if self._lost_at is None else self._lost_at + self._clock.wall() - now,
            "drops": status.drops + (failure is not None and status.phase.connected),
            "failure": failure or status.failure,
            "spare": None,
        }
        if status.phase is not Phase.UP:
            self._enter(Phase.UP, **changes)
            changes = {}
        previous, self._last_endpoint = self._last_endpoint, endpoint.label
        self._tell(FailedOver, changes, previous=previous, failure=failure)
        if previous != endpoint.label:
            self._tell(EndpointChanged, {}, previous=previous)

    def waiting(self, wait: Wait, deadline: float | None, failure: Failure, endpoint: Endpoint) -> None:
        """A wait for a try of `endpoint` begins; `deadline` is None where only a wake-up ends it."""
        now = self._clock.monotonic()
        if self._up_at is not None and self._lost_at is None:
            self._lost_at = now if self._closed_at is None else self._closed_at
        first_park = wait.phase is Phase.PARKED and self.status.attempt == self._policy.max_attempts
        shift = self._clock.wall() - now
        changes = {
            "failure": failure,
            "spare": None,
            "group": group_of(self._settings, endpoint),
            "endpoint": endpoint.label,
            "attempt": wait.attempt,
            "drops": self.status.drops + self.status.phase.connected,
            "down_since": None if self._lost_at is None else self._lost_at + shift,
            "wait": wait.seconds if deadline is not None else 0.0,
            "deadline": deadline,
            "next_attempt": None if deadline is None else deadline + shift,
        }
        self._enter(wait.phase, **_NO_SESSION | changes)
        if first_park:
            self._tell(MaxAttemptsReached, {}, attempts=self._policy.max_attempts)

    def withheld(self, host: str) -> None:
        """A login was not tried because the budget of `host` is used up."""
        self._tell(LoginWithheld, {}, host=host)

    def woken_by_sibling(self, sibling: str, deadline: float) -> None:
        """The wait under way now ends at `deadline`, because a sibling is back."""
        self._tell(WokenBySibling, self._ending_at(deadline), sibling=sibling)

    def woken_by_peek(self, deadline: float) -> None:
        """The wait under way now ends at `deadline`, because the host answers again."""
        self._tell(WokenByPeek, self._ending_at(deadline))

    def woken_by_operator(self, deadline: float) -> None:
        """The wait under way now ends at `deadline`, because an operator skipped the rest of it."""
        self._tell(WokenByOperator, self._ending_at(deadline))

    def acknowledge(self) -> bool:
        """An operator knows of the trouble; return False where there is none."""
        if not self._acknowledgement.needed:
            return False
        self._acknowledgement.give()
        self._tell(Acknowledged, {"acknowledged": self._clock.wall()})
        return True

    def withdraw_acknowledgement(self) -> None:
        """An operator took that back."""
        self._tell(Acknowledged, {"acknowledged": None})

    def _ending_at(self, deadline: float) -> dict[str, object]:
        began = deadline if self.status.deadline is None else self.status.deadline - self.status.wait
        shift = self._clock.wall() - self._clock.monotonic()
        return {"wait": deadline - began, "deadline": deadline, "next_attempt": deadline + shift}

    def doubted_by_sibling(self, sibling: str) -> None:
        """A heartbeat goes now, because a sibling has died."""
        self._tell(DoubtedBySibling, {}, sibling=sibling)

    def rest(self, phase: Phase, failure: Failure | None = None) -> None:
        """The connection is stopped or paused."""
        self._up_at = self._closed_at = self._lost_at = None
        changes: dict[str, object] = {"attempt": 0, "down_since": None, "flap": None, "spare": None}
        self._enter(phase, failure=failure, **changes, **_NO_SESSION)

    def heartbeat_answered(self, session: Session, latency: float, failures: int) -> None:
        """A heartbeat came back after `latency` seconds."""
        usual = self._latencies.usual
        self._latencies.add(self._clock.monotonic(), latency)
        seen: dict[str, object] = {
            "latency": latency,
            "usual_latency": usual,
            "facts": _facts_of(session, self.status.facts),
        }
        self._answered("heartbeat", failures, seen)

    def check_answered(self, session: Session, finding: str, failures: int) -> None:
        """A health check was answered."""
        self._answered("check", failures, {"facts": _facts_of(session, self.status.facts)}, finding)

    def refresh_answered(self, session: Session, failures: int) -> None:
        """A refresh was answered."""
        self._answered("refresh", failures, {"facts": _facts_of(session, self.status.facts)})

    def probe_failed(self, probe: str, failure: Failure, failures: int) -> None:
        """A heartbeat, check or refresh failed."""
        self._tell(ProbeFailed, {"failure": failure, "failures": failures}, probe=probe, failure=failure)
        if self.status.phase is Phase.UP:
            self._enter(Phase.SUSPECT)

    def stable(self) -> None:
        """The session has held long enough."""
        attempts = self.status.attempt
        lost_at, self._lost_at = self._lost_at, None
        self._tell(Stable, {"stable": True, "attempt": 0, "failure": None})
        if lost_at is not None and self._up_at is not None:
            self._tell(Recovered, {"down_since": None}, downtime=self._up_at - lost_at, attempts=attempts)

    def flapping(self, flap: Flap | None) -> None:
        """Sessions end in this rhythm, or no longer in that of before; nothing is told that is known."""
        known = self.status.flap
        if flap is not None and flap != known:
            self._tell(Flapping, {"flap": flap})
        elif flap is None and known is not None:
            self._tell(Steady, {"flap": None}, outlived=known)

    def facts_changed(self, session: Session) -> None:
        """The session's facts are new."""
        facts = _facts_of(session)
        if facts != self.status.facts:
            self._tell(FactsChanged, {"facts": facts})

    def clock_jumped(self, jump: Jump) -> None:
        """The wall clock was set, or ran on through a suspend while the wait under way stood still."""
        status = self.status
        changes: dict[str, object] = {
            name: time + jump.stepped
            for name in ("since", "up_since", "down_since", "acknowledged")
            if (time := getattr(status, name)) is not None
        }
        if status.next_attempt is not None:
            changes["next_attempt"] = status.next_attempt + jump.stepped + jump.suspended
        if status.spare is not None:
            tried_at = status.spare.next_attempt
            changes["spare"] = replace(
                status.spare,
                since=status.spare.since + jump.stepped,
                next_attempt=None if tried_at is None else tried_at + jump.stepped + jump.suspended,
            )
        self._tell(TimesChanged, changes)

    def reported(self, report: str, text: str, fields: Facts) -> None:
        """The session noticed something that only its type knows."""
        self._tell(Reported, {}, report=report, text=text, fields=dict(fields))

    def _answered(self, probe: str, failures: int, seen: dict[str, object], finding: str = "") -> None:
        well = {} if failures else {"failure": None if self.status.stable else self.status.failure}
        self._tell(ProbeAnswered, {**seen, **well, "failures": failures}, probe=probe, finding=finding)
        if self.status.phase is Phase.SUSPECT and not failures:
            self._enter(Phase.UP)

    def _enter(self, phase: Phase, **changes: object) -> None:
        previous = self.status.phase
        since = self.status.since if phase is previous else self._clock.wall()
        self._tell(StateChanged, {"phase": phase, "since": since, **changes}, previous=previous)

    def _tell(self, kind: type[ConnectionEvent], changes: dict[str, object], **fields: object) -> None:
        if changes:
            self.status = self._judged(replace(self.status, **changes))
        self._publish(kind, self.status, **fields)

    def _judged(self, status: Status) -> Status:
        status = self._scored(status)
        stands = self._acknowledgement.stands(status)
        return status if stands or status.acknowledged is None else replace(status, acknowledged=None)

    def _scored(self, status: Status) -> Status:
        costs = health.costs(status, self._policy)
        if costs == status.costs:
            return status
        return replace(status, costs=costs, score=health.score(costs))


_NO_SESSION: dict[str, object] = {
    "wait": 0.0,
    "deadline": None,
    "next_attempt": None,
    "failures": 0,
    "latency": None,
    "usual_latency": None,
    "stable": False,
    "address": "",
    "up_since": None,
    "facts": {},
}
"""What is true of a connection without a usable session."""


def _facts_of(session: Session, known: dict[str, FactValue] | None = None) -> dict[str, FactValue]:
    """Return the facts of a session; those that are `known` where nothing is new, and so only kept once."""
    try:
        facts = dict(session.facts)
    except Exception as error:  # noqa: BLE001 - a driver's mistake costs its facts, not the connection
        log.error("the facts of a driver raised %s", frames_of(error))
        return {}
    return known if known == facts else facts
