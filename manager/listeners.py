"""Callbacks on events: one that raises or lags is counted, named and detached, and reaches nobody else."""

from __future__ import annotations

import asyncio
import difflib
import inspect
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import get_args

from pyee.base import EventEmitter

from manager.events import AnyEvent, Event, event_name
from manager.trace import frames_of

log = logging.getLogger(__name__)

Listener = Callable[[Event], object]

PATIENCE = 3
"""Faults after which a listener is detached."""
SLOW = 0.25
"""Seconds from which a call counts as a fault: a listener runs on the engine's loop."""

EVENT_NAMES = tuple(event_name(kind) for kind in get_args(AnyEvent))


class Listeners:
    """Who is called for which event."""

    def __init__(self, detached: Callable[[str, int], None]) -> None:
        self._emitter = EventEmitter()
        self._detached = detached
        self._guards: dict[str, dict[Listener, _Guard]] = {}
        """By the name of their event; a name that nobody listens to is not in it."""
        self._due: deque[tuple[str, Event]] = deque()
        """The event that is being told, and those that its listeners have caused meanwhile."""

    def on(self, name: str, listener: Listener) -> None:
        """Call `listener` with each event of this name, on the manager's loop.

        Raises:
            ValueError: there is no such event.
            TypeError: the listener is a coroutine function; iterate over `events()` instead.
        """
        if name not in EVENT_NAMES:
            near = difflib.get_close_matches(name, EVENT_NAMES, 1)
            raise ValueError(
                f"no event is called {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")
            )
        if inspect.iscoroutinefunction(listener):
            raise TypeError(
                "a listener is a plain function; use `async for event in manager.events()` to await"
            )
        guards = self._guards.setdefault(name, {})
        if listener not in guards:
            guard = guards[listener] = _Guard(listener, lambda guard: self._detach(name, guard))
            self._emitter.add_listener(name, guard)

    def off(self, name: str, listener: Listener) -> None:
        """No longer call `listener` for events of this name; nothing happens where it is not called."""
        guards = self._guards.get(name, {})
        guard = guards.pop(listener, None)
        if guard is not None:
            guard.taken_off = True
            self._emitter.remove_listener(name, guard)
        if name in self._guards and not guards:
            del self._guards[name]

    def emit(self, name: str, event: Event) -> None:
        """Call every listener of this name. All hear the events in one order: that of their numbers."""
        if name not in self._guards:
            return
        self._due.append((name, event))
        if len(self._due) > 1:
            return
        try:
            while self._due:
                self._emitter.emit(*self._due[0])
                self._due.popleft()
        finally:
            self._due.clear()

    def _detach(self, name: str, guard: _Guard) -> None:
        self.off(name, guard.listener)
        log.error("listener %s of %s is detached after %d faults", guard.label, name, guard.faults)
        self._detached(guard.label, guard.faults)


class _Guard:
    """Calls one listener and counts its faults."""

    def __init__(self, listener: Listener, worn_out: Callable[[_Guard], None]) -> None:
        self.listener = listener
        self.label = getattr(listener, "__qualname__", type(listener).__qualname__)
        self.faults = 0
        self.taken_off = False
        """Whether it is called no more; the emitter may still hold it for the event that is being told."""
        self._worn_out = worn_out

    def __call__(self, event: Event) -> None:
        if self.taken_off:
            return
        began = time.perf_counter()
        try:
            self.listener(event)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - it is not the engine's mistake
            log.error("listener %s raised %s", self.label, frames_of(error))
            self.faults += 1
        else:
            if time.perf_counter() - began <= SLOW:
                return
            log.warning("listener %s took more than %g s", self.label, SLOW)
            self.faults += 1
        if self.faults == PATIENCE:
            self._worn_out(self)
