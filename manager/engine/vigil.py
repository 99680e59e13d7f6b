"""The watch over one session while it is up: heartbeats, health checks, and the proof that it holds."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import NoReturn, Protocol, TypeVar

from manager.drivers.base import NOTHING_TO_CHECK, DriverError, Promotable, Session
from manager.drivers.failures import failure_of
from manager.engine.clock import Clock
from manager.engine.deadline import Deadline, obey_cancellation
from manager.engine.ticks import Call, Ticks
from manager.model import Failure, FailureClass, Stage
from manager.settings import Policy
from manager.trace import frames_of

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

_EARLY = 0.001
"""Seconds by which a timer may come too early."""

SLACK = 0.01
"""Share of the heartbeat interval by which a heartbeat or check may come early, with those of others."""

HEARTBEAT, CHECK, REFRESH = "heartbeat", "check", "refresh"
_PROMOTION = "promotion"

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

    A session that is held costs one timer; a heartbeat or check is a task only while it is under way.
    """

    __slots__ = (
        "_check_due",
        "_clock",
        "_deadline",
        "_doubted",
        "_error",
        "_failure",
        "_failures",
        "_heartbeat_due",
        "_name",
        "_observer",
        "_one_check",
        "_one_heartbeat",
        "_policy",
        "_probes",
        "_prove_at",
        "_session",
        "_ticks",
        "_timer",
        "_unproved",
        "_waiters",
        "_watching",
        "_well",
    )

    def __init__(
        self,
        session: Session,
        policy: Policy,
        clock: Clock,
        ticks: Ticks,
        observer: Observer,
        *,
        name: str = "",
    ) -> None:
        self._session = session
        self._policy = policy
        self._clock = clock
        self._ticks = ticks
        self._observer = observer
        self._name = name
        self._failures: dict[str, int] = {}
        """How often in a row heartbeats, checks or refreshes failed, where they did."""
        self._one_heartbeat = asyncio.Lock()
        self._one_check = asyncio.Lock()
        self._probes: dict[str, asyncio.Task[None]] = {}
        """The heartbeat and the check that are under way by themselves."""
        self._doubted = False
        """Whether a heartbeat is wanted at once."""
        self._well = False
        """Whether a heartbeat was answered since anything failed last."""
        now = clock.monotonic()
        self._heartbeat_due = now + policy.heartbeat_interval
        self._check_due = now + policy.health_interval
        self._prove_at: float | None = now + policy.stable_after
        """When the session has held long enough; None once it has."""
        self._unproved = True
        """Whether it was not called stable yet."""
        self._timer: asyncio.TimerHandle | Call | None = None
        self._deadline = Deadline(None)
        """What holds until the session ends; it strikes when the life is over for another reason."""
        self._watching = True
        """Whether the life is not over yet; what is found out after that is about nobody."""
        self._failure: Failure | None = None
        """Why the life is over. No exception: one that is kept keeps its frames, and they the session."""
        self._error: BaseException | None = None
        """A mistake of ours in a probe."""
        self._waiters: list[asyncio.Future[None]] = []
        """Who waits for the end beside the supervisor."""

    @property
    def failures(self) -> int:
        """The largest of the three counts of failures in a row."""
        return max(self._failures.values(), default=0)

    @property
    def watching(self) -> bool:
        """Whether the session is not over yet."""
        return self._watching

    @property
    def stable(self) -> bool:
        """Whether the session has held long enough."""
        return not self._unproved

    async def hold(self) -> NoReturn:
        """Watch until the session is over.

        Raises:
            LifeOver: it is, and why.
        """
        try:
            if self._watching:
                self._schedule()
                async with self._deadline:
                    self.end(await self._session.ended())
        except TimeoutError:
            if self._watching:
                raise
        finally:
            self.release()
            await self.end_probes()
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        obey_cancellation()
        raise LifeOver(self._failure)

    def end(self, failure: Failure | None) -> bool:
        """End the life, by request where there is no failure; return False where it had ended already."""
        if not self._watching:
            return False
        self._failure = failure
        self.release()
        self._deadline.strike()
        return True

    def release(self) -> None:
        """Watch no longer: what is found out from now on is about nobody."""
        self._watching = False
        self._stop_timer()
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def promote(self, observer: Observer) -> None:
        """Tell another observer from now on: a spare takes over, and makes up for what it left out."""
        self._observer = observer
        if isinstance(self._session, Promotable):
            self._probe(_PROMOTION, self._promote(self._session.promote))
        else:
            self.doubt()

    def doubt(self) -> None:
        """Send a heartbeat now instead of at the next interval."""
        self._doubted = True
        self._schedule()

    def refreshed(self, failure: Failure | None) -> None:
        """Note what became of a refresh that the session made by itself."""
        if not self._watching:
            return
        if failure is None:
            self._failures.pop(REFRESH, None)
            self._observer.refresh_answered()
        else:
            self._count(REFRESH, failure)

    async def examine(self) -> Examination | None:
        """Run a heartbeat and a check now, side by side; they count like any other.

        Returns None where the session ends meanwhile.
        """
        if not self._watching:
            return None
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(over)
        both = asyncio.gather(self._heartbeat(), self._check())
        # What is cancelled here is asked for by nobody, of which asyncio would complain.
        both.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        try:
            await asyncio.wait((both, over), return_when=asyncio.FIRST_COMPLETED)
            return Examination(*both.result()) if both.done() and self._watching else None
        finally:
            self._waiters.remove(over)
            both.cancel()
            await asyncio.wait([both])

    # --- what is due ------------------------------------------------------------------------------------

    def _schedule(self) -> None:
        """Set the one timer to whatever is due first."""
        self._stop_timer()
        if not self._watching:
            return
        due, slack = math.inf, self._slack
        if HEARTBEAT not in self._probes:
            due = self._clock.monotonic() if self._doubted else self._heartbeat_due
        if CHECK not in self._probes:
            due = min(due, self._check_due)
        if self._prove_at is not None and self._prove_at <= due:
            due, slack = self._prove_at, 0.0
        if due == math.inf:
            return
        if slack:
            self._timer = self._ticks.call_at(due, slack, self._timed)
        else:
            self._timer = asyncio.get_running_loop().call_at(due, self._timed)

    @property
    def _slack(self) -> float:
        """Seconds by which what is due may come early; a suspect is asked to the point."""
        return 0.0 if self._doubted or self._failures else SLACK * self._policy.heartbeat_interval

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _timed(self) -> None:
        self._timer = None
        now = self._clock.monotonic() + _EARLY
        soon = now + self._slack
        if HEARTBEAT not in self._probes and (self._doubted or soon >= self._heartbeat_due):
            # Now, and not after the answer, which may have been on its way when a doubt arises.
            self._doubted = False
            self._probe(HEARTBEAT, self._beat())
        if CHECK not in self._probes and soon >= self._check_due:
            self._probe(CHECK, self._look())
        if self._prove_at is not None and now >= self._prove_at:
            self._prove_at = None
            self._prove()
        self._schedule()

    def _prove(self) -> None:
        """Call the session stable once it has held long enough and its heartbeats are answered."""
        if self._prove_at is None and self._well and self._unproved and self._watching:
            self._unproved = False
            self._observer.proved()

    def _probe(self, probe: str, work: Coroutine[object, object, None]) -> None:
        task = self._probes[probe] = asyncio.create_task(work, name=f"{probe} of {self._name}")
        task.add_done_callback(partial(self._probed, probe))

    def _probed(self, probe: str, task: asyncio.Task[None]) -> None:
        del self._probes[probe]
        if not task.cancelled() and (error := task.exception()) is not None:
            self._error = error
            self.end(None)
        self._schedule()

    async def end_probes(self) -> None:
        """Return when no probe is under way, also where a cancellation comes meanwhile."""
        for task in self._probes.values():
            task.cancel()
        cancelled = False
        while self._probes:
            try:
                await asyncio.wait(tuple(self._probes.values()))
            except asyncio.CancelledError:
                cancelled = True
        if cancelled:
            raise asyncio.CancelledError

    async def _beat(self) -> None:
        started = self._clock.monotonic()
        answer = await self._heartbeat()
        policy = self._policy
        pause = policy.suspect_timeout if isinstance(answer, Failure) else policy.heartbeat_interval
        self._heartbeat_due = started + pause

    async def _look(self) -> None:
        answer = await self._check()
        pause = math.inf if answer == NOTHING_TO_CHECK else self._policy.health_interval
        self._check_due = self._clock.monotonic() + pause
        if isinstance(answer, Failure):
            self._doubted = True

    async def _promote(self, promote: Callable[[], Awaitable[bool]]) -> None:
        answer = await self._ask(promote, self._policy.suspect_timeout, Stage.TAKEOVER)
        if isinstance(answer, Failure):
            self.end(answer)
        elif not answer:
            self._doubted = True

    async def _heartbeat(self) -> float | Failure:
        async with self._one_heartbeat:
            # Seen only now: the heartbeat that this one has waited for may have failed.
            limit = self._policy.suspect_timeout if self._failures else self._policy.heartbeat_timeout
            answer = await self._ask(self._session.heartbeat, limit, Stage.HEARTBEAT)
        if isinstance(answer, Failure):
            self._count(HEARTBEAT, answer)
        elif self._watching:
            self._failures.pop(HEARTBEAT, None)
            self._well = not self._failures
            self._observer.heartbeat_answered(answer)
            self._prove()
        return answer

    async def _check(self) -> str | Failure:
        async with self._one_check:
            answer = await self._ask(self._session.check, self._policy.heartbeat_timeout, Stage.CHECK)
        if isinstance(answer, Failure):
            self._count(CHECK, answer)
        elif self._watching:
            self._failures.pop(CHECK, None)
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
        self._well = False
        self._failures[probe] = self._failures.get(probe, 0) + 1
        self._observer.probe_failed(probe, failure)
        if self._failures[probe] >= self._policy.unhealthy_threshold or failure.kind in _FINAL:
            self.end(failure)
