"""What happens, as frozen records. Each is one JSON object; `event` names its kind.

Every event that changes a status carries the whole new status, so that replaying the events from the start
gives exactly the snapshot (`Replay`).

Nothing in an event leads back to it, so the garbage collector is spared the thousands that are held (`gc`).
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from manager.model import Band, BudgetStatus, Failure, Flap, MuteStatus, Phase, Status


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", gc=False):
    """What all events have: a number without gaps, the wall time in seconds since 1970, the health of all."""

    seq: int
    time: float
    health: int | None


class ConnectionEvent(Event, frozen=True, kw_only=True):
    """Something about one connection, and its status from then on."""

    status: Status

    @property
    def connection(self) -> str:
        """Name of the connection."""
        return self.status.name

    @property
    def type(self) -> str:
        """Type of the connection."""
        return self.status.type

    @property
    def phase(self) -> Phase:
        """Phase of the connection once this had happened."""
        return self.status.phase

    @property
    def connected(self) -> bool:
        """Whether a session is usable."""
        return self.status.phase.connected


class Added(ConnectionEvent, frozen=True, kw_only=True, tag="connection:added"):
    """A connection is now managed."""


class Removed(ConnectionEvent, frozen=True, kw_only=True, tag="connection:removed"):
    """A connection is no longer managed; the status is its last."""


class StateChanged(ConnectionEvent, frozen=True, kw_only=True, tag="connection:stateChanged"):
    """A connection is in another phase, or in another wait of the same."""

    previous: Phase


class ProbeAnswered(ConnectionEvent, frozen=True, kw_only=True, tag="connection:probeAnswered"):
    """A heartbeat, health check or refresh was answered."""

    probe: str
    """`heartbeat`, `check` or `refresh`."""
    finding: str = ""
    """What a health check found."""


class ProbeFailed(ConnectionEvent, frozen=True, kw_only=True, tag="connection:probeFailed"):
    """A heartbeat, health check or refresh failed; `failures` of `status` counts them."""

    probe: str
    failure: Failure


class FactsChanged(ConnectionEvent, frozen=True, kw_only=True, tag="connection:factsChanged"):
    """The type-specific facts of a connection are new."""


class Changed(ConnectionEvent, frozen=True, kw_only=True, tag="connection:changed"):
    """A connection has other settings; it begins anew with them."""


class TimesChanged(ConnectionEvent, frozen=True, kw_only=True, tag="connection:timesChanged"):
    """The wall clock was set; the times of the status are told by the new one."""


class EndpointChanged(ConnectionEvent, frozen=True, kw_only=True, tag="connection:endpointChanged"):
    """A connection is up on another endpoint than the last time."""

    previous: str
    """Label of that one."""


class FailedOver(ConnectionEvent, frozen=True, kw_only=True, tag="connection:failedOver"):
    """The spare session has taken over at once, without a reconnection."""

    previous: str
    """Label of the endpoint before; that of `status` is the one from now on."""
    failure: Failure | None
    """What ended the session before; None for the way back to the preferred endpoint."""


class SpareChanged(ConnectionEvent, frozen=True, kw_only=True, tag="connection:spareChanged"):
    """The spare session is in another state: `spare` of `status`."""


class Stable(ConnectionEvent, frozen=True, kw_only=True, tag="connection:stable"):
    """A session has held for `stable_after` seconds; attempts count from nothing again."""


class Recovered(ConnectionEvent, frozen=True, kw_only=True, tag="connection:recovered"):
    """A connection that was lost is back and stable."""

    downtime: float
    """Seconds from the loss of the last stable session until this one was up."""
    attempts: int


class MaxAttemptsReached(ConnectionEvent, frozen=True, kw_only=True, tag="connection:maxAttemptsReached"):
    """The last attempt failed; the connection is parked."""

    attempts: int


class LoginWithheld(ConnectionEvent, frozen=True, kw_only=True, tag="connection:loginWithheld"):
    """A login was not tried: the host's budget of refused logins is used up."""

    host: str


class WokenBySibling(ConnectionEvent, frozen=True, kw_only=True, tag="connection:wokenBySibling"):
    """A wait ends early because a sibling is back; `deadline` of `status` says when. Its attempt follows."""

    sibling: str


class WokenByPeek(ConnectionEvent, frozen=True, kw_only=True, tag="connection:wokenByPeek"):
    """A wait ends early because a peek found that the host answers again. Its attempt follows."""


class WokenByOperator(ConnectionEvent, frozen=True, kw_only=True, tag="connection:wokenByOperator"):
    """A wait ends early because an operator skipped the rest of it. Its attempt follows."""


class Acknowledged(ConnectionEvent, frozen=True, kw_only=True, tag="connection:acknowledged"):
    """An operator said that a trouble is known, or took it back (`acknowledged` of `status` is None then)."""


class DoubtedBySibling(ConnectionEvent, frozen=True, kw_only=True, tag="connection:doubtedBySibling"):
    """A heartbeat goes at once because a sibling has died."""

    sibling: str


class Flapping(ConnectionEvent, frozen=True, kw_only=True, tag="connection:flapping"):
    """Sessions that end by themselves follow each other; `flap` of `status` says in which rhythm."""


class Steady(ConnectionEvent, frozen=True, kw_only=True, tag="connection:steady"):
    """A session has clearly outlived what the ones before it ended of."""

    outlived: Flap


class Reported(ConnectionEvent, frozen=True, kw_only=True, tag="connection:reported"):
    """Something that only this type of connection knows (`incomingCall`)."""

    report: str
    text: str
    fields: dict[str, str | int | float | bool | None]


class Reconnected(Event, frozen=True, kw_only=True, tag="connection:reconnected"):
    """Every connection that was up and lost is back and stable."""

    connections: tuple[str, ...]
    downtime: float
    """Seconds from the first loss until the last of them was up."""


class BandChanged(Event, frozen=True, kw_only=True, tag="health:bandChanged"):
    """The health of all is in another band: a fall is told at once, a rise from 5 points above the floor."""

    band: Band
    previous: Band


class Reloaded(Event, frozen=True, kw_only=True, tag="manager:reloaded"):
    """Other settings were taken up; the connections that are not named here were not touched."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]


class ReloadFailed(Event, frozen=True, kw_only=True, tag="manager:reloadFailed"):
    """Settings could not be taken up, and nothing has changed."""

    reason: str


class ClockJumped(Event, frozen=True, kw_only=True, tag="manager:clockJumped"):
    """The machine was suspended or its clock was set; everything is checked at once."""

    suspended: float
    """Seconds; 0 where it was not."""
    stepped: float
    """Seconds by which the wall clock was set forward; negative for back."""


class Stalled(Event, frozen=True, kw_only=True, tag="manager:stalled"):
    """The manager's loop stood still, and turns again: nothing was sent, noticed or tried meanwhile."""

    seconds: float
    connection: str
    """Whose driver or listener held it up; empty where that is not known."""
    where: str
    """Where in the code: `ping/driver.py:41 in heartbeat`."""


class BudgetChanged(Event, frozen=True, kw_only=True, tag="login:budgetChanged"):
    """A host's budget of refused logins was drawn on."""

    budget: BudgetStatus


class Muted(Event, frozen=True, kw_only=True, tag="group:muted"):
    """Nobody is to be alarmed about a group for a time; what was said of it before no longer counts."""

    mute: MuteStatus


class Unmuted(Event, frozen=True, kw_only=True, tag="group:unmuted"):
    """A group is no longer muted."""

    group: str
    expired: bool
    """Whether its time was over; else an operator ended it."""


class Commanded(Event, frozen=True, kw_only=True, tag="manager:commanded"):
    """Somebody, an operator or a program, asked for something; what comes of it follows."""

    command: str
    """`reconnect`, `refresh`, `skip`, `pause` or `resume`."""
    connection: str | None
    """The connection that was meant; None for all."""


class ListenerDetached(Event, frozen=True, kw_only=True, tag="listener:detached"):
    """A listener raised or took too long too often, and is no longer called."""

    listener: str
    errors: int
    """How often it did either."""


class Gap(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="gap"):
    """Events that a reader missed because the ring no longer holds them; take a new snapshot.

    One that says 0 stands in the stream like an event and has a number: nothing was missed, but more has
    changed than the events tell.
    """

    missed: int


AnyEvent = (
    Added
    | Removed
    | StateChanged
    | ProbeAnswered
    | ProbeFailed
    | FactsChanged
    | Changed
    | TimesChanged
    | EndpointChanged
    | FailedOver
    | SpareChanged
    | Stable
    | Recovered
    | MaxAttemptsReached
    | LoginWithheld
    | WokenBySibling
    | WokenByPeek
    | WokenByOperator
    | Acknowledged
    | DoubtedBySibling
    | Flapping
    | Steady
    | Reported
    | Reconnected
    | Reloaded
    | ReloadFailed
    | ClockJumped
    | Stalled
    | BandChanged
    | BudgetChanged
    | Muted
    | Unmuted
    | Commanded
    | ListenerDetached
)


def event_name(kind: type[Event]) -> str:
    """Return the name that events of this kind bear: `connection:stateChanged`."""
    return str(kind.__struct_config__.tag)


def replay(events: Iterable[Event], statuses: dict[str, Status] | None = None) -> dict[str, Status]:
    """Apply events to the statuses they start from and return the statuses they lead to, by name."""
    result = dict(statuses or {})
    for event in events:
        if isinstance(event, Removed):
            result.pop(event.connection, None)
        elif isinstance(event, ConnectionEvent):
            result[event.connection] = event.status
    return result


def replay_mutes(
    events: Iterable[Event], mutes: dict[str, MuteStatus] | None = None
) -> dict[str, MuteStatus]:
    """Apply events to the mutes they start from and return the mutes they lead to, by group."""
    result = dict(mutes or {})
    for event in events:
        if isinstance(event, Muted):
            result[event.mute.group] = event.mute
        elif isinstance(event, Unmuted):
            result.pop(event.group, None)
    return result
