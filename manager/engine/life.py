"""The life of one connection: sessions and waits in turn, until it is stopped. The only place that retries.

tenacity drives the loop. One turn is one session: open, hold, end by raising `LifeOver`.
What follows (`_next_wait`) is a decision of the policy; the wait itself (`_sleep`) ends at its deadline or
when somebody with a reason wakes it.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import NoReturn

from msgspec.structs import replace
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from manager.drivers.base import Driver, Session
from manager.drivers.failures import failure_of
from manager.endpoint import Endpoint
from manager.engine.budget import LoginBudget
from manager.engine.clock import Clock
from manager.engine.credentials import Credentials
from manager.engine.current import Current
from manager.engine.deadline import close_in_time, obey_cancellation
from manager.engine.flap import FlapWatch
from manager.engine.group import Groups, Sibling
from manager.engine.homing import Homing
from manager.engine.listener import GenerationListener
from manager.engine.opening import Opener
from manager.engine.policy import MOVE, Wait, next_wait
from manager.engine.pool import Pool
from manager.engine.reach import Reach
from manager.engine.spare import Spare
from manager.engine.status import Publish, StatusWriter
from manager.engine.takeover import Takeover
from manager.engine.vigil import LifeOver, Vigil
from manager.model import Failure, FailureClass, Phase, Stage, Status
from manager.settings import ConnectionSettings
from manager.trace import frames_of
from manager.wire import Record

log = logging.getLogger(__name__)

Hold = Callable[[], Coroutine[object, object, NoReturn]]
"""Watches a session until it is over; ends by raising `LifeOver`."""

_TRIED_AGAIN = retry_if_exception_type(LifeOver)


class Life:
    """Opens, holds and waits for one connection, and is the only writer of its status."""

    __slots__ = (
        "_arrive",
        "_attempt",
        "_chance",
        "_clock",
        "_credentials",
        "_driver",
        "_failure",
        "_homing",
        "_name",
        "_opener",
        "_override",
        "_policy",
        "_pool",
        "_reach",
        "_sibling",
        "_takeover",
        "_ticks",
        "_turn",
        "_wait",
        "current",
        "spare",
        "writer",
    )

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
        chance: Callable[[], float],
        arrive: Callable[[], None],
    ) -> None:
        """Prepare; `arrive` is called when an attempt has succeeded or failed, and a wait begins."""
        self._name = settings.name
        self._arrive = arrive
        self._policy = settings.policy
        self._driver = driver
        self._clock = clock
        self._ticks = groups.ticks
        self._chance = chance
        self._pool = Pool(settings.endpoints, settings.strategy, chance=chance)
        self._homing = Homing(clock)
        self.writer = StatusWriter(settings, self._pool.current, clock, publish)
        self._credentials = Credentials(settings, budget)
        self.current = Current(
            self.writer,
            self._pool,
            clock,
            FlapWatch(settings.policy),
            deliver=deliver,
            record=record,
            proved=self._proved,
        )
        self._reach = Reach(self.writer, self.current, driver, withheld_for=self.withheld_for)
        self._sibling = Sibling(settings, groups, self._reach)
        self._opener = Opener(settings, driver.open, self._credentials, budget, self._sibling)
        self.spare = (
            Spare(
                settings,
                driver,
                self._pool,
                self.writer,
                clock=clock,
                budget=budget,
                credentials=self._credentials,
                groups=groups,
                record=record,
                chance=chance,
            )
            if settings.spare
            else None
        )
        self._takeover = Takeover(self.spare, self._pool, self.current, self._homing, clock)
        self._turn: RetryCallState | None = None
        """tenacity's state; its attempt number counts the turns since the last stable session."""
        self._attempt = 0
        """Number of the next attempt, or of the one under way; 0 where it has none."""
        self._wait: Wait | None = None
        """The wait that was decided on; None to open again at once."""
        self._failure: Failure | None = None
        self._override = False
        """Whether the next login goes past the budget."""

    @property
    def status(self) -> Status:
        """What is known of the connection now."""
        return self.writer.status

    # --- what its supervisor asks for -------------------------------------------------------------------

    def begin(self) -> None:
        """Prepare for `run`: nothing has been tried yet."""
        self._attempt, self._override = 0, False
        self.current.flaps = FlapWatch(self._policy)

    def run(self) -> Awaitable[object]:
        """Keep the connection up until this is cancelled, then `end`; raises only for a mistake of ours."""
        retrying = AsyncRetrying(
            retry=_TRIED_AGAIN,
            before=self._begin_turn,
            wait=self._next_wait,
            sleep=self._sleep,
            reraise=True,
        )
        return retrying(self._one_life)

    def wake(self, *, override: bool) -> None:
        """End the session, or the wait, by request; `override` goes past the login budget once."""
        if override and self.status.phase is not Phase.CONNECTING:
            self._override = True
        if self.current.vigil is None or not self.current.vigil.end(None):
            self._reach.woken.set()

    def skip(self) -> None:
        """End the wait under way, the number of its attempt kept."""
        self._reach.woken_by_operator(self._clock.monotonic())

    async def end(self) -> None:
        """Forget the turn; close the spare, and the one that has taken over and was not gone on with."""
        self._turn = None
        await self._takeover.end()

    def withheld_for(self) -> float:
        """Return the seconds for which the login budget holds the next try back; 0 where it does not."""
        return self._credentials.withheld_for(self.host)

    @property
    def aside(self) -> dict[str, float]:
        """Until when endpoints of the pool are set aside, by label, on the monotonic clock."""
        return self._pool.aside(self._clock.monotonic())

    @property
    def host(self) -> str:
        """The host in use, or the one that is tried next: whose login budget counts."""
        return self._pool.current.host

    def look_anew(self) -> None:
        """Send a heartbeat now, or end the wait and count from 1."""
        if self.spare is not None:
            self.spare.doubt()
        if self.current.vigil is not None:
            self.current.vigil.doubt()
        elif self.status.phase in (Phase.WAITING, Phase.PARKED):
            asked = self._failure is not None and self._failure.retry_after
            if not asked and not self.withheld_for():
                self._reach.woken.set()

    # --- the loop ---------------------------------------------------------------------------------------

    async def _begin_turn(self, turn: RetryCallState) -> None:
        self._turn = turn

    async def _one_life(self) -> NoReturn:
        assert self._turn is not None  # noqa: S101 - tenacity begins a turn before it calls
        # The steps that led here would be kept, a kilobyte, for as long as the session is held.
        self._turn.retry_object.iter_state.reset()
        async with self._in_use() as hold:
            self._arrive()
            preferred = self._pool.preferred if self._policy.peek else None
            with self._sibling.is_up(self._pool.current):
                if preferred is None:
                    await hold()
                async with self._homing.heading(preferred, self._look, partial(self._go_home, preferred)):
                    await hold()

    async def _look(self, endpoint: Endpoint) -> None:
        """Look whether the preferred endpoint is well; nobody goes there without the spare that should be."""
        if self.spare is not None and not self.spare.ready:
            raise OSError("there is no spare")
        if self._pool.reserved != endpoint:
            await self._driver.peek(endpoint)

    def _go_home(self, preferred: Endpoint) -> None:
        self._pool.trust(preferred)
        if self.current.vigil is not None:
            self.current.vigil.end(None)

    def _next_wait(self, turn: RetryCallState) -> float:
        """Decide what follows the life that just ended; tenacity adds 1 to the attempt number after this."""
        obey_cancellation()
        assert turn.outcome is not None  # noqa: S101 - tenacity asks only after a turn has ended
        over = turn.outcome.exception()
        assert isinstance(over, LifeOver)  # noqa: S101 - nothing else is tried again
        self._failure = over.failure
        if self._takeover.pending or over.failure is None:
            turn.attempt_number = turn.attempt_number - 1 if self._takeover.pending else 1
            self._wait = None
            return 0.0
        if self.spare is not None:
            self.spare.leave()
        now = self._clock.monotonic()
        self._homing.session_over()
        left = self._pool.failed(over.failure, now) if over.withheld is None else self._pool.withheld()
        if left and over.failure.kind is not FailureClass.CREDENTIALS:
            self._wait = MOVE
            turn.attempt_number -= 1
        elif over.withheld is not None:
            self._wait = Wait(Phase.BLOCKED, over.withheld, 0)
        else:
            self._wait = next_wait(
                self._policy,
                replace(over.failure, kind=self._pool.kind_of(over.failure)),
                attempt=turn.attempt_number,
                refusals=self._credentials.refusals,
                chance=self._chance(),
            )
        self._pool.move(now + self._wait.seconds)
        if self._wait.phase is Phase.BLOCKED:
            turn.attempt_number = 0
        return self._wait.seconds

    async def _sleep(self, seconds: float) -> None:
        wait, failure = self._wait, self._failure
        if wait is None or failure is None:
            return
        until = None if math.isinf(seconds) else self._clock.monotonic() + seconds
        self._attempt = wait.attempt
        self.writer.waiting(wait, until, failure, self._pool.current)
        self.writer.flapping(self.current.flaps.flap)
        if wait is MOVE:
            return
        if not self._reach.woken.is_set():
            self._arrive()
        if await self._until_woken(wait, failure, until):
            self._attempt = 1
            self._pool.begin_round()
            self._pool.move(self._clock.monotonic())
            assert self._turn is not None  # noqa: S101 - a turn has begun before any wait
            self._turn.attempt_number = 2

    async def _until_woken(self, wait: Wait, failure: Failure, end: float | None) -> bool:
        """Return whether the wait ended by a person's wish or, blocked, a new secret: not at its deadline."""
        while True:
            until = end
            if wait.phase is Phase.BLOCKED:
                look = self._clock.monotonic() + self._policy.health_interval
                until = look if end is None else min(look, end)
            try:
                async with asyncio.timeout_at(until) as self._reach.alarm:
                    with self._sibling.waits(self._pool.current, wait, failure, until):
                        return await self._reach.woken.wait()
            except TimeoutError:
                if until == end:
                    return False
            if self._credentials.changed:
                return True

    # --- one session ------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _in_use(self) -> AsyncIterator[Hold]:
        """Open a session, or go on with the spare that has taken over; let it be held until it is over."""
        taken = self._takeover.claim()
        if taken is not None and self.spare is not None and self.status.stable:
            self.spare.begin()
        endpoint = self._pool.current
        session = taken.session if taken is not None else await self._open(endpoint)
        graceful, again, ended = True, False, None
        try:
            obey_cancellation()
            yield self._watched(session) if taken is None else taken.hold
        except LifeOver as over:
            ended = over.failure
            graceful = again = ended is None
            self.current.flaps.ended(ended, self._clock.monotonic())
            if ended is not None and ended.kind is FailureClass.CREDENTIALS:
                self._credentials.refused(ended, endpoint.host, None)
            raise
        except Exception as error:  # noqa: BLE001 - a mistake of ours or a driver's costs the session, no more
            graceful = False
            log.error("%s: watching the session raised %s", self._name, frames_of(error))
            ended = failure_of(error, Stage.SESSION)
            raise LifeOver(ended) from None
        finally:
            self.current.session = self.current.vigil = None
            if again:
                self._begin_again()
            elif ended is not None:
                self._takeover.happens(ended)
            if taken is None:
                await close_in_time(session, graceful=graceful)
            else:
                await taken.close(graceful=graceful)

    def _watched(self, session: Session) -> Hold:
        vigil = Vigil(session, self._policy, self._clock, self._ticks, self.current, name=self._name)
        self.current.session, self.current.vigil = session, vigil
        self.current.flaps.begins(self._clock.monotonic())
        self.writer.up(session, self._pool.address)
        return vigil.hold

    def _begin_again(self) -> None:
        """Begin the attempt that follows an end that was asked for; none where the spare is the way home."""
        at_home = self._homing.under_way and self._pool.reserved == self._pool.preferred
        if at_home and self._takeover.happens(None):
            return
        self._attempt = 1
        self._pool.begin_round()
        self._pool.move(self._clock.monotonic())
        self._begin_attempt(self._pool.current)

    def _begin_attempt(self, endpoint: Endpoint) -> None:
        self.current.generation += 1
        generation, attempt = self.current.generation, self._attempt
        self.writer.connecting(endpoint, generation=generation, attempt=attempt)

    async def _open(self, endpoint: Endpoint) -> Session:
        if self.status.phase is not Phase.CONNECTING:
            self._begin_attempt(endpoint)
        override, self._override = self._override, False
        try:
            if self.spare is not None:
                await self.spare.ended()
            return await self._opener.open(
                endpoint, GenerationListener(self.current, endpoint.label), override=override
            )
        except LifeOver as over:
            if over.withheld is not None:
                self.writer.withheld(endpoint.host)
            if over.failure is not None:
                self._takeover.happens(over.failure, withheld=over.withheld is not None)
            raise
        finally:
            # Who asked for an attempt while this one was under way has joined it.
            self._reach.woken.clear()

    def _proved(self) -> None:
        """Let the attempts count from nothing again."""
        assert self._turn is not None  # noqa: S101 - a session lives within a turn
        self._turn.attempt_number = 1
        self._pool.holds()
        self._homing.arrived()
        self.writer.stable()
        self._sibling.is_stable()
        if self.spare is not None and not self._takeover.pending:
            self.spare.begin()
