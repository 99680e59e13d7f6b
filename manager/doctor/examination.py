"""Opens each endpoint of one connection, once, as the manager would, and says how far that came.

By the drivers' own code and within the login budget of all. Nothing is tried twice: a host that has refused
the credentials is not sent them again on its next endpoint. Of a driver that can ask more than a peek does
(SIP: OPTIONS), that goes first, and a server that does not answer it is sent no login.
"""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from msgspec.structs import replace

from manager.doctor.report import Examination
from manager.doctor.trail import Trail, loop_clock
from manager.drivers.base import Driver, DriverError, InquiringDriver, Session
from manager.drivers.dial import host_of, look_up
from manager.drivers.failures import failure_of
from manager.endpoint import Endpoint
from manager.engine.budget import LoginBudget
from manager.engine.credentials import Credentials
from manager.engine.deadline import Deadline, close_in_time, too_late
from manager.engine.opening import Opener
from manager.engine.vigil import LifeOver
from manager.model import Failure, FailureClass, Stage
from manager.settings import ConnectionSettings, WebSocketSettings
from manager.trace import frames_of

log = logging.getLogger(__name__)

_CUT_OFF = "the server cuts off instead of answering: check that port and path are its own, and read its log"
_ADVICE = {
    Stage.CONNECT: "a firewall on the way, or the host itself, cuts connections off; its log may say why",
    Stage.TLS: "check that the port speaks TLS, and the log of the server",
    Stage.HANDSHAKE: _CUT_OFF,
    Stage.LOGIN: _CUT_OFF,
    Stage.SESSION: "a second program with the same login may put ours out, or the server limits sessions; "
    "its log says why",
}
"""What helps where the driver knows nothing better."""


class Examiner:
    """Looks at the endpoints of one connection."""

    def __init__(
        self,
        settings: ConnectionSettings,
        driver: Driver,
        budget: LoginBudget,
        *,
        log_in: bool = True,
        hold: float = 0.0,
    ) -> None:
        """Prepare.

        Args:
            settings: of the connection.
            driver: what opens its sessions.
            budget: how many logins its hosts are asked to bear.
            log_in: whether credentials are sent at all.
            hold: seconds for which a session is held, to see whether it stays.
        """
        self._settings = settings
        self._driver = driver
        self._log_in = log_in
        self._hold = hold
        self._policy = settings.policy
        self._opener = Opener(settings, driver.open, Credentials(settings, budget), budget, _NoLine())
        self._refused_by: set[str] = set()
        """Hosts that have refused the credentials."""

    async def examine(self) -> tuple[Examination, ...]:
        """Examine every endpoint, one after the other."""
        return tuple([await self._examine(endpoint) for endpoint in self._settings.endpoints])

    async def _examine(self, endpoint: Endpoint) -> Examination:
        trail = Trail(endpoint, loop_clock)
        session: Session | None = None
        failure: Failure | None = None
        try:
            await self._look(endpoint, trail)
            if endpoint.host in self._refused_by:
                trail.left_out("login", "refused before, and not sent again")
            elif self._log_in:
                session = await self._open(endpoint, trail)
                await self._use(session, trail)
            else:
                trail.left_out("login", "not tried")
        except _StoppedError as stop:
            failure = _advised(stop.failure)
            trail.failed(failure)
        finally:
            if session is not None:
                await close_in_time(session, graceful=True)
        usable = session is not None and failure is None
        return Examination(
            endpoint=endpoint.label, steps=tuple(trail.steps.values()), failure=failure, usable=usable
        )

    async def _look(self, endpoint: Endpoint, trail: Trail) -> None:
        """Look without credentials: always where the driver can ask, else where no login follows."""
        driver, log_in = self._driver, self._log_in and endpoint.host not in self._refused_by
        if isinstance(driver, InquiringDriver):
            trail.asks("OPTIONS")
            async with _answered(trail, self._policy.connect_timeout):
                await driver.inquire(endpoint, trail)
            trail.answered()
        elif log_in:
            return
        elif isinstance(self._settings, WebSocketSettings) and self._settings.proxy is not None:
            trail.left_out("proxy", "it stands before, and only an opening would tell more")
        else:
            async with _answered(trail, self._policy.connect_timeout):
                trail.reached(Stage.LOOKUP)
                found = await look_up(endpoint.host, endpoint.port)
                trail.ordered([host_of(address) for address in found])
                trail.reached(Stage.CONNECT)
                await self._driver.peek(endpoint)
            trail.done()

    async def _open(self, endpoint: Endpoint, trail: Trail) -> Session:
        try:
            session = await self._opener.open(endpoint, trail)
        except LifeOver as over:
            failure, withheld = over.failure, over.withheld
        else:
            trail.done()
            return session
        assert failure is not None  # noqa: S101 - nobody is there who asks for another session
        if withheld is not None:
            raise _StoppedError(_withheld(failure, withheld))
        if failure.kind is FailureClass.CREDENTIALS:
            self._refused_by.add(endpoint.host)
        raise _StoppedError(failure)

    async def _use(self, session: Session, trail: Trail) -> None:
        """See that an open session answers, and that it stays."""
        limit = self._policy.heartbeat_timeout
        trail.reached(Stage.HEARTBEAT)
        async with _answered(trail, limit):
            await session.heartbeat()
        trail.reached(Stage.CHECK)
        async with _answered(trail, limit):
            found = await session.check()
        trail.done(found)
        if not self._hold:
            return
        trail.begins("stays")
        with suppress(TimeoutError):
            async with Deadline(self._hold):
                raise _StoppedError(await session.ended())
        async with _answered(trail, limit):
            await session.check()
        trail.done()


@asynccontextmanager
async def _answered(trail: Trail, limit: float) -> AsyncIterator[None]:
    """Bound a call of a driver, and say why it failed.

    Raises:
        _StoppedError: it did.
    """
    try:
        async with Deadline(limit):
            yield
    except DriverError as error:
        failure = error.failure
    except TimeoutError:
        failure = too_late(trail.stage, limit)
    except Exception as error:  # noqa: BLE001 - a driver's mistake is a finding, not our end
        if not isinstance(error, (OSError, UnicodeError)):
            log.error("a driver raised %s", frames_of(error))
        failure = failure_of(error, trail.stage)
    else:
        return
    raise _StoppedError(failure)


def _advised(failure: Failure) -> Failure:
    return failure if failure.hint else replace(failure, hint=_ADVICE.get(failure.stage, ""))


def _withheld(failure: Failure, seconds: float) -> Failure:
    reason = f"not tried, for the login budget is used up: {failure.reason}"
    later = f"the next one may go in {seconds / 60:.0f} min" if math.isfinite(seconds) else ""
    return replace(
        failure, stage=Stage.LOGIN, reason=reason, hint="; ".join(filter(None, (failure.hint, later)))
    )


class _NoLine:
    """Nobody is waited for: a few connections are looked at side by side."""

    async def turn(self, host: str) -> None:
        """Return at once."""

    def opens(self) -> None:
        """Attempts of the doctor count for nothing."""


class _StoppedError(Exception):
    """It goes no further, and this is why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure
