"""The spare: a second session of a connection, kept warm on another endpoint, to take over at once.

It is the supervisor's own: begun once the connection is stable, ended with it, and taken by it when the
session in use is lost. It is opened like any other, in its turn and within the login budget, and opened again
after the waits of the policy, by a count of its own: attempts, phase and health of the connection are not
touched by it.

One that has failed a heartbeat takes nothing over. One that takes over before it was stable may itself have
cost the other its life, where a server allows one session; so that failure counts for the next spare.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Sequence

from manager.drivers.base import Driver, StandbyDriver
from manager.drivers.failures import failure_of
from manager.endpoint import Endpoint
from manager.engine.budget import LoginBudget
from manager.engine.clock import Clock
from manager.engine.credentials import Credentials
from manager.engine.deadline import obey_cancellation
from manager.engine.group import Bystander, Groups
from manager.engine.held import Held
from manager.engine.listener import GenerationListener
from manager.engine.opening import Opener
from manager.engine.policy import Wait, next_wait
from manager.engine.pool import Pool, Use
from manager.engine.status import StatusWriter
from manager.engine.vigil import LifeOver, Vigil
from manager.model import Facts, Failure, FailureClass, Phase, Stage
from manager.settings import ConnectionSettings
from manager.trace import frames_of
from manager.wire import Record

log = logging.getLogger(__name__)


class Spare:
    """Keeps the spare session of one connection, and hears it until it takes over."""

    def __init__(
        self,
        settings: ConnectionSettings,
        driver: Driver,
        pool: Pool,
        writer: StatusWriter,
        *,
        clock: Clock,
        budget: LoginBudget,
        credentials: Credentials,
        groups: Groups,
        record: Record,
        chance: Callable[[], float],
    ) -> None:
        self._policy = settings.policy
        self._name = f"spare of {settings.name}"
        self._pool = pool
        self._writer = writer
        self._clock = clock
        self._ticks = groups.ticks
        self._chance = chance
        self.record = record
        self._credentials = credentials.of_a_spare()
        self._bystander = Bystander(self._name, settings, groups, self.doubt)
        opening = driver.open_standby if isinstance(driver, StandbyDriver) else driver.open
        self._opener = Opener(settings, opening, self._credentials, budget, self._bystander)
        self._task: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        """Tasks that were given up and still close their session; none begins before they have."""
        self._use: Use | None = None
        """The endpoint that it is on or is opened at."""
        self._held: Held | None = None
        self._tries = 0
        """How often it was lost or could not be opened, since one was stable last."""
        self._rest = Phase.WAITING
        """What the wait under way is called."""
        self._due = 0.0
        """When it may be opened again."""
        self._failure: Failure | None = None
        self.generation = 0
        """How many were opened."""

    # --- what its supervisor asks for -------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Whether it would take over now."""
        return self._held is not None and not self._held.taken and self._held.ready

    def begin(self) -> None:
        """Keep a spare from now on."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep(), name=self._name)

    def leave(self) -> None:
        """Keep none any longer: what there is closes by itself, and its endpoint is free at once."""
        self._use = self._pool.reserved = None
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    def hurry(self) -> None:
        """Cut short what is left of politeness."""
        for task in self._ending:
            task.cancel()

    async def ended(self) -> None:
        """Return when what was left is closed, also where a cancellation comes meanwhile."""
        cancelled = False
        while self._ending:
            try:
                await asyncio.wait(tuple(self._ending))
            except asyncio.CancelledError:
                cancelled = True
        if cancelled:
            raise asyncio.CancelledError

    def take(self, failure: Failure | None) -> Held | None:
        """Give the session away where it is ready; `failure` is what it takes over from."""
        held = self._held
        if held is None or not self.ready:
            return None
        if failure is not None and not held.vigil.stable:
            self._plan(failure, None)
        held.taken = True
        self.leave()
        return held

    def doubt(self) -> bool:
        """Send a heartbeat now; a suspect is asked already. Return whether one goes."""
        if self._held is None or not self.ready:
            return False
        self._held.vigil.doubt()
        return True

    # --- its own life -----------------------------------------------------------------------------------

    async def _keep(self) -> None:
        try:
            await self._others_ended()
            while True:
                await self._one_life(await self._next_endpoint())
        except Exception as error:  # noqa: BLE001 - a mistake of ours costs the spare, visibly
            log.critical("%s: it raised %s", self._name, frames_of(error))
            self._failure = failure_of(error, Stage.SESSION)
            self._show(Phase.STOPPED, self._pool.current)

    async def _others_ended(self) -> None:
        others = self._ending - {asyncio.current_task()}
        if others:
            await asyncio.wait(others)

    async def _next_endpoint(self) -> Endpoint:
        """Return where the next one is opened, once that may be."""
        while True:
            now = self._clock.monotonic()
            endpoint, free_at = self._pool.beside(max(now, self._due))
            due = max(self._due, free_at)
            if due <= now:
                return endpoint
            self._show(self._rest, endpoint, due)
            await self._until(due)
            self._due, self._rest = 0.0, Phase.WAITING

    async def _until(self, due: float) -> None:
        """Wait, blocked at most until a secret has changed."""
        while (left := due - self._clock.monotonic()) > 0:
            if self._rest is Phase.BLOCKED and self._credentials.changed:
                return
            await asyncio.sleep(min(left, self._policy.health_interval))

    async def _one_life(self, endpoint: Endpoint) -> None:
        use = self._use = Use(endpoint)
        self._pool.reserved = endpoint
        self.generation += 1
        self._show(Phase.CONNECTING, endpoint)
        try:
            await self._open_and_hold(use)
        except LifeOver as over:
            if over.failure is not None:
                if over.withheld is None:
                    self._pool.set_aside(use, over.failure, self._clock.monotonic())
                self._plan(over.failure, over.withheld)
        finally:
            if self._use is use:
                self._use = self._pool.reserved = None

    async def _open_and_hold(self, use: Use) -> None:
        listener = GenerationListener(self, use.endpoint.label, standby=True)
        session = await self._opener.open(use.endpoint, listener)
        vigil = Vigil(session, self._policy, self._clock, self._ticks, self, name=self._name)
        held = self._held = Held(session, vigil, use, listener, name=self._name)
        graceful = True
        try:
            obey_cancellation()
            self._show(Phase.UP, use.endpoint)
            with self._bystander.is_up(use.endpoint):
                await held.hold()
        except LifeOver as over:
            graceful = False
            if over.failure is not None and over.failure.kind is FailureClass.CREDENTIALS:
                self._credentials.refused(over.failure, use.endpoint.host, None)
            raise
        except Exception as error:  # noqa: BLE001 - a mistake of ours or a driver's costs the session, no more
            graceful = False
            log.error("%s: watching it raised %s", self._name, frames_of(error))
            raise LifeOver(failure_of(error, Stage.SESSION)) from None
        finally:
            self._held = None
            if not held.taken:
                await held.close(graceful=graceful and not vigil.failures)

    def _plan(self, failure: Failure, withheld: float | None) -> None:
        """Decide when the next one may be opened."""
        self._failure = failure
        self._tries += 1
        if withheld is not None:
            wait = Wait(Phase.BLOCKED, withheld, 0)
        else:
            refusals, chance = self._credentials.refusals, self._chance()
            wait = next_wait(self._policy, failure, attempt=self._tries, refusals=refusals, chance=chance)
        if wait.phase is Phase.BLOCKED:
            self._tries = 0
        self._rest, self._due = wait.phase, self._clock.monotonic() + wait.seconds

    def _show(self, phase: Phase, endpoint: Endpoint, due: float = math.inf) -> None:
        in_seconds = None if math.isinf(due) else due - self._clock.monotonic()
        self._writer.spare(phase, endpoint, in_seconds, self._failure)

    # --- what its listener passes on --------------------------------------------------------------------

    @property
    def listening(self) -> bool:
        """Whether it is there or being opened."""
        return self._use is not None

    def ordered(self, addresses: Sequence[str]) -> list[str]:
        """Return the addresses of its endpoint as the pool would have them tried."""
        assert self._use is not None  # noqa: S101 - it is listening
        return self._pool.ordered_for(self._use, addresses, self._clock.monotonic())

    def using(self, address: str) -> None:
        """Note at which address it is opened."""
        assert self._use is not None  # noqa: S101 - it is listening
        self._use.address = address

    def facts_changed(self) -> None:
        """Facts of a spare are shown once it has taken over."""

    def refreshed(self, failure: Failure | None) -> None:
        """Count a refresh."""
        if self._held is not None:
            self._held.vigil.refreshed(failure)

    def reported(self, report: str, text: str, fields: Facts) -> None:
        """Publish what it noticed: a call that came to the spare was a call."""
        self._writer.reported(report, text, fields)

    def received(self, message: object) -> None:
        """Drop a message: it is for the session in use to receive any."""

    # --- what its watch sees ----------------------------------------------------------------------------

    def heartbeat_answered(self, latency: float) -> None:  # noqa: ARG002 - latencies are the session's in use
        """Show that it is well."""
        self._answered()

    def check_answered(self, finding: str) -> None:  # noqa: ARG002 - findings too
        """Show that it is well."""
        self._answered()

    def refresh_answered(self) -> None:
        """Show that it is well."""
        self._answered()

    def probe_failed(self, probe: str, failure: Failure) -> None:  # noqa: ARG002 - the failure says it all
        """Show that it may not be well."""
        if self._use is not None:
            self._failure = failure
            self._show(Phase.SUSPECT, self._use.endpoint)

    def proved(self) -> None:
        """Let its count begin anew."""
        if self._use is not None:
            self._tries, self._failure = 0, None
            self._pool.proved(self._use)
            self._show(Phase.UP, self._use.endpoint)

    def _answered(self) -> None:
        if self._use is not None and self.ready:
            self._show(Phase.UP, self._use.endpoint)
