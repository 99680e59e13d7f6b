"""One login: when its turn has come, within the login budget, and before its deadline."""

from __future__ import annotations

import logging
from typing import Protocol

from manager.drivers.base import DriverError, Opening, Session, SessionListener
from manager.drivers.failures import failure_of
from manager.endpoint import Endpoint
from manager.engine.budget import LoginBudget, LoginWithheldError, Slot
from manager.engine.credentials import Credentials
from manager.engine.deadline import Deadline, too_late
from manager.engine.vigil import LifeOver
from manager.model import FailureClass, Stage
from manager.settings import ConnectionSettings
from manager.trace import frames_of

log = logging.getLogger(__name__)


class Line(Protocol):
    """Where those stand who open connections on a host."""

    async def turn(self, host: str) -> None:
        """Return when it is this one's turn."""

    def opens(self) -> None:
        """Note that an attempt begins."""


class StagedListener(SessionListener, Protocol):
    """One that knows how far opening has come."""

    @property
    def stage(self) -> Stage:
        """The stage that was reached last."""


class Opener:
    """Opens sessions of one connection, each once."""

    __slots__ = ("_budget", "_credentials", "_line", "_name", "_opening", "_policy")

    def __init__(
        self,
        settings: ConnectionSettings,
        opening: Opening,
        credentials: Credentials,
        budget: LoginBudget,
        line: Line,
    ) -> None:
        self._name = settings.name
        self._policy = settings.policy
        self._opening = opening
        self._credentials = credentials
        self._budget = budget
        self._line = line

    async def open(self, endpoint: Endpoint, listener: StagedListener, *, override: bool = False) -> Session:
        """Return a usable session; `override` goes past the login budget.

        Raises:
            LifeOver: it could not be opened, or the budget withheld the login.
        """
        credentials, host = self._credentials, endpoint.host
        credentials.try_now()
        try:
            if not credentials.must_reserve(host):
                await self._line.turn(host)
                if not credentials.must_reserve(host):
                    return await self._open_in_time(endpoint, listener, None)
            async with self._budget.slot(host, self._policy, override=override) as slot:
                await self._line.turn(host)
                return await self._open_in_time(endpoint, listener, slot)
        except LoginWithheldError as error:
            raise credentials.withheld(error) from None

    async def _open_in_time(self, endpoint: Endpoint, listener: StagedListener, slot: Slot | None) -> Session:
        self._line.opens()
        try:
            async with Deadline(self._policy.connect_timeout):
                session = await self._opening(endpoint, listener)
        except DriverError as error:
            failure = error.failure
        except TimeoutError:
            failure = too_late(listener.stage, self._policy.connect_timeout)
        except Exception as error:  # noqa: BLE001 - a driver's mistake is a failed attempt, not our end
            log.error("%s: opening raised %s", self._name, frames_of(error))
            failure = failure_of(error, listener.stage)
        else:
            self._credentials.accepted(endpoint.host)
            self._budget.answered(endpoint.host)
            return session
        failure = self._budget.judged(endpoint, failure, self._policy)
        if failure.kind is FailureClass.CREDENTIALS:
            self._credentials.refused(failure, endpoint.host, slot)
        raise LifeOver(failure)
