"""Writes down what the events tell of each connection, for its history.

One compact entry a change of phase, from which attempts and sessions are read when somebody asks, and twelve
bytes a heartbeat. At most 720 heartbeats (9 KiB) are held of a connection, 128 changes of phase and 32
failures of probes (20 KiB), and the failures that these name, whose texts are bounded by who makes them.
"""

from __future__ import annotations

import math
from array import array

from manager.events import Event, ProbeAnswered, ProbeFailed, Removed, StateChanged
from manager.history import (
    WAITS,
    History,
    PhaseChange,
    Sample,
    SeenFailure,
    attempts_in,
    sessions_in,
)
from manager.model import Phase

CHANGES = 128
"""Changes of phase that are held of a connection."""
FAILURES = 32
"""Failures of probes that are held, and failures that are told of."""
SAMPLES = 720
"""Heartbeats that are held…"""
WINDOW = 3600.0
"""…and for how many seconds."""

_HEARTBEAT = "heartbeat"
_TOLD = (StateChanged, ProbeAnswered, ProbeFailed)


class Chronicle:
    """The histories of all connections, by name."""

    def __init__(self) -> None:
        self._pages: dict[str, _Page] = {}

    def note(self, event: Event) -> None:
        """Write down what an event tells."""
        if isinstance(event, Removed):
            self._pages.pop(event.connection, None)
        elif isinstance(event, _TOLD):
            page = self._pages.get(event.connection)
            if page is None:
                page = self._pages[event.connection] = _Page()
            page.note(event)

    def history(self, name: str, now: float) -> History:
        """Return what is known of a connection at the wall time `now`; empty where nothing is."""
        page = self._pages.get(name)
        return History(connection=name) if page is None else page.history(name, now)


class _Page:
    """What is held of one connection."""

    __slots__ = ("_changes", "_dropped", "_latencies", "_probes", "_times")

    def __init__(self) -> None:
        self._changes: list[PhaseChange] = []
        self._dropped = 0
        self._probes: list[SeenFailure] | None = None
        self._times: array[float] | None = None
        self._latencies: array[float] | None = None

    def note(self, event: StateChanged | ProbeAnswered | ProbeFailed) -> None:
        if isinstance(event, StateChanged):
            self._change(event)
        elif isinstance(event, ProbeAnswered):
            if event.probe == _HEARTBEAT and event.status.latency is not None:
                self._sample(event.time, event.status.latency)
        else:
            self._probe_failed(event)

    def history(self, name: str, now: float) -> History:
        phases = tuple(self._changes)
        failures = [*(self._probes or ())]
        failures += [
            SeenFailure(time=change.time, failure=change.failure)
            for change in phases
            if change.failure is not None and change.phase in WAITS
        ]
        failures.sort(key=lambda seen: seen.time)
        return History(
            connection=name,
            phases=phases,
            attempts=attempts_in(phases),
            sessions=sessions_in(phases),
            failures=tuple(failures[-FAILURES:]),
            samples=self._samples(now),
            dropped=self._dropped,
        )

    def _change(self, event: StateChanged) -> None:
        status = event.status
        told = status.phase in WAITS or status.phase is Phase.SUSPECT
        self._changes.append(
            PhaseChange(
                time=event.time,
                phase=status.phase,
                previous=event.previous,
                endpoint=status.endpoint,
                generation=status.generation,
                attempt=status.attempt,
                wait=status.wait,
                failure=status.failure if told or status.phase is Phase.STOPPED else None,
            )
        )
        if len(self._changes) > CHANGES:
            del self._changes[0]
            self._dropped += 1

    def _probe_failed(self, event: ProbeFailed) -> None:
        if event.probe == _HEARTBEAT:
            self._sample(event.time, math.nan)
        if self._probes is None:
            self._probes = []
        self._probes.append(SeenFailure(time=event.time, failure=event.failure, probe=event.probe))
        del self._probes[:-FAILURES]

    def _sample(self, time: float, latency: float) -> None:
        if self._times is None or self._latencies is None:
            self._times, self._latencies = array("d"), array("f")
        self._times.append(time)
        self._latencies.append(latency)
        if len(self._times) > SAMPLES or self._times[0] < time - WINDOW:
            del self._times[0], self._latencies[0]

    def _samples(self, now: float) -> tuple[Sample, ...]:
        if self._times is None or self._latencies is None:
            return ()
        return tuple(
            Sample(time, None if math.isnan(latency) else latency)
            for time, latency in zip(self._times, self._latencies, strict=True)
            if time >= now - WINDOW
        )
