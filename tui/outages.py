"""The outages that were seen, by group: what was lost, what was tried, when it came back.

Fed with every event; keeps what a report needs and no more. Equal attempts of a connection share one entry, a
connection that is lost several times in one outage one record.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

import msgspec

from manager.events import (
    Acknowledged,
    BudgetChanged,
    Changed,
    Commanded,
    ConnectionEvent,
    Event,
    LoginWithheld,
    MaxAttemptsReached,
    Muted,
    Removed,
    Stable,
    StateChanged,
    Unmuted,
)
from manager.model import BudgetStatus, Phase, Status

OUTAGES = 50
"""Outages that are over and kept."""
LOSSES = 20_000
"""Connections of outages that are over, all outages together; the oldest outages go."""
ENTRIES = 2_000
"""Entries of one outage; later ones are counted."""
DEEDS = 2_000
"""Things that were asked for; the oldest go."""
BUDGETS = 500
"""Refused logins, all hosts together; the oldest go."""

_AWAY = (Phase.WAITING, Phase.PARKED, Phase.BLOCKED)


class What(enum.Enum):
    """What an entry tells."""

    SUSPECT = enum.auto()
    LOST = enum.auto()
    NEVER_UP = enum.auto()
    AGAIN = enum.auto()
    FAILED = enum.auto()
    EXHAUSTED = enum.auto()
    BLOCKED = enum.auto()
    WITHHELD = enum.auto()
    UP = enum.auto()
    ENDED = enum.auto()


class Entry(msgspec.Struct):
    """One line about one connection; several attempts in a row that failed alike are one."""

    time: float
    connection: str
    what: What
    text: str = ""
    """The reason, the host or the phase."""
    until: float = 0.0
    first: int = 0
    """Number of the attempt; 0 for a slow probe."""
    last: int = 0
    count: int = 1

    def goes_on_with(self, entry: Entry) -> bool:
        """Whether an entry is the next attempt of this one, and failed alike."""
        if not (entry.what is self.what is What.FAILED and entry.text == self.text):
            return False
        # Several endpoints are tried under one number.
        return entry.first in (self.last, self.last + 1) and bool(entry.first) == bool(self.first)


class Loss(msgspec.Struct):
    """A connection in an outage."""

    status: Status
    """As it was when it was lost first."""
    began: float
    down_since: float | None
    """Since when it is lost; None once it is not."""
    downtime: float = 0.0
    """Seconds of the times that are over."""
    times: int = 1
    attempts: int = 0
    trying: int = 0
    """Number of the attempt under way."""
    ended: float | None = None
    """When it was up again for good, or put to rest."""
    how: str = ""
    """`back`, `paused` or `stopped`, as one is that is removed or changed."""

    def end(self, instant: float, how: str) -> None:
        """Note that it is no longer lost."""
        if self.down_since is not None:
            self.downtime += max(0.0, instant - self.down_since)
        self.down_since, self.ended, self.how = None, instant, how


class Outage(msgspec.Struct):
    """From the first loss in a group until none is lost."""

    group: str
    losses: dict[str, Loss] = msgspec.field(default_factory=dict)
    entries: list[Entry] = msgspec.field(default_factory=list)
    left_out: int = 0
    """Entries beyond the bound."""
    partial: bool = False
    """Whether some of it was not seen."""
    latest: dict[str, Entry] = msgspec.field(default_factory=dict)
    """The last entry of each connection."""

    @property
    def began(self) -> float:
        """When the first was lost."""
        return min(loss.began for loss in self.losses.values())

    @property
    def over(self) -> bool:
        """Whether none is lost any more."""
        return all(loss.down_since is None for loss in self.losses.values())

    @property
    def ended(self) -> float | None:
        """When the last was back; None while one is lost."""
        return max(loss.ended or 0.0 for loss in self.losses.values()) if self.over else None

    def note(self, entry: Entry) -> None:
        """Add an entry, or lengthen the last one of its connection."""
        last = self.latest.get(entry.connection)
        if last is not None and last.goes_on_with(entry):
            last.until, last.last, last.count = entry.time, entry.first, last.count + 1
        elif len(self.entries) < ENTRIES:
            self.entries.append(entry)
            self.latest[entry.connection] = entry
        else:
            self.left_out += 1
            self.latest.pop(entry.connection, None)


class Deed(msgspec.Struct, frozen=True):
    """Something that an operator or a program asked for."""

    time: float
    words: str
    connection: str | None
    """Whom it was about; None for all of a group, or for all."""
    group: str | None = None


class Outages:
    """Takes events in and holds the outages that they tell of."""

    def __init__(self) -> None:
        self.deeds: deque[Deed] = deque(maxlen=DEEDS)
        self.budgets: deque[tuple[float, BudgetStatus]] = deque(maxlen=BUDGETS)
        self._open: dict[str, Outage] = {}
        self._over: deque[Outage] = deque()
        self._lost_in: dict[str, Outage] = {}
        """The outage in which a connection is lost now."""
        self._suspects: dict[str, Entry] = {}

    def told(self, event: Event) -> None:
        """Take an event in; they come in their order."""
        match event:
            case StateChanged() | Stable() | Changed() | Removed() | MaxAttemptsReached() | LoginWithheld():
                self._about(event)
            case Commanded():
                self.deeds.append(Deed(event.time, f"{event.command} asked for", event.connection))
            case Acknowledged():
                words = "acknowledged" if event.status.acknowledged is not None else "no longer acknowledged"
                self.deeds.append(Deed(event.time, words, event.connection))
            case Muted():
                self.deeds.append(Deed(event.time, "muted", None, event.mute.group))
            case Unmuted() if not event.expired:
                self.deeds.append(Deed(event.time, "no longer muted", None, event.group))
            case BudgetChanged():
                self.budgets.append((event.time, event.budget))

    def settle(self, statuses: Mapping[str, Status], now: float) -> None:
        """Make up for events that were not seen: have the outages agree with how things stand."""
        for name, outage in list(self._lost_in.items()):
            status = statuses.get(name)
            if status is None:
                self._end(outage, name, now, "stopped")
            elif status.stable:
                self._end(outage, name, status.up_since or now, "back")
            elif not status.phase.counts:
                self._end(outage, name, status.since, status.phase.value)
            else:
                continue
            outage.partial = True
        for name, status in statuses.items():
            if _is_lost(status) and name not in self._lost_in:
                began = status.since if status.down_since is None else status.down_since
                outage = self._begin(status, began)
                outage.partial = True
                outage.losses[name].attempts += max(0, status.attempt - 1)

    def find(self, name: str | None = None, group: str | None = None) -> Outage | None:
        """Return the latest outage of a connection, else of its group, else of all; None for none."""
        known = sorted(self, key=lambda outage: (not outage.over, outage.began), reverse=True)
        return next(
            chain(
                (outage for outage in known if name in outage.losses),
                (outage for outage in known if outage.group == group),
                known,
            ),
            None,
        )

    def __iter__(self) -> Iterator[Outage]:
        return chain(self._over, self._open.values())

    def _about(self, event: ConnectionEvent) -> None:
        name, status = event.connection, event.status
        outage = self._lost_in.get(name)
        if isinstance(event, Removed):
            self._suspects.pop(name, None)
        if isinstance(event, StateChanged) and status.phase in (Phase.SUSPECT, Phase.UP):
            self._suspects.pop(name, None)
            if status.phase is Phase.SUSPECT:
                self._suspects[name] = Entry(event.time, name, What.SUSPECT, _reason(status))
        if outage is None:
            if isinstance(event, StateChanged) and status.phase in _AWAY:
                self._begin(status, event.time if status.down_since is None else status.down_since)
            return
        if status.stable and not isinstance(event, Removed):
            self._end(outage, name, status.up_since or event.time, "back")
        elif not status.phase.counts or isinstance(event, Removed):
            self._end(outage, name, event.time, "paused" if status.phase is Phase.PAUSED else "stopped")
        else:
            self._goes_on(outage, outage.losses[name], event)

    def _goes_on(self, outage: Outage, loss: Loss, event: ConnectionEvent) -> None:
        name, status = event.connection, event.status
        if (
            loss.status.down_since is not None
            and loss.down_since is not None
            and status.down_since is not None
        ):
            # The wall clock may have been set.
            loss.began += status.down_since - loss.down_since if loss.times == 1 else 0.0
            loss.down_since = status.down_since
        if isinstance(event, MaxAttemptsReached):
            outage.note(Entry(event.time, name, What.EXHAUSTED, first=event.attempts))
        elif isinstance(event, LoginWithheld):
            outage.note(Entry(event.time, name, What.WITHHELD, event.host))
        elif not isinstance(event, StateChanged):
            return
        elif status.phase is Phase.CONNECTING:
            loss.attempts += 1
            loss.trying = status.attempt
        elif status.phase is Phase.UP and event.previous is Phase.CONNECTING:
            outage.note(Entry(event.time, name, What.UP, first=loss.trying))
        elif status.phase in _AWAY and event.previous.connected:
            outage.note(Entry(event.time, name, What.AGAIN, _reason(status)))
        elif status.phase in _AWAY and event.previous is Phase.CONNECTING:
            failed = Entry(
                event.time, name, What.FAILED, _reason(status), event.time, loss.trying, loss.trying
            )
            outage.note(failed)
            if status.phase is Phase.BLOCKED:
                outage.note(Entry(event.time, name, What.BLOCKED, _reason(status)))

    def _begin(self, status: Status, began: float) -> Outage:
        name = status.name
        outage = self._open.setdefault(status.group, Outage(status.group))
        loss = outage.losses.get(name)
        if loss is None:
            outage.losses[name] = Loss(status, began, began)
        else:
            loss.down_since, loss.times, loss.ended, loss.how = began, loss.times + 1, None, ""
        self._lost_in[name] = outage
        suspect = self._suspects.pop(name, None)
        if suspect is not None:
            outage.note(suspect)
        what = What.NEVER_UP if status.down_since is None else What.LOST
        outage.note(Entry(began, name, what, _reason(status)))
        if status.phase is Phase.BLOCKED:
            outage.note(Entry(began, name, What.BLOCKED, _reason(status)))
        return outage

    def _end(self, outage: Outage, name: str, instant: float, how: str) -> None:
        del self._lost_in[name]
        outage.losses[name].end(instant, how)
        if how != "back":
            outage.note(Entry(instant, name, What.ENDED, how))
        if outage.over:
            del self._open[outage.group]
            outage.latest.clear()
            self._over.append(outage)
            self._forget()

    def _forget(self) -> None:
        while len(self._over) > OUTAGES or (len(self._over) > 1 and _size(self._over) > LOSSES):
            self._over.popleft()


def _size(outages: Iterable[Outage]) -> int:
    return sum(len(outage.losses) for outage in outages)


def _is_lost(status: Status) -> bool:
    away = status.phase in _AWAY
    return away or (status.phase is Phase.CONNECTING and status.down_since is not None)


def _reason(status: Status) -> str:
    return status.failure.reason if status.failure else "no answer"
