"""What several services tell, as if it were one manager: a snapshot, and one stream of events.

What a service tells counts while it is attached. When it is lost nothing is known of its connections, and
they are `stopped` and say so until it is back. Readers take a new snapshot when a service comes or goes:
that is no event of a thousand connections.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec.structs import replace

from manager.engine.health import Aggregate, band, steady_band
from manager.events import BandChanged, BudgetChanged, ConnectionEvent, Event, Removed, replay_mutes
from manager.model import (
    Band,
    BudgetStatus,
    Failure,
    FailureClass,
    MuteStatus,
    Phase,
    Position,
    Snapshot,
    Stage,
    Status,
)
from manager.ring import EventRing
from manager.service.prefix import Prefix

PAST = 2000
"""Events that a service is asked for at most before it counts as attached: a slow line takes them in time."""


class _Part:
    """What is known of one service."""

    def __init__(self, label: str) -> None:
        self.prefix = Prefix(label)
        self.statuses: dict[str, Status] = {}
        """By the name among several."""
        self.budgets: dict[str, BudgetStatus] = {}
        self.mutes: dict[str, MuteStatus] = {}
        self.position: Position | None = None
        """The last event of the service that was heard; None before any."""
        self.attached = False
        self.fresh = False
        """Whether it is attached and readers do not know yet."""


class Merge:
    """Several services and the attachments to them. Belongs to one event loop."""

    def __init__(self, labels: Iterable[str], wall: Callable[[], float]) -> None:
        self.ring = EventRing()
        self.shown = False
        """Whether somebody has seen a snapshot: the past of a service that comes later is old then."""
        self._wall = wall
        self._attachments: dict[str, Status] = {}
        self._budgets: dict[str, BudgetStatus] = {}
        self._mutes: dict[str, MuteStatus] = {}
        self._parts = {label: _Part(label) for label in labels}
        self._aggregate = Aggregate()
        self._band = Band.UNKNOWN

    # --- what is known ----------------------------------------------------------------------------------

    def snapshot(self, monotonic: float) -> Snapshot:
        """Return everything that is known, the attachments first."""
        parts = self._parts.values()
        health = self._aggregate.health
        return Snapshot(
            position=self.ring.position,
            time=self._wall(),
            monotonic=monotonic,
            statuses=(
                *self._attachments.values(),
                *(status for part in parts for status in part.statuses.values()),
            ),
            budgets=(*self._budgets.values(), *(each for part in parts for each in part.budgets.values())),
            mutes=(*self._mutes.values(), *(each for part in parts for each in part.mutes.values())),
            health=health,
            band=band(health),
        )

    @property
    def settled(self) -> bool:
        """Whether each service was attached, or could not be, at least once."""
        opening = (Phase.STOPPED, Phase.CONNECTING)
        statuses = [self._attachments.get(label) for label in self._parts]
        return all(status is not None and status.phase not in opening for status in statuses)

    def status(self, name: str) -> Status | None:
        """Return the status of a connection or attachment; None where there is none."""
        for statuses in (self._attachments, *(part.statuses for part in self._parts.values())):
            if name in statuses:
                return statuses[name]
        return None

    def attached(self, label: str) -> bool:
        """Whether a service is attached."""
        return self._parts[label].attached

    def prefix(self, label: str) -> Prefix:
        """Return how names of a service are told apart."""
        return self._parts[label].prefix

    def since(self, label: str, now: Position) -> Position:
        """Return from where on the events of a service are wanted that stands at `now`."""
        heard = self._parts[label].position
        if heard is None and self.shown:
            return now
        seq = heard.seq if heard is not None and heard.epoch == now.epoch else 0
        return Position(now.epoch, max(seq, now.seq - PAST))

    # --- what is told -----------------------------------------------------------------------------------

    def told_here(self, event: Event) -> None:
        """Take in what the manager of the attachments tells."""
        if isinstance(event, BandChanged):
            return
        self._attachments = self._applied(event, self._attachments)
        self._mutes = replay_mutes([event], self._mutes)
        if isinstance(event, BudgetChanged):
            self._budgets[event.budget.host] = event.budget
        self._append(event)
        if isinstance(event, ConnectionEvent):
            self._follow_attachment(self._parts[event.connection], connected=event.connected)

    def attach(self, label: str, snapshot: Snapshot, offset: float, past: Sequence[Event] = ()) -> None:
        """Take in how the connections of a service stand, and what it has told since it was heard last.

        Args:
            label: the service.
            snapshot: how they stand.
            offset: added to its monotonic clock, it gives ours.
            past: what led there, as far as it is held.
        """
        part = self._parts[label]
        part.prefix = Prefix(label, offset)
        for event in past:
            if not isinstance(event, BandChanged):
                self._append(part.prefix.event(event))
        statuses = map(part.prefix.status, snapshot.statuses)
        self._replace(part, {status.name: status for status in statuses})
        part.budgets = {each.host: each for each in map(part.prefix.budget, snapshot.budgets)}
        part.mutes = {each.group: each for each in map(part.prefix.mute, snapshot.mutes)}
        part.position = snapshot.position
        part.attached = part.fresh = True
        status = self._attachments.get(label)
        if status is not None and status.phase.connected:
            self._follow_attachment(part, connected=True)

    def told(self, label: str, event: Event) -> None:
        """Take in what an attached service tells."""
        part = self._parts[label]
        if not part.attached or part.position is None:
            return
        part.position = Position(part.position.epoch, event.seq)
        if isinstance(event, BandChanged):
            return
        event = part.prefix.event(event)
        part.statuses = self._applied(event, part.statuses)
        part.mutes = replay_mutes([event], part.mutes)
        if isinstance(event, BudgetChanged):
            part.budgets[event.budget.host] = event.budget
        self._append(event)

    # --- inside -----------------------------------------------------------------------------------------

    def _follow_attachment(self, part: _Part, *, connected: bool) -> None:
        if connected and part.fresh:
            part.fresh = False
        elif not connected and part.attached:
            self._lose(part)
        else:
            return
        self.ring.interrupt()
        self._tell_band()

    def _lose(self, part: _Part) -> None:
        now = self._wall()
        part.attached = part.fresh = False
        part.budgets, part.mutes = {}, {}
        self._replace(
            part, {name: _unknown(status, part.prefix.label, now) for name, status in part.statuses.items()}
        )

    def _replace(self, part: _Part, statuses: dict[str, Status]) -> None:
        for status in part.statuses.values():
            self._aggregate.replace(status, None)
        for status in statuses.values():
            self._aggregate.replace(None, status)
        part.statuses = statuses

    def _applied(self, event: Event, statuses: dict[str, Status]) -> dict[str, Status]:
        if not isinstance(event, ConnectionEvent):
            return statuses
        gone = isinstance(event, Removed)
        self._aggregate.replace(statuses.get(event.connection), None if gone else event.status)
        if gone:
            statuses.pop(event.connection, None)
        else:
            statuses[event.connection] = event.status
        return statuses

    def _append(self, event: Event) -> None:
        self.ring.append(replace(event, seq=self.ring.last + 1, health=self._aggregate.health))
        self._tell_band()

    def _tell_band(self) -> None:
        health = self._aggregate.health
        previous, self._band = self._band, steady_band(self._band, health)
        if self._band is not previous:
            seq = self.ring.last + 1
            self.ring.append(
                BandChanged(seq=seq, time=self._wall(), health=health, band=self._band, previous=previous)
            )


def _unknown(status: Status, label: str, now: float) -> Status:
    """Return the status of a connection whose service is lost."""
    why = Failure(
        kind=FailureClass.TRANSIENT, stage=Stage.SESSION, reason=f"not known: {label} is not attached"
    )
    return Status(
        name=status.name,
        type=status.type,
        group=status.group,
        phase=Phase.STOPPED,
        since=now,
        weight=status.weight,
        endpoint=status.endpoint,
        generation=status.generation,
        drops=status.drops,
        failure=why,
    )
