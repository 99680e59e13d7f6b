"""A session: one registration, kept alive on one flow until it ends."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import time
from collections.abc import Callable, Coroutine
from typing import Any

from manager.drivers.base import DriverError, SessionListener
from manager.drivers.failures import REGISTRATION_ENDED, failure_of
from manager.drivers.result import result_of
from manager.drivers.sip import uas
from manager.drivers.sip.address import host_port
from manager.drivers.sip.exchange import Exchange
from manager.drivers.sip.flow import Flow
from manager.drivers.sip.message import Request, Response
from manager.drivers.sip.registration import Granted, Purpose, Registration
from manager.drivers.tap import Tap
from manager.model import FactValue, Failure, FailureClass, Stage
from manager.text import quoted

CLOSE_TIMEOUT = 2.0
_ENDING = (FailureClass.CREDENTIALS, FailureClass.PERMANENT, FailureClass.CONFIGURATION)


class SipSession:
    """A registration at a registrar."""

    def __init__(
        self,
        registration: Registration,
        listener: SessionListener,
        *,
        invite_answer: int,
        refresh_timeout: float,
    ) -> None:
        self.tap = Tap(listener, [registration.identity.password])
        self.flow = Flow(self, self.tap)
        self._registration = registration
        self._listener = listener
        self._invite_answer = invite_answer
        self._refresh_timeout = refresh_timeout
        self._loop = asyncio.get_running_loop()
        self._registering = asyncio.Lock()  # one REGISTER at a time (RFC 3261 §10.2)
        self._expires = 0
        self._until = 0.0
        self._expires_at = 0.0
        self._server = ""
        """What the registrar calls itself, as it came."""
        self._calls_refused = 0
        self._pongs_promised = False
        self._over: asyncio.Future[Failure] = self._loop.create_future()
        self._due: asyncio.TimerHandle | None = None
        """What begins the next refresh; None until `keep`, while one is under way, and after `close`."""
        self._refreshing: asyncio.Task[None] | None = None
        self._moved = False
        """Whether a refresh is wanted because calls would go where we are no longer seen."""

    @property
    def facts(self) -> dict[str, FactValue]:
        """What is known of the registration.

        `registrar`, `contact`, `expires` (granted, in seconds), `expires_at` (wall time), `transport`,
        `server`, `public_address` (None until the registrar has said it), `calls_refused` and
        `messages_dropped`.
        """
        wire, registration = self.flow.wire, self._registration
        public = registration.public
        return {
            "registrar": host_port(*wire.peer),
            "contact": str(registration.offered),
            "expires": self._expires,
            "expires_at": self._expires_at,
            "transport": wire.transport.lower(),
            "server": quoted(self._server),
            "public_address": host_port(*public) if public else None,
            "calls_refused": self._calls_refused,
            "messages_dropped": self.flow.dropped,
        }

    async def register(self, stage: Stage, before_credentials: Callable[[], None] | None = None) -> None:
        """Register, or refresh the registration.

        Raises:
            DriverError: it was refused, or the flow is lost.
        """
        granted = await self._exchange(Purpose.REGISTER, stage, before_credentials)
        if granted is not None:
            self._expires = granted.expires
            self._until = self._loop.time() + granted.expires
            self._expires_at = round(time.time() + granted.expires, 3)

    def keep(self) -> None:
        """Keep the registration alive from now on."""
        self._look_whether_moved()
        self._await_refresh()

    async def heartbeat(self) -> float:
        """Send OPTIONS, whose response is a sign of life whatever it says (RFC 3261 §11).

        Where the peer answers empty lines, one has to be answered too (RFC 5626 §4.4.1).
        """
        started = self._loop.time()
        pong: asyncio.Task[None] | None = None
        if self.flow.wire.pings:
            if self.flow.ponged or self._pongs_promised:
                pong = asyncio.create_task(self.flow.ping())
            else:
                self.flow.nudge()
        try:
            response = await self.flow.request(self._registration.options())
            latency = self._loop.time() - started
            self._registration.learn(response)
            self._look_whether_moved()
            if pong is not None:
                await pong
        finally:
            if pong is not None:
                pong.cancel()
                await asyncio.gather(pong, return_exceptions=True)
        return latency

    async def check(self) -> str:
        """Read our own binding back (RFC 3261 §10.2.3)."""
        granted = await self._exchange(Purpose.FETCH, Stage.CHECK)
        if granted is None or not granted.listed:
            return "the registrar shows no bindings"
        return f"bound for {granted.expires} s"

    def ended(self) -> Coroutine[Any, Any, Failure]:
        """Return when the flow is lost, the registration has run out or was refused."""
        return result_of(self._over)

    async def close(self, *, graceful: bool) -> None:
        """Take the binding back if `graceful`, and close the flow."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        refreshing, self._refreshing = self._refreshing, None
        try:
            if refreshing is not None:
                refreshing.cancel()
                await asyncio.gather(refreshing, return_exceptions=True)
            # One that was refused is not followed by another login.
            if graceful and not self._over.done():
                with contextlib.suppress(DriverError, TimeoutError):
                    async with asyncio.timeout(CLOSE_TIMEOUT):
                        await self._exchange(Purpose.REMOVE, Stage.SESSION)
        finally:
            await self.flow.close()

    def answer(self, request: Request, *, pending: bool) -> Response:
        """Answer a request of the registrar, and report a call."""
        response = uas.answer(
            request, invite_answer=self._invite_answer, pending=pending, tag=secrets.token_hex(6)
        )
        if uas.is_new_call(request):
            text, fields = uas.call_of(request)
            self._calls_refused += 1
            self._listener.reported("incomingCall", text, {**fields, "answer": response.status})
            self._listener.facts_changed()
        elif response.status == 200 and uas.ends_registration(request):
            self._end(_lost(REGISTRATION_ENDED))
        return response

    def flow_over(self, failure: Failure) -> None:
        """Take the end of the flow."""
        self._end(failure)

    async def _exchange(
        self, purpose: Purpose, stage: Stage, before_credentials: Callable[[], None] | None = None
    ) -> Granted | None:
        async with self._registering:
            exchange = Exchange(self._registration, purpose, stage, time.time)
            request: Request | None = exchange.first()
            while request is not None:
                if before_credentials is not None and exchange.with_credentials:
                    before_credentials()
                    before_credentials = None
                response = await self.flow.request(request)
                self._note(response)
                request = exchange.next(response)
            return exchange.granted

    def _note(self, response: Response) -> None:
        headers = response.headers
        self._server = headers.get("Server") or headers.get("User-Agent") or self._server
        if headers.number("Flow-Timer") is not None or "outbound" in headers.values("Require"):
            self._pongs_promised = True

    def _look_whether_moved(self) -> None:
        """Have the registration refreshed at once if calls would go where we are no longer seen.

        At most once a heartbeat: there are NATs that give every packet another port.
        """
        if self._registration.moved:
            self._moved = True
            if self._due is not None:
                self._begin_refresh()

    def _await_refresh(self) -> None:
        chance = random.random()  # noqa: S311 - spreads load, hides nothing
        wait = 0.0 if self._moved else refresh_delay(self._expires, chance)
        self._due = self._loop.call_later(wait, self._begin_refresh)

    def _begin_refresh(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
        self._moved = False
        self._refreshing = asyncio.create_task(self._refresh(), name="sip refresh")
        self._refreshing.add_done_callback(self._refreshing_over)

    async def _refresh(self) -> None:
        """Refresh the registration, again and again while it lives."""
        while (remaining := self._until - self._loop.time()) > 0:
            failure = await self._refreshed(try_timeout(remaining, self._refresh_timeout))
            if self.flow.failure is not None:
                return
            self._listener.refreshed(failure)
            if failure is None:
                self._listener.facts_changed()
                self._await_refresh()
                return
            if failure.kind in _ENDING:
                self._end(failure)
                return
            await asyncio.sleep(retry_delay(self._until - self._loop.time(), failure.retry_after))
        self._end(_lost("the registration has run out and could not be refreshed"))

    async def _refreshed(self, timeout: float) -> Failure | None:
        try:
            async with asyncio.timeout(timeout):
                await self.register(Stage.REFRESH)
        except TimeoutError:
            return Failure(
                kind=FailureClass.TRANSIENT,
                stage=Stage.REFRESH,
                reason="no answer to the refresh of the registration",
                hint="it is tried again while the registration lives",
            )
        except DriverError as error:
            return error.failure
        return None

    def _refreshing_over(self, refreshing: asyncio.Task[None]) -> None:
        """Have a mistake of ours end the session, and not leave a registration that nobody refreshes."""
        error = None if refreshing.cancelled() else refreshing.exception()
        if error is not None:
            self._end(failure_of(error, Stage.REFRESH))

    def _end(self, failure: Failure) -> None:
        if not self._over.done():
            self._over.set_result(failure)


def refresh_delay(expires: float, chance: float) -> float:
    """Return when to refresh a registration of this lifetime: after 60 to 75 % of it, by `chance` in 0…1.

    What is left has room for several tries, and registrations made together do not stay together.
    """
    return expires * (0.6 + 0.15 * chance)


def try_timeout(remaining: float, limit: float) -> float:
    """Return how long a try to refresh may take: half of what remains at most, so that another one fits."""
    return min(limit, max(remaining / 2, 1.0))


def retry_delay(remaining: float, retry_after: float | None) -> float:
    """Return when to try a failed refresh again within what remains; never after its end."""
    wait = max(min(remaining / 3, 30.0), 1.0)
    if retry_after is not None:
        wait = max(wait, retry_after)
    return max(0.0, min(wait, remaining))


def _lost(reason: str) -> Failure:
    return Failure(kind=FailureClass.TRANSIENT, stage=Stage.SESSION, reason=reason)
