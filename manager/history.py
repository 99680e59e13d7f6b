"""What became of one connection, as frozen records: phases, attempts, sessions, failures, latencies.

Times are wall-clock seconds since 1970, by the clock as it was set then; durations are seconds.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from manager.model import Failure, Phase

WAITS = (Phase.WAITING, Phase.PARKED, Phase.BLOCKED)
"""Phases that begin with a failure."""


class PhaseChange(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A connection came into another phase, or into another wait of the same."""

    time: float
    phase: Phase
    previous: Phase
    endpoint: str
    """Label of the endpoint in use, or of the one tried next."""
    generation: int
    """Number of the last session that was opened or tried."""
    attempt: int
    """Number of the attempt under way or awaited; 0 where it has none."""
    wait: float = 0.0
    """Length of the wait that began."""
    failure: Failure | None = None
    """Why, where something failed."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try to open a session."""

    generation: int
    """Number of the session that it opened or would have opened."""
    number: int
    """Number since the last stable session; 0 for the first open and for a slow probe."""
    endpoint: str
    started: float
    ended: float | None = None
    """None while it is under way."""
    succeeded: bool = False
    failure: Failure | None = None
    """Why not, with the stage it had come to; None as well where it was stopped or paused meanwhile."""

    @property
    def duration(self) -> float | None:
        """How long it took; None while it is under way."""
        return None if self.ended is None else self.ended - self.started


class SessionSpan(msgspec.Struct, frozen=True, kw_only=True):
    """One session, from when it was usable."""

    generation: int
    endpoint: str
    since: float
    until: float | None = None
    """None while it is up."""
    failure: Failure | None = None
    """What ended it; None where that was a wish of ours."""
    followed_by: Phase | None = None
    """The phase that came after: `connecting` where it was reopened, `paused`, `stopped`, or a wait."""


class SeenFailure(msgspec.Struct, frozen=True, kw_only=True):
    """Something that did not work, whether it ended a session or attempt or not."""

    time: float
    failure: Failure
    probe: str = ""
    """`heartbeat`, `check` or `refresh`, where one of these failed; empty for what ended a try or session."""


class Sample(msgspec.Struct, frozen=True):
    """One heartbeat."""

    time: float
    latency: float | None
    """Round trip; None where it was not answered."""


class SetAside(msgspec.Struct, frozen=True):
    """An endpoint of the pool that failed, and is passed over for a while."""

    endpoint: str
    until: float


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of one connection, the oldest first in everything."""

    connection: str
    phases: tuple[PhaseChange, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    sessions: tuple[SessionSpan, ...] = ()
    failures: tuple[SeenFailure, ...] = ()
    samples: tuple[Sample, ...] = ()
    """Heartbeats of the last hour."""
    set_aside: tuple[SetAside, ...] = ()
    """Endpoints that are set aside now, in the order of the settings."""
    dropped: int = 0
    """Changes of phase that are no longer held, and with them the attempts and sessions they told of."""


def attempts_in(phases: Iterable[PhaseChange]) -> tuple[Attempt, ...]:
    """Return the attempts that a timeline tells of."""
    found: list[Attempt] = []
    for change in phases:
        if change.previous is Phase.CONNECTING and found:
            found[-1] = msgspec.structs.replace(
                found[-1],
                ended=change.time,
                succeeded=change.phase.connected,
                failure=change.failure if change.phase in WAITS else None,
            )
        if change.phase is Phase.CONNECTING:
            found.append(
                Attempt(
                    generation=change.generation,
                    number=change.attempt,
                    endpoint=change.endpoint,
                    started=change.time,
                )
            )
    return tuple(found)


def sessions_in(phases: Iterable[PhaseChange]) -> tuple[SessionSpan, ...]:
    """Return the sessions that a timeline tells of."""
    found: list[SessionSpan] = []
    for change in phases:
        if change.phase.connected and not change.previous.connected:
            span = SessionSpan(generation=change.generation, endpoint=change.endpoint, since=change.time)
            found.append(span)
        elif change.previous.connected and not change.phase.connected and found:
            found[-1] = msgspec.structs.replace(
                found[-1],
                until=change.time,
                failure=change.failure if change.phase in WAITS else None,
                followed_by=change.phase,
            )
    return tuple(found)
