"""What there is: phases, failures, statuses and snapshots. Frozen data without behaviour."""

from __future__ import annotations

import enum
from collections.abc import Mapping

import msgspec

FactValue = str | int | float | bool | None
Facts = Mapping[str, FactValue]
"""What a connection type knows of a session, by name (`drivers/*` document theirs); JSON scalars only."""


class Phase(enum.StrEnum):
    """Where a connection stands."""

    STOPPED = "stopped"
    CONNECTING = "connecting"
    UP = "up"
    SUSPECT = "suspect"
    WAITING = "waiting"
    PARKED = "parked"
    BLOCKED = "blocked"
    PAUSED = "paused"

    @property
    def connected(self) -> bool:
        """Whether a session is usable in this phase."""
        return self in (Phase.UP, Phase.SUSPECT)

    @property
    def counts(self) -> bool:
        """Whether a connection in this phase counts for the aggregate health."""
        return self not in (Phase.STOPPED, Phase.PAUSED)


class FailureClass(enum.StrEnum):
    """What a failure means for trying again."""

    TRANSIENT = "transient"
    """May pass by itself: tried again by the schedule."""
    OVERLOAD = "overload"
    """The server asks for patience: tried again, not before `retry_after`."""
    CREDENTIALS = "credentials"
    """The server refused who we say we are: blocked when it happens twice in a row."""
    CONFIGURATION = "configuration"
    """A certificate, an address or a secret that is wrong here: blocked at once."""
    PERMANENT = "permanent"
    """The server refuses and will go on refusing: blocked at once."""


class Stage(enum.StrEnum):
    """How far a session had come when it failed."""

    SECRET = "reading the secret"  # noqa: S105 - the name of a stage
    LOOKUP = "name lookup"
    CONNECT = "connect"
    TLS = "TLS handshake"
    HANDSHAKE = "handshake"
    LOGIN = "login"
    SESSION = "session"
    HEARTBEAT = "heartbeat"
    CHECK = "health check"
    REFRESH = "refresh"
    TAKEOVER = "takeover"


class Failure(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Why something did not work, in words for people."""

    kind: FailureClass
    stage: Stage
    reason: str
    """A short plain clause: `connection refused`."""
    hint: str = ""
    """What a person can do about it; empty where nothing is to be done."""
    retry_after: float | None = None
    """Seconds that the server asked us to wait, if it did."""


class FlapCause(enum.StrEnum):
    """What the rhythm of sessions that end by themselves says."""

    IDLE_TIMEOUT = "idle timeout"
    """Each ends after the same silence: a heartbeat that comes sooner keeps it open."""
    SESSION_AGE = "session age"
    """Each ends at the same age, whatever was heard meanwhile."""
    NO_HEARTBEAT = "no heartbeat"
    """Each comes up, and its first heartbeat is not answered."""
    IRREGULAR = "irregular"
    """Many ended in a short time, in no rhythm."""


class Flap(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A connection that comes up and drops again and again, in words for people."""

    cause: FlapCause
    after: float | None = None
    """Seconds of age or silence after which each session ends; None where that is not always the same."""
    reason: str
    hint: str


class Cost(msgspec.Struct, frozen=True, gc=False):
    """Points of health lost, and to what."""

    points: int
    reason: str


class SpareStatus(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How the session stands that is kept warm on another endpoint; times are seconds since 1970."""

    endpoint: str
    """Label of the endpoint that it is on, or is tried on next."""
    phase: Phase
    """`up` where it would take over at once; `suspect` where it is asked again whether it is well."""
    since: float
    next_attempt: float | None = None
    """When it is tried again; None where it is not waited for, or for ever."""
    failure: Failure | None = None
    """What ended the last one or its attempt; kept until one has held for as long as a stable session."""


class Status(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Everything that is known of one connection at one instant.

    `since`, `next_attempt`, `up_since`, `down_since` and `acknowledged` are wall-clock seconds since 1970,
    for display. `deadline` is on the manager's monotonic clock (`Snapshot.monotonic` relates the two), for
    countdowns. Durations are seconds.
    """

    name: str
    type: str
    group: str
    phase: Phase
    since: float
    """When the phase began."""
    weight: float = 1.0
    endpoint: str = ""
    """Label of the endpoint in use, or of the one tried next."""
    address: str = ""
    """Address of the session, where the name of its endpoint has several."""
    attempt: int = 0
    """Number of the attempt under way or awaited; 0 where it has none (the first open, a slow probe)."""
    max_attempts: int = 15
    wait: float = 0.0
    """Length of the wait under way; 0 outside of one."""
    deadline: float | None = None
    """End of the wait under way."""
    next_attempt: float | None = None
    failure: Failure | None = None
    """What ended the last session or attempt, or made this one suspect; kept until the next stable one."""
    failures: int = 0
    """Failed heartbeats, checks or refreshes in a row: the largest of the three."""
    threshold: int = 3
    latency: float | None = None
    """Round trip of the last answered heartbeat."""
    usual_latency: float | None = None
    """Median of five minutes."""
    stable: bool = False
    up_since: float | None = None
    down_since: float | None = None
    """When the last stable session was lost; None while all is well or before the first success."""
    acknowledged: float | None = None
    """When an operator said that the trouble is known; None again once it is over or worse."""
    generation: int = 0
    """How many sessions have been opened."""
    drops: int = 0
    """How many of them were lost."""
    flap: Flap | None = None
    """What was recognised in sessions that end by themselves; kept until one has clearly outlived it."""
    facts: dict[str, FactValue] = {}
    spare: SpareStatus | None = None
    """The spare session; None where none is configured, or the connection is not stable yet."""
    score: int = 0
    costs: tuple[Cost, ...] = ()


class Band(enum.StrEnum):
    """The colour of an aggregate health: green from 80, orange from 50, red below."""

    GREEN = "green"
    ORANGE = "orange"
    RED = "red"
    UNKNOWN = "unknown"


class BudgetStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Refused logins on one host within the window."""

    host: str
    used: int
    limit: int
    window: float
    next_free: float | None = None
    """Wall time at which a slot is free again; None while one is."""


class MuteStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A group that nobody is to be alarmed about for a time; times are wall-clock seconds since 1970."""

    group: str
    since: float
    until: float


class Position(msgspec.Struct, frozen=True):
    """A place in the stream of events: events after `seq` in the run `epoch`."""

    epoch: str
    seq: int


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Every status, the aggregate, and the position in the event stream that they stand for."""

    position: Position
    time: float
    monotonic: float
    statuses: tuple[Status, ...]
    budgets: tuple[BudgetStatus, ...] = ()
    mutes: tuple[MuteStatus, ...] = ()
    health: int | None = None
    """Aggregate health, 0 to 100; None where nothing counts."""
    band: Band = Band.UNKNOWN


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a command did to one connection."""

    connection: str
    ok: bool
    text: str
    """What was done and measured, or why not, in plain words."""
    seconds: float | None = None
    """How long a reconnect took from the command until it was up; the round trip of a refresh."""
    next_login: float | None = None
    """Wall time of the next free login where the budget stands in the way; `override` goes past it."""
    status: Status


Outcome = tuple[Result, ...]
"""A result for each connection that the command meant."""
