"""Virtual time: an event loop whose clock jumps to the next timer as soon as nothing else is left to do."""

from __future__ import annotations

import asyncio
import selectors

WALL_START = 1_800_000_000.0


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += seconds


class _Selector(selectors.DefaultSelector):
    """Never sleeps: waiting moves the loop's clock instead."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            # Only another thread could end this wait (`asyncio.to_thread`); give it a moment of real time.
            ready = super().select(5)
            if not ready:
                raise RuntimeError("nothing is left to wait for: the test would hang")
            return ready
        self._loop.advance(timeout)
        return []


class VirtualClock:
    """The clocks of a virtual loop; `step` is how far the wall was set, `suspended` how long it slept."""

    def __init__(self) -> None:
        self.step = 0.0
        self.suspended = 0.0

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return WALL_START + self.step + self.boottime()

    def boottime(self) -> float:
        return self.suspended + asyncio.get_running_loop().time()
