"""What a manager of real connections is watched with."""

from __future__ import annotations

from collections.abc import Callable

from manager.events import Event
from manager.manager import ConnectionManager
from manager.model import Phase, Position

DOWN = (Phase.WAITING, Phase.CONNECTING, Phase.PARKED)


def events(manager: ConnectionManager) -> list[Event]:
    """Return everything that has happened."""
    found, _ = manager.ring.after(Position(manager.position.epoch, 0), limit=manager.ring.last)
    return [event for event in found if isinstance(event, Event)]


def are(manager: ConnectionManager, *phases: Phase) -> Callable[[], bool]:
    return lambda: all(phase in phases for phase in manager.states.values())


def are_stable(manager: ConnectionManager) -> Callable[[], bool]:
    return lambda: all(status.stable for status in manager.get_connection_status().values())
