"""What a manager of real connections is watched with."""

from __future__ import annotations

from collections.abc import Callable

from manager.events import ConnectionEvent, Event, Stable, StateChanged
from manager.manager import ConnectionManager
from manager.model import FailureClass, Phase, Position

DOWN = (Phase.WAITING, Phase.CONNECTING, Phase.PARKED)


def events(manager: ConnectionManager) -> list[Event]:
    """Return everything that has happened."""
    found, _ = manager.ring.after(Position(manager.position.epoch, 0), limit=manager.ring.last)
    return [event for event in found if isinstance(event, Event)]


def changes(manager: ConnectionManager) -> list[StateChanged]:
    """Return every change of a phase."""
    return [event for event in events(manager) if isinstance(event, StateChanged)]


def are(manager: ConnectionManager, *phases: Phase) -> Callable[[], bool]:
    return lambda: all(phase in phases for phase in manager.states.values())


def are_stable(manager: ConnectionManager) -> Callable[[], bool]:
    return lambda: all(status.stable for status in manager.get_connection_status().values())


def first_time(manager: ConnectionManager, phase: Phase, since: float = 0.0) -> dict[str, float]:
    """Return when each connection first came to a phase, from a time on."""
    found: dict[str, float] = {}
    for event in changes(manager):
        if event.phase is phase and event.time >= since:
            found.setdefault(event.connection, event.time)
    return found


def miscounted(manager: ConnectionManager) -> list[StateChanged]:
    """Return where the number of an attempt does not follow that of the last; they begin anew when stable."""
    last: dict[str, int] = dict.fromkeys(manager.states, 0)
    found = []
    for event in events(manager):
        if isinstance(event, Stable):
            last[event.connection] = 0
        elif isinstance(event, StateChanged) and event.phase in (Phase.WAITING, Phase.CONNECTING):
            last[event.connection] += event.phase is Phase.WAITING
            if event.status.attempt != last[event.connection]:
                found.append(event)
    return found


def refused(manager: ConnectionManager) -> list[ConnectionEvent]:
    """Return where credentials were taken for refused."""
    told = [event for event in events(manager) if isinstance(event, ConnectionEvent)]
    return [
        each for each in told if each.status.failure and each.status.failure.kind is FailureClass.CREDENTIALS
    ]
