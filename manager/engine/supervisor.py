"""The supervisor of one connection: the one task that keeps it up, begun, ended and hurried here.

What that task does is its life (`life.py`).
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from manager.drivers.base import Driver, Session
from manager.drivers.failures import failure_of
from manager.engine.budget import LoginBudget
from manager.engine.clock import Clock
from manager.engine.group import Groups
from manager.engine.life import Life
from manager.engine.status import Publish
from manager.engine.timekeeper import Jump
from manager.engine.vigil import Vigil
from manager.model import Phase, Stage, Status
from manager.settings import ConnectionSettings
from manager.trace import frames_of
from manager.wire import Record

log = logging.getLogger(__name__)


class Supervisor:
    """Has one connection live, or rest."""

    __slots__ = ("_arrivals", "_ending", "_life", "_retired", "_task", "settings")

    def __init__(
        self,
        settings: ConnectionSettings,
        driver: Driver,
        *,
        clock: Clock,
        budget: LoginBudget,
        groups: Groups,
        publish: Publish,
        deliver: Callable[[str, object], None],
        record: Record,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.settings = settings
        self._life = Life(
            settings,
            driver,
            clock=clock,
            budget=budget,
            groups=groups,
            publish=publish,
            deliver=deliver,
            record=record,
            chance=chance,
            arrive=self._arrive,
        )
        self._task: asyncio.Task[None] | None = None
        """The life; None while the connection is at rest."""
        self._ending: list[asyncio.Task[None]] = []
        """Lives that were stopped, or failed, and still close their session; none begins before they have."""
        self._retired = False
        """Whether it was stopped for good."""
        self._arrivals: list[asyncio.Future[None]] = []
        """Who waits for the attempt under way, or the next, to succeed or fail."""

    @property
    def status(self) -> Status:
        """What is known of the connection now."""
        return self._life.status

    @property
    def session(self) -> Session | None:
        """The usable session, if there is one."""
        return self._life.current.session

    @property
    def aside(self) -> dict[str, float]:
        """Until when endpoints of the pool are set aside, by label, on the monotonic clock."""
        return self._life.aside

    @property
    def vigil(self) -> Vigil | None:
        """The watch over it."""
        return self._life.current.vigil

    @property
    def host(self) -> str:
        """The host in use, or the one that is tried next: whose login budget counts."""
        return self._life.host

    def start(self) -> None:
        """Take the connection up. Does nothing if it is, or if it was stopped for good."""
        if self._task is None and not self._retired:
            self._life.begin()
            self._task = asyncio.create_task(self._run(), name=f"supervisor of {self.settings.name}")

    async def stop(self, rest: Phase = Phase.STOPPED, *, for_good: bool = False) -> None:
        """Put the connection to rest in the phase `rest` and return when its session is closed politely.

        A caller that is cancelled meanwhile cuts politeness short; nothing is left behind then either.
        """
        self._retired = self._retired or for_good
        rest = Phase.STOPPED if self._retired else rest
        task = self._leave()
        if task is not None:
            if self.vigil is not None:
                self.vigil.release()
            task.cancel()
        if self._life.spare is not None:
            self._life.spare.leave()
        if self.status.phase is not rest:
            self._life.writer.rest(rest)
        self._arrive()
        ending = tuple(self._ending)
        try:
            await self._ended()
        except asyncio.CancelledError:
            for each in ending:
                each.cancel()
            if self._life.spare is not None:
                self._life.spare.hurry()
            await self._ended()
            raise

    def _leave(self) -> asyncio.Task[None] | None:
        """Let another life begin once the one under way, which is returned, has ended."""
        task, self._task = self._task, None
        if task is not None:
            self._ending.append(task)
            task.add_done_callback(self._ending.remove)
        return task

    async def _ended(self) -> None:
        if self._ending:
            await asyncio.wait(tuple(self._ending))

    async def _run(self) -> None:
        await self._ended()
        try:
            await self._life.run()
        except Exception as error:  # noqa: BLE001 - a mistake of ours stops one connection, visibly
            log.critical("%s: the supervisor raised %s", self.settings.name, frames_of(error))
            self._leave()
            self._life.writer.rest(Phase.STOPPED, failure_of(error, Stage.SESSION))
            self._arrive()
        finally:
            await self._life.end()

    async def reopen(self, *, override: bool = False) -> None:
        """Close a session that is up, end a wait, and return when the attempt that follows has ended.

        `override` goes past the login budget. An attempt that is under way is not disturbed.
        """
        async with self._joined():
            self._life.wake(override=override)

    async def skip(self) -> None:
        """End the wait under way, the number of its attempt kept, and return when that has ended.

        One that is over, or whose login is withheld, is not disturbed.
        """
        async with self._joined():
            self._life.skip()

    @asynccontextmanager
    async def _joined(self) -> AsyncIterator[None]:
        """Do something, then wait until the attempt under way, or the next, has ended."""
        arrival = asyncio.get_running_loop().create_future()
        self._arrivals.append(arrival)
        try:
            yield
            await arrival
        finally:
            if arrival in self._arrivals:
                self._arrivals.remove(arrival)

    def withheld_for(self) -> float:
        """Return the seconds for which the login budget holds the next try back; 0 where it does not."""
        return self._life.withheld_for()

    def tell_withheld(self) -> None:
        """Tell that a login was asked for and not tried, because of the budget."""
        self._life.writer.withheld(self.host)

    def acknowledge(self) -> bool:
        """Note that an operator knows of the trouble; return False where there is none."""
        return self._life.writer.acknowledge()

    def withdraw_acknowledgement(self) -> None:
        """Note that an operator took that back."""
        self._life.writer.withdraw_acknowledgement()

    def clock_jumped(self, jump: Jump) -> None:
        """Tell times by the wall clock as it is now."""
        self._life.writer.clock_jumped(jump)

    def look_anew(self) -> None:
        """Trust nothing that was known: send a heartbeat now, or end the wait and count from 1.

        A wait that the server asked for goes on, and a refusal stays one.
        """
        self._life.look_anew()

    def _arrive(self) -> None:
        arrivals, self._arrivals = self._arrivals, []
        for arrival in arrivals:
            if not arrival.done():
                arrival.set_result(None)
