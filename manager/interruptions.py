"""What interrupts a manager: a loop that stands still, a machine that sleeps, a clock that is set.

None of the three is seen by a timer. Each is told of, and after a sleep or a new time everything is looked at
anew: sessions may be dead without a word, and what the wall clock was told for is shown wrong.
"""

from __future__ import annotations

import asyncio
import math

from manager.engine.clock import Clock, SystemClock
from manager.engine.mutes import Mutes
from manager.engine.timekeeper import Timekeeper
from manager.engine.watchdog import Watchdog
from manager.events import ClockJumped
from manager.publisher import Publisher
from manager.registry import Registry


class Interruptions:
    """Notices the interruptions of one manager."""

    def __init__(self, clock: Clock, publisher: Publisher, registry: Registry, mutes: Mutes) -> None:
        self._clock = clock
        self._publisher = publisher
        self._registry = registry
        self._mutes = mutes
        # Its thread knows no time but the machine's.
        self._watchdog = Watchdog(publisher.stalled) if isinstance(clock, SystemClock) else None
        self._timekeeping: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look out for them, on the loop that runs here."""
        if self._watchdog is not None:
            self._watchdog.start()
        self._timekeeping = asyncio.create_task(self._keep_time(), name="timekeeper")

    def end_timekeeping(self) -> None:
        """Tell of no jump of the clocks any more; a loop that stands still is noticed until `stop`."""
        if self._timekeeping is not None:
            self._timekeeping.cancel()

    async def stop(self) -> None:
        """Look out no longer; thread and task have ended when this returns."""
        self.end_timekeeping()
        if self._watchdog is not None:
            self._watchdog.stop()
        if self._timekeeping is not None:
            await asyncio.wait([self._timekeeping])

    async def _keep_time(self) -> None:
        timekeeper = Timekeeper(self._clock)
        while True:
            jump = await timekeeper.jump()
            self._publisher.emit(ClockJumped, suspended=jump.suspended, stepped=jump.stepped)
            self._mutes.clock_jumped()
            for supervisor in tuple(self._registry.supervisors.values()):
                supervisor.clock_jumped(jump)
            for supervisor in tuple(self._registry.supervisors.values()):
                supervisor.look_anew()
                await asyncio.sleep(1.0 / (supervisor.settings.policy.start_rate or math.inf))
