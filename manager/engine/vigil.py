"""The watch over one session while it is up: heartbeats, health checks, and the proof that it holds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NoReturn, Protocol, TypeVar

from manager.drivers.base import DriverError, Session
from manager.drivers.failures import failure_of
from manager.engine.clock import Clock
from manager.engine.deadline import Deadline
from manager.engine.trace import frames_of
from manager.model import Failure, FailureClass, Stage
from manager.settings import Policy

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

HEARTBEAT, CHECK, REFRESH = "heartbeat", "check", "refresh"

_FINAL = (FailureClass.CREDENTIALS, FailureClass.CONFIGURATION, FailureClass.PERMANENT)


class LifeOver(Exception):  # noqa: N818 - the end of a life is not always an error
    """A session's life has ended, or could not begin."""

    def __init__(self, failure: Failure | None, *, withheld: float | None = None) -> None:
        super().__init__(failure.reason if failure else "reopened by request")
        self.failure = failure
        """Why; None where somebody asked for a new session."""
        self.withheld = withheld
        """Seconds until the login budget allows a try, where that is the reason."""


class Observer(Protocol):
    """Who is told what the watch sees."""

    def heartbeat_answered(self, latency: float) -> None:
        """A heartbeat came back after `latency` seconds."""

    def check_answered(self, finding: str) -> None:
        """A health check found this."""

    def refresh_answered(self) -> None:
        """The session was refreshed."""

    def probe_failed(self, probe: str, failure: Failure) -> None:
        """A heartbeat, check or refresh failed and was counted."""

    def proved(self) -> None:
        """The session has held long enough to be called stable."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What one heartbeat and one check of a session gave."""

    heartbeat: float | Failure
    check: str | Failure


class Vigil:
    """Watches one session until its life is over.

    Failures of heartbeats, checks and refreshes are counted apart, or a heartbeat that works would hide a
    check that never does. The session is given up when one of the three reaches the threshold.
    """

    def __init__(self, session: Session, policy: Policy, clock: Clock, observer: Observer) -> None:
        self._session = session
        self._policy = policy
        self._clock = clock
        self._observer = observer
        self._failures = {HEARTBEAT: 0, CHECK: 0, REFRESH: 0}
        self._one_heartbeat = asyncio.Lock()
        self._one_check = asyncio.Lock()
        self._doubted = asyncio.Event()
        self._well = asyncio.Event()
        self._over: asyncio.Future[Failure | None] = asyncio.get_running_loop().create_future()
        """Why the life is over. No exception: one that is kept keeps its frames, and they the session."""

    @property
    def failures(self) -> int:
        """The largest of the three counts of failures in a row."""
        return max(self._failures.values())

    async def hold(self) -> NoReturn:
        """Watch until the session is over.

        Raises:
            LifeOver: it is, and why.
        """
        async with asyncio.TaskGroup() as group:
            watches = [
                group.create_task(self._until_ended()),
                group.create_task(self._heartbeats()),
                group.create_task(self._checks()),
                group.create_task(self._prove()),
            ]
            failure = await self._over
            for watch in watches:
                watch.cancel()
        raise LifeOver(failure)

    def end(self, failure: Failure | None) -> bool:
        """End the life, by request where there is no failure; return False where it had ended already."""
        if not self._watching:
            return False
        self._over.set_result(failure)
        return True

    @property
    def _watching(self) -> bool:
        """Whether the life is not over yet; what is found out after that is about nobody."""
        return not self._over.done()

    def doubt(self) -> None:
        """Send a heartbeat now instead of at the next interval."""
        self._doubted.set()

    def refreshed(self, failure: Failure | None) -> None:
        """Note what became of a refresh that the session made by itself."""
        if not self._watching:
            return
        if failure is None:
            self._failures[REFRESH] = 0
            self._observer.refresh_answered()
        else:
            self._count(REFRESH, failure)

    async def examine(self) -> Examination | None:
        """Run a heartbeat and a check now, side by side; they count like any other.

        Returns None where the session ends meanwhile.
        """
        both = asyncio.gather(self._heartbeat(), self._check())
        try:
            await asyncio.wait((both, self._over), return_when=asyncio.FIRST_COMPLETED)
            return Examination(*both.result()) if both.done() and self._watching else None
        finally:
            both.cancel()
            await asyncio.wait([both])

    async def _until_ended(self) -> None:
        async with Deadline(None):
            self.end(await self._session.ended())

    async def _heartbeats(self) -> None:
        policy = self._policy
        due = self._clock.monotonic() + policy.heartbeat_interval
        while self._watching:
            await self._until_due_or_doubted(due)
            started = self._clock.monotonic()
            answer = await self._heartbeat()
            pause = policy.suspect_timeout if isinstance(answer, Failure) else policy.heartbeat_interval
            due = started + pause

    async def _until_due_or_doubted(self, due: float) -> None:
        try:
            async with asyncio.timeout_at(due):
                await self._doubted.wait()
        except TimeoutError:
            pass
        # Not after the heartbeat: its answer may have been on its way when the doubt arose.
        self._doubted.clear()

    async def _checks(self) -> None:
        while self._watching:
            await asyncio.sleep(self._policy.health_interval)
            if isinstance(await self._check(), Failure):
                self.doubt()

    async def _prove(self) -> None:
        await asyncio.sleep(self._policy.stable_after)
        await self._well.wait()
        if self._watching:
            self._observer.proved()

    async def _heartbeat(self) -> float | Failure:
        suspect = self.failures > 0
        limit = self._policy.suspect_timeout if suspect else self._policy.heartbeat_timeout
        async with self._one_heartbeat:
            answer = await self._ask(self._session.heartbeat, limit, Stage.HEARTBEAT)
        if isinstance(answer, Failure):
            self._count(HEARTBEAT, answer)
        elif self._watching:
            self._failures[HEARTBEAT] = 0
            if not self.failures:
                self._well.set()
            self._observer.heartbeat_answered(answer)
        return answer

    async def _check(self) -> str | Failure:
        async with self._one_check:
            answer = await self._ask(self._session.check, self._policy.heartbeat_timeout, Stage.CHECK)
        if isinstance(answer, Failure):
            self._count(CHECK, answer)
        elif self._watching:
            self._failures[CHECK] = 0
            self._observer.check_answered(answer)
        return answer

    async def _ask(
        self, question: Callable[[], Awaitable[Answer]], limit: float, stage: Stage
    ) -> Answer | Failure:
        try:
            async with Deadline(limit):
                return await question()
        except DriverError as error:
            return error.failure
        except TimeoutError:
            reason = f"no answer to a {stage.value} in {limit:g} s"
            return Failure(kind=FailureClass.TRANSIENT, stage=stage, reason=reason)
        except Exception as error:  # noqa: BLE001 - a driver's mistake must not end the watch
            log.error("%s of a driver raised %s", stage.value, frames_of(error))
            return failure_of(error, stage)

    def _count(self, probe: str, failure: Failure) -> None:
        if not self._watching:
            return
        self._well.clear()
        self._failures[probe] += 1
        self._observer.probe_failed(probe, failure)
        if self._failures[probe] >= self._policy.unhealthy_threshold or failure.kind in _FINAL:
            self.end(failure)
