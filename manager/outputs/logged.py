"""The events that belong in a log, as sentences: what changed and why, and no heartbeat that was answered."""

from __future__ import annotations

import logging

from manager.events import (
    BandChanged,
    Event,
    Gap,
    MaxAttemptsReached,
    Recovered,
    Reloaded,
    ReloadFailed,
    Stalled,
    StateChanged,
)
from manager.model import Band, Phase

log = logging.getLogger(__name__)

_BAD = (Phase.SUSPECT, Phase.WAITING, Phase.PARKED, Phase.BLOCKED)


def write(event: Event | Gap) -> None:
    """Write an event to the log, where it belongs there."""
    match event:
        case StateChanged(status=status):
            failure = status.failure if status.phase in _BAD else None
            why = f": {failure.reason}" if failure else ""
            level = logging.WARNING if failure else logging.INFO
            log.log(level, "%s is %s%s", event.connection, status.phase.value, why)
        case Recovered():
            log.info("%s is back and stable, %.1f s after it was lost", event.connection, event.downtime)
        case MaxAttemptsReached():
            log.error("%s did not come back in %d attempts and is parked", event.connection, event.attempts)
        case BandChanged():
            level = logging.INFO if event.band in (Band.GREEN, Band.UNKNOWN) else logging.WARNING
            log.log(level, "health is %s: %s %%", event.band.value, event.health)
        case Reloaded():
            counts = len(event.added), len(event.removed), len(event.changed)
            log.info("the settings were read anew: %d added, %d removed, %d changed", *counts)
        case ReloadFailed():
            log.error("the settings cannot be used, and nothing has changed: %s", event.reason)
        case Stalled():
            log.error("the manager stood still for %.1f s at %s", event.seconds, event.where or "?")
        case Gap():
            log.warning("%d events are missing here", event.missed)
