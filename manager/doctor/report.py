"""What the doctor tells, as frozen records; `trunkline doctor --json` prints them as they are."""

from __future__ import annotations

import enum

import msgspec

from manager.model import Band, Failure, Phase


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step on the way to a usable session."""

    name: str
    """`secret`, `name`, `route`, `TCP`, `UDP`, `TLS`, `handshake`, `OPTIONS`, `login`, `heartbeat`…"""
    ok: bool | None
    """None where it was left out, and `detail` says why."""
    seconds: float | None = None
    detail: str = ""


class Examination(msgspec.Struct, frozen=True, kw_only=True):
    """How far one endpoint was come to."""

    endpoint: str
    """Its label: what may be shown of the address."""
    steps: tuple[Step, ...]
    failure: Failure | None = None
    """Why the last step failed, and what can be done; None where none did."""
    usable: bool = False
    """Whether a session was opened here, and answered."""

    @property
    def stops_at(self) -> str:
        """The step that failed; empty where none did."""
        return next((step.name for step in self.steps if step.ok is False), "")


class Topic(enum.StrEnum):
    """What a finding is about."""

    NOT_RECONNECTING = "not reconnecting"
    LOW_HEALTH = "low health"
    SECOND_LOGIN = "second login"
    DROPS = "drops"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong, in words for people."""

    topic: Topic
    says: str
    do: str = ""
    """What a person can do; empty where waiting is all."""


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """All that was found out about one connection."""

    name: str
    type: str
    phase: Phase | None = None
    """As the running service says; None where the doctor looked for itself."""
    score: int | None = None
    examinations: tuple[Examination, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def well(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings and all(each.failure is None for each in self.examinations)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    config: str
    asked: str = ""
    """Who was asked in place of logging in a second time: `the service with pid 812`; empty for nobody."""
    held_by: str = ""
    """Who keeps these connections up and cannot be asked, so that nobody logged in; empty for nobody."""
    logged_in: bool
    """Whether credentials were tried."""
    connections: tuple[Diagnosis, ...]
    health: int | None = None
    """Of the whole, as the running service says."""
    band: Band = Band.UNKNOWN
    shares: dict[str, int] = {}
    """Points of it that each connection costs, the dearest first."""
