"""Timers that may come a little early: those that are due at one tick share a timer of the loop.

Thousands of sessions each wait for their next heartbeat. A timer of the loop for each of them costs memory, a
place in its sorted heap and a turn of its own; the sessions of one tick wake the process once.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable


class Ticks:
    """Every tick at which something is due."""

    def __init__(self) -> None:
        self._ticks: dict[float, Tick] = {}

    def call_at(self, when: float, slack: float, callback: Callable[[], None]) -> Call:
        """Call back at the last multiple of `slack` seconds of the loop's clock that is not after `when`."""
        due = math.floor(when / slack) * slack
        tick = self._ticks.get(due)
        if tick is None:
            tick = self._ticks[due] = Tick(self._ticks, due)
        return tick.add(callback)


class Tick:
    """What is due at one time."""

    __slots__ = ("_calls", "_due", "_ticks", "_timer")

    def __init__(self, ticks: dict[float, Tick], due: float) -> None:
        self._ticks = ticks
        self._due = due
        self._calls: dict[Call, Callable[[], None]] = {}
        self._timer = asyncio.get_running_loop().call_at(due, self._come)

    def add(self, callback: Callable[[], None]) -> Call:
        call = Call(self)
        self._calls[call] = callback
        return call

    def remove(self, call: Call) -> None:
        self._calls.pop(call, None)
        if not self._calls and self._ticks.get(self._due) is self:
            self._timer.cancel()
            del self._ticks[self._due]

    def _come(self) -> None:
        del self._ticks[self._due]
        loop = asyncio.get_running_loop()
        for call in tuple(self._calls):
            callback = self._calls.pop(call, None)
            if callback is None:
                continue
            try:
                callback()
            except Exception as error:  # noqa: BLE001 - told as the loop tells it of a timer; the others are due
                loop.call_exception_handler({"message": f"{callback} raised", "exception": error})


class Call:
    """One that waits for its tick."""

    __slots__ = ("_tick",)

    def __init__(self, tick: Tick) -> None:
        self._tick = tick

    def cancel(self) -> None:
        """Do not call back; nothing happens where it was called already."""
        self._tick.remove(self)
