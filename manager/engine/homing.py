"""The way back to the preferred endpoint, once that has been well for a while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from manager.endpoint import Endpoint
from manager.engine.clock import Clock
from manager.engine.peek import Eye

INTERVAL = 10.0
"""Seconds from one look at the preferred endpoint to the next."""
WELL_FOR = 60.0
"""Seconds for which every look has to be answered before the way back…"""
LONGEST = 3600.0
"""…doubled with each way back that failed, up to this."""
_LOOK_TIMEOUT = 3.0


class Homing:
    """How long the preferred endpoint of one connection has to be well."""

    __slots__ = ("_clock", "_under_way", "_well_for")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._well_for = WELL_FOR
        self._under_way = False
        """Whether the session is a way back that has not held yet."""

    @property
    def under_way(self) -> bool:
        """Whether the session is a way back that has not held yet."""
        return self._under_way

    @asynccontextmanager
    async def heading(
        self, endpoint: Endpoint, peek: Callable[[Endpoint], Awaitable[None]], go: Callable[[], None]
    ) -> AsyncIterator[None]:
        """Look at the preferred endpoint as long as this lasts, and `go` there once it has been well."""

        async def until_gone() -> None:
            await self._until_well(endpoint, peek)
            self._under_way = True
            go()

        looking = asyncio.create_task(until_gone(), name=f"way back to {endpoint.label}")
        try:
            yield
        finally:
            looking.cancel()
            await asyncio.wait([looking])

    async def _until_well(self, endpoint: Endpoint, peek: Callable[[Endpoint], Awaitable[None]]) -> None:
        """Return when an endpoint has answered every look for long enough."""
        eye, since = Eye(), self._clock.monotonic()
        while self._clock.monotonic() - since < self._well_for:
            await asyncio.sleep(INTERVAL)
            if not await eye.sees(endpoint, peek, _LOOK_TIMEOUT):
                since = self._clock.monotonic()

    def arrived(self) -> None:
        """Note that a session has held; if it was a way back, the next one is as easy as the first."""
        if self._under_way:
            self._well_for = WELL_FOR
        self._under_way = False

    def session_over(self) -> None:
        """Note that a session was lost; if it was a way back, the next one is thought over twice as long."""
        if self._under_way:
            self._well_for = min(2.0 * self._well_for, LONGEST)
        self._under_way = False
