"""How others reach a connection: its wait ends early, its session is asked for a sign of life."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from manager.drivers.base import Driver
from manager.endpoint import Endpoint
from manager.engine.current import Current
from manager.engine.status import StatusWriter
from manager.engine.wake import Wake
from manager.model import Phase


class Reach:
    """What a person or a sibling may do to the wait of one connection, and to its session."""

    __slots__ = ("_current", "_driver", "_withheld_for", "_writer", "alarm", "woken")

    def __init__(
        self,
        writer: StatusWriter,
        current: Current,
        driver: Driver,
        *,
        withheld_for: Callable[[], float],
    ) -> None:
        self._writer = writer
        self._current = current
        self._driver = driver
        self._withheld_for = withheld_for
        self.woken = Wake()
        """Set where a person, or new credentials, end the wait under way."""
        self.alarm: asyncio.Timeout | None = None
        """What ends the wait under way at its deadline, which a sibling may bring forward."""

    def woken_by_sibling(self, sibling: str, at: float) -> bool:
        """End the wait under way at `at`, the number of its attempt kept, unless its login is withheld."""
        if not self._wakes_at(at):
            return False
        self._writer.woken_by_sibling(sibling, at)
        return True

    def woken_by_peek(self, at: float) -> bool:
        """End the wait under way at `at`, as a sibling would."""
        if not self._wakes_at(at):
            return False
        self._writer.woken_by_peek(at)
        return True

    def woken_by_operator(self, at: float) -> bool:
        """End the wait under way at `at`, as a sibling would."""
        if not self._wakes_at(at):
            return False
        self._writer.woken_by_operator(at)
        return True

    def _wakes_at(self, at: float) -> bool:
        status = self._writer.status
        waits = status.phase in (Phase.WAITING, Phase.PARKED)
        if self.alarm is None or self.alarm.expired() or self.woken.is_set():
            return False
        if not waits or self._withheld_for():
            return False
        if status.deadline is not None and at >= status.deadline:
            return False
        self.alarm.reschedule(at)
        return True

    async def peek(self, endpoint: Endpoint) -> None:
        """Look at an endpoint without credentials."""
        await self._driver.peek(endpoint)

    def doubted_by_sibling(self, sibling: str) -> bool:
        """Send a heartbeat now; a suspect is asked already."""
        vigil = self._current.vigil
        if vigil is None or self._writer.status.phase is not Phase.UP:
            return False
        vigil.doubt()
        self._writer.doubted_by_sibling(sibling)
        return True
