"""Makes known what happens: numbers each event, keeps it, tells the listeners, and follows the whole."""

from __future__ import annotations

from manager.chronicle import Chronicle
from manager.engine.clock import Clock
from manager.engine.health import Aggregate, steady_band
from manager.engine.outage import Outage
from manager.engine.watchdog import Stall
from manager.events import (
    BandChanged,
    BudgetChanged,
    ConnectionEvent,
    Event,
    ListenerDetached,
    Muted,
    Reconnected,
    Removed,
    Stalled,
    Unmuted,
    event_name,
)
from manager.listeners import Listeners
from manager.model import Band, BudgetStatus, MuteStatus, Status
from manager.ring import EventRing
from manager.shares import shares


class Publisher:
    """The one way by which an event comes into the world."""

    def __init__(self, clock: Clock) -> None:
        self.ring = EventRing()
        self.chronicle = Chronicle()
        self.listeners = Listeners(self._listener_detached)
        self._clock = clock
        self._aggregate = Aggregate()
        self._known: dict[str, Status] = {}
        """The last published status of each connection, as counted in the aggregate."""
        self._band = Band.UNKNOWN
        """The band that was told of last."""
        self._outage = Outage(clock)

    @property
    def health(self) -> int | None:
        """The aggregate health, 0 to 100; None where nothing counts."""
        return self._aggregate.health

    def health_costs(self) -> dict[str, int]:
        """Return how many points of the aggregate each connection costs, the dearest first."""
        return shares(self._known.values())

    def publish(self, kind: type[ConnectionEvent], status: Status, **fields: object) -> None:
        """Make an event of a connection known, with its status from then on."""
        known, gone = self._known.get(status.name), kind is Removed
        if status is known and not gone:
            self.emit(kind, status=status, **fields)
            return
        health = self.health
        self._aggregate.replace(known, None if gone else status)
        if gone:
            self._known.pop(status.name, None)
        else:
            self._known[status.name] = status
        self.emit(kind, status=status, **fields)
        if self.health != health:
            previous, self._band = self._band, steady_band(self._band, self.health)
            if self._band is not previous:
                self.emit(BandChanged, band=self._band, previous=previous)
        over = self._outage.note(status, gone=gone)
        if over is not None:
            self.emit(Reconnected, connections=over.connections, downtime=over.downtime)

    def emit(self, kind: type[Event], **fields: object) -> None:
        """Make any event known."""
        event = kind(seq=self.ring.last + 1, time=self._clock.wall(), health=self.health, **fields)
        self.ring.append(event)
        self.chronicle.note(event)
        self.listeners.emit(event_name(kind), event)

    def stalled(self, stall: Stall) -> None:
        """Make known that the loop stood still."""
        self.emit(Stalled, seconds=stall.seconds, connection=stall.connection, where=stall.where)

    def budget_changed(self, budget: BudgetStatus) -> None:
        """Make known that a login budget was drawn on."""
        self.emit(BudgetChanged, budget=budget)

    def muted(self, mute: MuteStatus) -> None:
        """Make known that a group is muted."""
        self.emit(Muted, mute=mute)

    def unmuted(self, group: str, expired: bool) -> None:
        """Make known that a group is muted no more; `expired`: because its time was over."""
        self.emit(Unmuted, group=group, expired=expired)

    def _listener_detached(self, listener: str, errors: int) -> None:
        self.emit(ListenerDetached, listener=listener, errors=errors)
