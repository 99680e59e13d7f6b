"""Holds what a driver of another package does wrong: its connection fails in plain words, and no other does.

Each call runs in a task of its own. What it raises becomes a failure that names the type, also `SystemExit`
and the like; only `KeyboardInterrupt` on the main thread goes through, where it is a person's. What it
returns is looked at (`soundness.py`). A call that goes on although it was cancelled is counted, named in the
log and ended by force after `LET_GO` seconds: its coroutine is closed under it and never run again. The
built-in drivers keep to the rules of `drivers/base.py` and do without.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import cast

from manager.drivers.base import (
    Driver,
    DriverError,
    DriverFactory,
    Memory,
    Opening,
    Promotable,
    Session,
    SessionListener,
    StandbyDriver,
)
from manager.drivers.failures import failure_of
from manager.endpoint import Endpoint
from manager.engine.soundness import sound_facts, sound_failure, sound_latency, sound_text
from manager.model import Facts, FactValue, Failure, FailureClass, Stage
from manager.plugins import PluginError
from manager.secret import SecretUnavailableError
from manager.settings import ConnectionSettings
from manager.trace import frames_of
from manager.wire import WireKind

log = logging.getLogger(__name__)

LET_GO = 0.5
"""Seconds that a call gets to end once it is cancelled."""
_MOST_TOLD = 32
_DETAILS = "the log has the details"
_SESSION_CALLS = ("heartbeat", "check", "ended", "close")


def contained(type_name: str, factory: DriverFactory) -> DriverFactory:
    """Return a factory whose drivers do no harm, whatever those of `factory` do."""

    def create(settings: ConnectionSettings, memory: Memory) -> Driver:
        return ContainedDriver(Containment(type_name, settings.name), lambda: factory(settings, memory))

    return create


class Misconduct(Exception):  # noqa: N818 - of a driver, not of ours
    """A driver did what it may not: the rest of a sentence that begins with its name."""


class Containment:
    """Runs the calls of one connection's driver."""

    def __init__(self, type_name: str, connection: str) -> None:
        self.type_name = type_name
        self.connection = connection
        self.unruly = 0
        """How many calls went on although they were cancelled."""
        self._told: set[tuple[str, str]] = set()
        """Which calls have raised what, as far as the log has it."""

    async def run(self, what: str, call: Callable[[], Awaitable[object]]) -> object:
        """Return what a call gives.

        Raises:
            DriverError, OSError, UnicodeError, SecretUnavailableError: what it raised.
            Misconduct: it raised anything else, or it was cancelled and went on.
        """
        task = asyncio.create_task(_attempt(call), name=f"{what} of {self.connection}")
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            await self._end(what, task)
            if task.cancelled():
                raise
        if task.cancelled():
            raise Misconduct("raised CancelledError")
        if isinstance(ended := task.exception(), GeneratorExit):
            raise self.misconduct(what, ended) from None
        answer, error = task.result()
        if error is None:
            return answer
        if isinstance(error, DriverError | OSError | UnicodeError | SecretUnavailableError):
            raise error
        raise self.misconduct(what, error) from None

    async def ask(self, what: str, stage: Stage, call: Callable[[], Awaitable[object]]) -> object:
        """Return what a call gives.

        Raises:
            DriverError: it failed, or did what it may not.
        """
        try:
            return await self.run(what, call)
        except DriverError as error:
            failure = sound_failure(error.failure, stage)
            raise DriverError(failure or self.failure(stage, "raised a failure that is none")) from None
        except Misconduct as misconduct:
            raise DriverError(self.failure(stage, str(misconduct))) from None
        except (OSError, UnicodeError, SecretUnavailableError) as error:
            raise DriverError(failure_of(error, stage)) from None

    def misconduct(self, what: str, error: BaseException) -> Misconduct:
        """Put what a driver raised into words; the log tells the first of its kind."""
        name = type(error).__name__
        if (what, name) not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add((what, name))
            log.error(
                "%s: %s of the %s driver raised %s", self.connection, what, self.type_name, frames_of(error)
            )
        return Misconduct(f"raised {sound_text(name)}")

    def failure(self, stage: Stage, deed: str, hint: str = _DETAILS) -> Failure:
        """Describe what the driver did."""
        reason = f"the {self.type_name} driver {deed}"
        return Failure(kind=FailureClass.TRANSIENT, stage=stage, reason=reason, hint=hint)

    async def _end(self, what: str, task: asyncio.Task[tuple[object, BaseException | None]]) -> None:
        """Cancel a call and return when it has ended; a second cancellation changes nothing.

        Raises:
            Misconduct: it went on, and was ended by force.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + LET_GO
        task.cancel()
        while not task.done() and loop.time() < until:
            with suppress(asyncio.CancelledError):
                await asyncio.wait([task], timeout=until - loop.time())
        if task.done():
            return
        self.unruly += 1
        log.critical(
            "%s: the %s driver goes on with its %s although it was cancelled (%d so far)",
            self.connection,
            self.type_name,
            what,
            self.unruly,
        )
        # Whatever catches even that is left suspended, with nothing to resume it.
        task.get_coro().close()
        task.add_done_callback(_forget)
        task.cancel()
        raise Misconduct(f"goes on with its {what} although it was cancelled")


async def _attempt(call: Callable[[], Awaitable[object]]) -> tuple[object, BaseException | None]:
    """Return what a call gives or raises: a task that raises SystemExit takes its loop with it."""
    try:
        return await call(), None
    except (asyncio.CancelledError, GeneratorExit):
        raise
    except BaseException as error:
        if _is_a_persons(error):
            raise
        return None, error


def _is_a_persons(error: BaseException) -> bool:
    """Whether this is ctrl+c, which only the main thread hears."""
    return isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread()


def _forget(task: asyncio.Task[object]) -> None:
    """Take the error of a call that was ended by force; nobody else will."""
    if not task.cancelled():
        task.exception()


class ContainedDriver:
    """A driver of another package, at arm's length."""

    def __init__(self, containment: Containment, create: Callable[[], Driver]) -> None:
        """Create the driver; where that fails each `open` tries again and tells why."""
        self._containment = containment
        self._create = create
        self._driver: Driver | None = None
        with suppress(DriverError):
            self._driver = self._made()

    async def open(self, endpoint: Endpoint, listener: SessionListener) -> Session:
        """Open a session.

        Raises:
            DriverError: it could not be opened, or the driver did what it may not.
        """
        return await self._open(_open_of, endpoint, listener)

    async def open_standby(self, endpoint: Endpoint, listener: SessionListener) -> Session:
        """Open a session as a spare; an ordinary one where the driver knows no other.

        Raises:
            DriverError: it could not be opened, or the driver did what it may not.
        """
        return await self._open(_open_standby_of, endpoint, listener)

    async def _open(
        self, opening_of: Callable[[Driver], Opening], endpoint: Endpoint, listener: SessionListener
    ) -> Session:
        containment = self._containment
        driver = self._driver = self._driver or self._made()
        heard = ContainedListener(containment, listener)
        session = await containment.ask("open", Stage.CONNECT, lambda: opening_of(driver)(endpoint, heard))
        if not all(callable(getattr(session, name, None)) for name in _SESSION_CALLS):
            raise DriverError(containment.failure(heard.stage, "opened no session"))
        return ContainedSession(containment, cast("Session", session))

    async def peek(self, endpoint: Endpoint) -> None:
        """Look for a bare sign of life.

        Raises:
            DriverError: there is none, or the driver did what it may not.
        """
        driver = self._driver
        if driver is None:
            raise DriverError(self._containment.failure(Stage.CONNECT, "was not created"))
        await self._containment.ask("peek", Stage.CONNECT, lambda: driver.peek(endpoint))

    def _made(self) -> Driver:
        containment = self._containment
        try:
            driver = self._create()
        except PluginError as error:
            deed = f"cannot be used: {error}"
            raise DriverError(_blocked(containment.failure(Stage.CONNECT, deed, error.hint))) from None
        except BaseException as error:
            if _is_a_persons(error):
                raise
            deed = f"was not created: it {containment.misconduct('create', error)}"
            raise DriverError(_blocked(containment.failure(Stage.CONNECT, deed))) from None
        if not callable(getattr(driver, "open", None)):
            raise DriverError(_blocked(containment.failure(Stage.CONNECT, "was not created: it has no open")))
        return driver


def _open_of(driver: Driver) -> Opening:
    return driver.open


def _open_standby_of(driver: Driver) -> Opening:
    return driver.open_standby if isinstance(driver, StandbyDriver) else driver.open


async def _promoted(session: Session) -> object:
    return await session.promote() if isinstance(session, Promotable) else False


def _blocked(failure: Failure) -> Failure:
    """Return a failure that trying again will not change."""
    return Failure(
        kind=FailureClass.CONFIGURATION, stage=failure.stage, reason=failure.reason, hint=failure.hint
    )


class ContainedSession:
    """A session of such a driver."""

    def __init__(self, containment: Containment, session: Session) -> None:
        self.inner = session
        """The session itself, for a program to send on."""
        self._containment = containment
        self._unruly_before = containment.unruly
        self._unsound = False
        """Whether the log tells that the facts are none."""

    @property
    def facts(self) -> dict[str, FactValue]:
        """What of the facts can be shown."""
        try:
            facts, sound = sound_facts(self.inner.facts)
        except BaseException as error:
            if _is_a_persons(error):
                raise
            self._containment.misconduct("facts", error)
            return {}
        if not sound and not self._unsound:
            self._unsound = True
            log.error(
                "%s: the %s driver has facts that cannot be shown; they are left out",
                self._containment.connection,
                self._containment.type_name,
            )
        return facts

    async def heartbeat(self) -> float:
        """Return the round trip of a heartbeat in seconds.

        Raises:
            DriverError: it failed, or the driver did what it may not.
        """
        answer = await self._containment.ask("heartbeat", Stage.HEARTBEAT, self.inner.heartbeat)
        latency = sound_latency(answer)
        if latency is None:
            raise DriverError(
                self._containment.failure(Stage.HEARTBEAT, "gave no round trip for its heartbeat")
            )
        return latency

    async def check(self) -> str:
        """Return what a check found.

        Raises:
            DriverError: it failed, or the driver did what it may not.
        """
        found = await self._containment.ask("check", Stage.CHECK, self.inner.check)
        if not isinstance(found, str):
            raise DriverError(self._containment.failure(Stage.CHECK, "did not say what its check found"))
        return sound_text(found)

    async def promote(self) -> bool:
        """Make up for what a spare left out; return whether the peer has answered.

        Raises:
            DriverError: it failed, or the driver did what it may not.
        """
        answered = await self._containment.ask("promote", Stage.TAKEOVER, lambda: _promoted(self.inner))
        return answered is True

    async def ended(self) -> Failure:
        """Return when the session is over, with why."""
        containment = self._containment
        try:
            failure = sound_failure(
                await containment.ask("ended", Stage.SESSION, self.inner.ended), Stage.SESSION
            )
        except DriverError as error:
            return error.failure
        return failure or containment.failure(Stage.SESSION, "did not say why its session ended")

    async def close(self, *, graceful: bool) -> None:
        """End the session; one of whose calls was ended by force is closed at once."""
        containment = self._containment
        unruly = containment.unruly > self._unruly_before
        with suppress(DriverError, TimeoutError):
            async with asyncio.timeout(LET_GO if unruly else None):
                await containment.ask(
                    "close", Stage.SESSION, lambda: self.inner.close(graceful=graceful and not unruly)
                )


class ContainedListener:
    """What such a session may tell the engine."""

    def __init__(self, containment: Containment, listener: SessionListener) -> None:
        self._containment = containment
        self._listener = listener
        self.stage = Stage.CONNECT
        """How far opening has come."""

    def reached(self, stage: Stage) -> None:
        """Pass on how far opening has come."""
        if isinstance(stage, Stage):
            self.stage = stage
            self._listener.reached(stage)

    def ordered(self, addresses: Sequence[str]) -> list[str]:
        """Return addresses as the pool would have them tried."""
        return self._listener.ordered(list(filter(None, map(sound_text, addresses))))

    def using(self, address: str) -> None:
        """Pass on at which address the session is opened."""
        self._listener.using(sound_text(address))

    def facts_changed(self) -> None:
        """Pass on that the facts are new."""
        self._listener.facts_changed()

    def refreshed(self, failure: Failure | None) -> None:
        """Pass on what became of a refresh."""
        if failure is not None:
            failure = sound_failure(failure, Stage.REFRESH) or self._containment.failure(
                Stage.REFRESH, "did not say why its refresh failed"
            )
        self._listener.refreshed(failure)

    def reported(self, report: str, text: str, fields: Facts) -> None:
        """Pass on what this type noticed."""
        self._listener.reported(sound_text(report), sound_text(text), sound_facts(fields)[0])

    def received(self, message: object) -> None:
        """Pass on a message of the peer."""
        self._listener.received(message)

    def wire(self, kind: object, content: object, *, sent: bool) -> None:
        """Pass on a message of the protocol."""
        if isinstance(kind, WireKind) and isinstance(content, bytes):
            self._listener.wire(kind, content, sent=bool(sent))
