"""The cells that tick: a window of a few columns on the table below, so that a tick repaints nothing else."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from textual.geometry import Region
from textual.strip import Strip
from textual.timer import Timer

from tui.columns import Columns
from tui.row import Countdown
from tui.tempo import Tempo
from tui.widgets.plainlines import PlainLines

if TYPE_CHECKING:
    from tui.widgets.table import ConnectionTable

_NEXT_TICK = 0.1
"""Seconds between two ticks at least; rows whose seconds change within it change together."""
_SLOW_TICK = 2.0
"""The same on a slow terminal, or while it takes nothing."""


class CountdownCells(PlainLines):
    """Shows columns of the table's lines; the terminal is sent them alone when they change."""

    def __init__(self, table: ConnectionTable, *, id: str) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self._table = table
        self._place = (0, 0)
        self.display = False

    def place(self, column: int, width: int) -> None:
        """Lie over `width` columns from `column` on."""
        if (column, width) == self._place:
            return
        self._place = column, width
        self.display = width > 0
        self.styles.offset = (column, 0)
        self.styles.width = max(width, 1)

    def refresh_line(self, y: int) -> None:
        """Repaint one line of the window."""
        self.refresh(Region(0, y, self.size.width, 1))

    def render_line(self, y: int) -> Strip:
        """Cut the columns out of the table's line."""
        strip = self._table.line_strip(self._table.scroll_offset.y + y)
        return strip.crop(self._place[0], self._place[0] + self.size.width)


class Ticker:
    """Repaints the seconds and bars of countdowns when they change, and sleeps until the next one does."""

    def __init__(
        self, bars: CountdownCells, seconds: CountdownCells, tick: Callable[[], None], tempo: Tempo
    ) -> None:
        """Prepare; `tick` is called when a countdown says something else."""
        self._tempo = tempo
        self.bars = bars
        self.seconds = seconds
        self.paused = False
        self._tick = tick
        self._shown: dict[int, tuple[int, str]] = {}
        """By line of the screen, how full its bar is and how many seconds stand there."""
        self._timer: Timer | None = None

    def forget(self) -> None:
        """Take every line for one that was not seen yet."""
        self._shown = {}

    def tick(self, columns: Columns, countdowns: Mapping[int, Countdown]) -> None:
        """Show these countdowns, by line of the screen, in the columns of bars and seconds."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        if self.paused or not self.seconds.app.is_running:
            return
        if countdowns:
            # Until there is one, nothing needs to lie over the table.
            self.bars.place(columns.bar_at, columns.bar)
            self.seconds.place(columns.seconds_at, columns.seconds)
        if self._tempo.held_up():
            self._timer = self.seconds.set_timer(_SLOW_TICK, self._tick)
            return
        now = time.monotonic()
        before, self._shown = self._shown, {}
        for y, countdown in countdowns.items():
            full, words = math.ceil(countdown.left(now) * columns.bar * 2), countdown.seconds(now)
            self._shown[y] = full, words
            old = before.get(y)
            if old is None or old[0] != full:
                self.bars.refresh_line(y)
            if old is None or old[1] != words:
                self.seconds.refresh_line(y)
        changes = [change for each in countdowns.values() if (change := each.next_change(now)) is not None]
        if changes:
            soonest = _SLOW_TICK if self._tempo.slow else _NEXT_TICK
            self._timer = self.seconds.set_timer(max(min(changes), soonest), self._tick)
