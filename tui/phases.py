"""How a phase is shown: its tone, and how much it asks for attention."""

from __future__ import annotations

from collections.abc import Iterable

from manager.model import Band, Phase, Status

TONES = {
    Phase.UP: "good",
    Phase.SUSPECT: "warn",
    Phase.CONNECTING: "warn",
    Phase.WAITING: "warn",
    Phase.PARKED: "bad",
    Phase.BLOCKED: "bad",
    Phase.PAUSED: "muted",
    Phase.STOPPED: "muted",
}

BAND_TONES = {Band.GREEN: "good", Band.ORANGE: "warn", Band.RED: "bad", Band.UNKNOWN: "muted"}

_ATTENTION = {
    Phase.BLOCKED: 0,
    # These three take turns within one outage: one rank, so that a row keeps its place.
    Phase.PARKED: 1,
    Phase.WAITING: 1,
    Phase.CONNECTING: 1,
    Phase.SUSPECT: 2,
    Phase.PAUSED: 4,
    Phase.STOPPED: 4,
    Phase.UP: 5,
}

COUNTED = (
    Phase.BLOCKED,
    Phase.PARKED,
    Phase.WAITING,
    Phase.CONNECTING,
    Phase.SUSPECT,
    Phase.PAUSED,
    Phase.STOPPED,
    Phase.UP,
)
"""The order in which phases are counted, the worst first."""


def band_of(health: int | None) -> Band:
    """Return the band of an aggregate health: green from 80, orange from 50."""
    if health is None:
        return Band.UNKNOWN
    return Band.GREEN if health >= 80 else Band.ORANGE if health >= 50 else Band.RED


def judgement(health: int | None, statuses: Iterable[Status]) -> tuple[str, str]:
    """Return the word for an aggregate health and its tone; a start that goes well is no alarm yet."""
    missing = [status for status in statuses if status.phase.counts and not status.phase.connected]
    if missing and all(status.phase is Phase.CONNECTING and status.failure is None for status in missing):
        return "opening", "muted"
    band = band_of(health)
    word = {Band.GREEN: "fair", Band.ORANGE: "degraded", Band.RED: "critical", Band.UNKNOWN: "unknown"}[band]
    return "healthy" if health == 100 else word, BAND_TONES[band]


def slow(status: Status) -> bool:
    """Whether a connection is up and well but loses points: its replies are slow."""
    return status.phase is Phase.UP and bool(status.costs)


def round_trip(status: Status) -> float | None:
    """Return the round trip to show: the usual one, free of jitter; the last where that is slow."""
    if status.usual_latency is None or status.latency is None or slow(status):
        return status.latency
    return status.usual_latency


def attention(status: Status) -> int:
    """Return how far up in its section a connection belongs: 0 is the worst, 5 is well."""
    return 3 if slow(status) else _ATTENTION[status.phase]


def troubled(status: Status) -> bool:
    """Whether there is a trouble to acknowledge; one that opens for the first time is in none yet."""
    if status.phase is Phase.CONNECTING:
        return status.failure is not None
    return attention(status) < _ATTENTION[Phase.PAUSED] or (
        status.phase is Phase.UP and status.flap is not None
    )


def known(status: Status) -> bool:
    """Whether its row tells of a trouble that somebody has acknowledged."""
    return status.acknowledged is not None and troubled(status) and not well(status)


def place(status: Status) -> float:
    """Return where in its section a connection belongs: the troubles that nobody knows of come first."""
    return 3.1 + attention(status) / 10 if known(status) else float(attention(status))


def well(status: Status) -> bool:
    """Whether a connection needs nobody: only such rows fold away."""
    return attention(status) == 5


def tone_of(status: Status) -> str:
    """Return the tone of a connection's glyph and word."""
    if known(status):
        return "muted"
    return "warn" if slow(status) else TONES[status.phase]


def counts(statuses: tuple[Status, ...]) -> list[tuple[Phase, int]]:
    """Count connections by phase, the worst phase first, phases without any left out."""
    numbers = dict.fromkeys(COUNTED, 0)
    for status in statuses:
        numbers[status.phase] += 1
    return [(phase, number) for phase, number in numbers.items() if number]
