"""Draws soon, but not too often: many changes, one repaint."""

from __future__ import annotations

from collections.abc import Callable

from textual.timer import Timer
from textual.widget import Widget

from tui.tempo import Tempo

URGENT = 0.05
"""Seconds between two repaints for what an operator waits to see: another phase."""
CALM = 0.1
"""The same for everything else."""
BUSY = 0.25
"""The same for both while so much happens that nobody could read each of the pictures."""
_MANY = 5
"""Requests for one repaint from which on much happens."""


class Pace:
    """Calls `draw` at once after a quiet time, else when the interval since the last call is over."""

    def __init__(
        self, owner: Widget, clock: Callable[[], float], draw: Callable[[], None], tempo: Tempo
    ) -> None:
        self._owner = owner
        self._tempo = tempo
        self._clock = clock
        self._draw = draw
        self._last = float("-inf")
        self._requests = 0
        self._busy = False
        self._due: float | None = None
        self._timer: Timer | None = None

    def request(self, interval: float) -> None:
        """Have `draw` called, no sooner than `interval` seconds after the last time; at once for 0.

        An owner that has been taken off the screen is left alone: nobody would stop its timer.
        """
        if not self._owner.is_running:
            return
        self._requests += 1
        if self._busy and interval:
            interval = max(interval, BUSY)
        now = self._clock()
        due = self._tempo.due(now, self._last, interval)
        if self._due is not None and self._due <= due:
            return
        self.cancel()
        if due <= now:
            self._run()
        else:
            self._run_at(due, now)

    def cancel(self) -> None:
        """Forget what was asked for."""
        self._due = None
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    def _run_at(self, due: float, now: float) -> None:
        self._due = due
        self._timer = self._owner.set_timer(due - now, self._run)

    def _run(self) -> None:
        self.cancel()
        now = self._clock()
        if self._tempo.held_up():
            self._run_at(now + BUSY, now)
            return
        self._busy, self._requests = self._requests > _MANY, 0
        self._last = now
        self._draw()
