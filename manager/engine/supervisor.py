"""The life of one connection: the one task that keeps it up, and the only place that retries.

tenacity drives the loop. One turn of it is one life of a session: open, hold, end by raising `LifeOver`.
What follows (`_next_wait`) is a decision of the policy; the wait itself (`_sleep`) ends at its deadline or
when somebody with a reason wakes it.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NoReturn

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from manager.drivers.base import Driver, DriverError, Session
from manager.drivers.failures import failure_of
from manager.endpoint import Endpoint
from manager.engine.budget import LoginBudget, LoginWithheldError, Slot
from manager.engine.clock import Clock
from manager.engine.listener import GenerationListener
from manager.engine.policy import Wait, next_wait
from manager.engine.pool import Pool
from manager.engine.status import Publish, StatusWriter
from manager.engine.trace import frames_of
from manager.engine.vigil import LifeOver, Vigil
from manager.model import Facts, Failure, FailureClass, Phase, Stage, Status
from manager.settings import ConnectionSettings

log = logging.getLogger(__name__)

CLOSE_TIMEOUT = 3.0
"""Seconds that a session gets to close; a polite close takes 2 at most."""


class Supervisor:
    """Keeps one connection up and is the only writer of its status."""

    def __init__(
        self,
        settings: ConnectionSettings,
        driver: Driver,
        *,
        clock: Clock,
        budget: LoginBudget,
        publish: Publish,
        deliver: Callable[[object], None],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.settings = settings
        self._policy = settings.policy
        self._driver = driver
        self._clock = clock
        self._budget = budget
        self._deliver = deliver
        self._chance = chance
        self._pool = Pool(settings.endpoints)
        self._writer = StatusWriter(settings, self._pool.current, clock, publish)
        self._task: asyncio.Task[None] | None = None
        self._turn: RetryCallState | None = None
        """tenacity's state; its attempt number counts the turns since the last stable session."""
        self._attempt = 0
        """Number of the attempt under way; 0 where it has none."""
        self._wait: Wait | None = None
        """The wait that was decided on; None to open again at once."""
        self._failure: Failure | None = None
        self._woken = asyncio.Event()
        self._arrivals: list[asyncio.Future[None]] = []
        """Who waits for the attempt under way, or the next, to succeed or fail."""
        self._override = False
        """Whether the next login goes past the budget."""
        self._accepted: set[tuple[str, object]] = set()
        """Host and version of the credentials that were accepted and not refused since."""
        self._refusal: Failure | None = None
        """The last refusal of our credentials, until they are accepted."""
        self._refusals = 0
        self._refused_version: object = None
        self.generation = 0
        """Number of the session in use or being opened."""
        self.session: Session | None = None
        """The usable session, if there is one."""
        self.vigil: Vigil | None = None
        """The watch over it."""

    @property
    def status(self) -> Status:
        """What is known of the connection now."""
        return self._writer.status

    # --- what the manager asks for ----------------------------------------------------------------------

    def start(self) -> None:
        """Take the connection up. Does nothing if it is."""
        if self._task is None:
            self._attempt = 0
            self._task = asyncio.create_task(self._run(), name=f"supervisor of {self.settings.name}")

    async def stop(self, rest: Phase = Phase.STOPPED) -> None:
        """Close the connection politely and leave it in the phase `rest`."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        if self.status.phase is not rest:
            self._writer.rest(rest)
        self._arrive()

    async def reopen(self, *, override: bool = False) -> None:
        """Close a session that is up, end a wait, and return when the attempt that follows has ended.

        `override` goes past the login budget. An attempt that is under way is not disturbed.
        """
        arrival = asyncio.get_running_loop().create_future()
        self._arrivals.append(arrival)
        self._override = override and self.status.phase is not Phase.CONNECTING
        if self.vigil is not None:
            self.vigil.end(LifeOver(None))
        else:
            self._woken.set()
        try:
            await arrival
        finally:
            if arrival in self._arrivals:
                self._arrivals.remove(arrival)

    def withheld_for(self) -> float:
        """Return the seconds for which the login budget holds the next try back; 0 where it does not."""
        host = self._pool.current.host
        return self._budget.seconds_to_slot(host, self._policy) if self._must_reserve(host) else 0.0

    # --- the loop ---------------------------------------------------------------------------------------

    async def _run(self) -> None:
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(LifeOver),
            before=self._begin_turn,
            wait=self._next_wait,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            await retrying(self._one_life)
        except Exception as error:  # noqa: BLE001 - a mistake of ours stops one connection, visibly
            log.critical("%s: the supervisor raised %s", self.settings.name, frames_of(error))
            self._writer.rest(Phase.STOPPED, failure_of(error, Stage.SESSION))

    def _begin_turn(self, turn: RetryCallState) -> None:
        self._turn = turn

    async def _one_life(self) -> NoReturn:
        async with self._opened() as session:
            self.vigil = Vigil(session, self._policy, self._clock, self)
            self._writer.up(session)
            self._arrive()
            await self.vigil.hold()

    def _next_wait(self, turn: RetryCallState) -> float:
        """Decide what follows the life that just ended; tenacity adds 1 to the attempt number after this."""
        assert turn.outcome is not None  # noqa: S101 - tenacity asks only after a turn has ended
        over = turn.outcome.exception()
        assert isinstance(over, LifeOver)  # noqa: S101 - nothing else is tried again
        self._failure = over.failure
        if over.failure is None:
            turn.attempt_number = 1
            self._wait = None
            return 0.0
        self._pool.failed()
        if over.withheld is not None:
            self._wait = Wait(Phase.BLOCKED, over.withheld, 0)
        else:
            self._wait = next_wait(
                self._policy,
                over.failure,
                attempt=turn.attempt_number,
                refusals=self._refusals,
                chance=self._chance(),
            )
        if self._wait.phase is Phase.BLOCKED:
            turn.attempt_number = 0
        return self._wait.seconds

    async def _sleep(self, seconds: float) -> None:
        wait, failure = self._wait, self._failure
        if wait is None or failure is None:
            return
        self._woken.clear()
        deadline = None if math.isinf(seconds) else self._clock.monotonic() + seconds
        self._attempt = wait.attempt
        self._writer.waiting(wait, deadline, failure)
        self._arrive()
        if await self._until_woken(wait, deadline):
            self._attempt = 1
            assert self._turn is not None  # noqa: S101 - a turn has begun before any wait
            self._turn.attempt_number = 2

    async def _until_woken(self, wait: Wait, deadline: float | None) -> bool:
        """Return whether the wait ended before its deadline: by a person's wish or, blocked, a new secret."""
        version = self._secret_version()
        while True:
            until = deadline
            if wait.phase is Phase.BLOCKED:
                look = self._clock.monotonic() + self._policy.health_interval
                until = look if deadline is None else min(look, deadline)
            try:
                async with asyncio.timeout_at(until):
                    return await self._woken.wait()
            except TimeoutError:
                if until == deadline:
                    return False
            if self._secret_version() != version:
                return True

    # --- one session ------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Session]:
        endpoint, version = self._pool.current, self._secret_version()
        session = self.session = await self._open(endpoint)
        graceful = True
        try:
            yield session
        except LifeOver as over:
            graceful = over.failure is None
            if over.failure is not None and over.failure.kind is FailureClass.CREDENTIALS:
                self._note_refusal(over.failure, endpoint.host, version, None)
            raise
        except Exception as error:  # noqa: BLE001 - a mistake of ours or a driver's costs the session, no more
            graceful = False
            log.error("%s: watching the session raised %s", self.settings.name, frames_of(error))
            raise LifeOver(failure_of(error, Stage.SESSION)) from None
        finally:
            self.session = self.vigil = None
            if graceful and self._task is not None:
                self._attempt = 1
                self._begin_attempt(endpoint)
            await _close(session, graceful=graceful)

    def _begin_attempt(self, endpoint: Endpoint) -> None:
        self.generation += 1
        self._writer.connecting(endpoint, generation=self.generation, attempt=self._attempt)

    async def _open(self, endpoint: Endpoint) -> Session:
        if self.status.phase is not Phase.CONNECTING:
            self._begin_attempt(endpoint)
        override, self._override = self._override, False
        try:
            if not self._must_reserve(endpoint.host):
                return await self._open_in_time(endpoint, None)
            async with self._budget.slot(endpoint.host, self._policy, override=override) as slot:
                return await self._open_in_time(endpoint, slot)
        except LoginWithheldError as error:
            self._writer.withheld(error.host)
            raise self._withheld(error) from None

    async def _open_in_time(self, endpoint: Endpoint, slot: Slot | None) -> Session:
        listener = GenerationListener(self)
        version = self._secret_version()
        try:
            async with asyncio.timeout(self._policy.connect_timeout):
                session = await self._driver.open(endpoint, listener)
        except DriverError as error:
            failure = error.failure
        except TimeoutError:
            failure = _too_late(listener.stage, self._policy.connect_timeout)
        except Exception as error:  # noqa: BLE001 - a driver's mistake is a failed attempt, not our end
            log.error("%s: opening raised %s", self.settings.name, frames_of(error))
            failure = failure_of(error, listener.stage)
        else:
            self._accepted.add((endpoint.host, version))
            self._refusal, self._refusals = None, 0
            return session
        if failure.kind is FailureClass.CREDENTIALS:
            self._note_refusal(failure, endpoint.host, version, slot)
        raise LifeOver(failure)

    def _arrive(self) -> None:
        arrivals, self._arrivals = self._arrivals, []
        for arrival in arrivals:
            if not arrival.done():
                arrival.set_result(None)

    # --- credentials ------------------------------------------------------------------------------------

    def _must_reserve(self, host: str) -> bool:
        if not self.settings.secrets():
            return False
        accepted = (host, self._secret_version()) in self._accepted
        return self._budget.needs_slot(host, self._policy, accepted_before=accepted)

    def _note_refusal(self, failure: Failure, host: str, version: object, slot: Slot | None) -> None:
        self._refusal = failure
        self._accepted.discard((host, version))
        self._refusals = self._refusals + 1 if version == self._refused_version else 1
        self._refused_version = version
        if slot is None:
            self._budget.note_refusal(host, self._policy)
        else:
            slot.refused()

    def _withheld(self, error: LoginWithheldError) -> LifeOver:
        """Describe a login that was not tried.

        Who was refused itself waits as long as any blocked connection, and leaves the next free slot to those
        whose credentials may be good.
        """
        if self._refusal is not None:
            patience = self._policy.blocked_retry or math.inf
            return LifeOver(self._refusal, withheld=max(error.seconds, patience))
        failure = Failure(
            kind=FailureClass.CREDENTIALS,
            stage=Stage.LOGIN,
            reason=f"{error.host} refused {self._policy.login_budget} logins lately",
            hint="mend the credentials that it refuses; more tries could get us banned",
        )
        return LifeOver(failure, withheld=error.seconds)

    def _secret_version(self) -> object:
        return tuple(source.version() for source in self.settings.secrets())

    # --- what the listener of the current session passes on ---------------------------------------------

    def facts_changed(self) -> None:
        """Show the facts of the session anew."""
        if self.session is not None:
            self._writer.facts_changed(self.session)

    def refreshed(self, failure: Failure | None) -> None:
        """Count a refresh."""
        if self.vigil is not None:
            self.vigil.refreshed(failure)

    def reported(self, report: str, text: str, fields: Facts) -> None:
        """Publish what the session noticed."""
        self._writer.reported(report, text, fields)

    def received(self, message: object) -> None:
        """Hand a message of the peer on."""
        self._deliver(message)

    # --- what the watch sees ----------------------------------------------------------------------------

    def heartbeat_answered(self, latency: float) -> None:
        """Show a heartbeat's round trip."""
        if self.session is not None and self.vigil is not None:
            self._writer.heartbeat_answered(self.session, latency, self.vigil.failures)

    def check_answered(self, finding: str) -> None:
        """Show what a check found."""
        if self.session is not None and self.vigil is not None:
            self._writer.check_answered(self.session, finding, self.vigil.failures)

    def refresh_answered(self) -> None:
        """Show that a refresh worked."""
        if self.session is not None and self.vigil is not None:
            self._writer.refresh_answered(self.session, self.vigil.failures)

    def probe_failed(self, probe: str, failure: Failure) -> None:
        """Show a failed heartbeat, check or refresh."""
        if self.vigil is not None:
            self._writer.probe_failed(probe, failure, self.vigil.failures)

    def proved(self) -> None:
        """Let the attempts count from nothing again."""
        assert self._turn is not None  # noqa: S101 - a session lives within a turn
        self._turn.attempt_number = 1
        self._attempt = 0
        self._writer.stable()


def _too_late(stage: Stage, limit: float) -> Failure:
    return Failure(
        kind=FailureClass.TRANSIENT,
        stage=stage,
        reason=f"no answer in {limit:g} s ({stage.value})",
        hint=_SILENCE.get(
            stage, "the server accepts connections but does not answer: it hangs or is overloaded"
        ),
    )


_SILENCE = {
    Stage.LOOKUP: "the name servers do not answer",
    Stage.CONNECT: "packets are dropped on the way (filtered, banned, or the host is down)",
}


async def _close(session: Session, *, graceful: bool) -> None:
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await session.close(graceful=graceful)
    except TimeoutError:
        log.error("a session did not close in %g s", CLOSE_TIMEOUT)
    except Exception as error:  # noqa: BLE001 - a driver's mistake must not stop the next attempt
        log.error("closing a session raised %s", frames_of(error))
