"""The SIP driver: opens one registration, once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec

from manager.drivers.base import DriverError, Memory, SessionListener
from manager.drivers.failures import failure_of
from manager.drivers.sip.address import AddressError, SipUri, host_port, parse_uri
from manager.drivers.sip.lookup import Target, resolve
from manager.drivers.sip.memory import recall, remember
from manager.drivers.sip.peek import peek
from manager.drivers.sip.registration import Identity, Registration
from manager.drivers.sip.session import SipSession
from manager.drivers.sip.transport import Wire, open_wire
from manager.drivers.stream import ClientTls
from manager.drivers.tls import client_context
from manager.endpoint import Endpoint
from manager.model import Failure, FailureClass, Stage
from manager.secret import Secret, SecretUnavailableError
from manager.settings import SipSettings

Answer = TypeVar("Answer")
_Act = Callable[[SipSession], Awaitable[Answer]]
"""What is done over a flow that is open."""

_SELECTING = (Stage.CONNECT, Stage.TLS, Stage.HANDSHAKE)
"""Stages at which no credentials were sent, so that the next address may be tried."""


class SipDriver:
    """Registers one address of record."""

    def __init__(self, settings: SipSettings, memory: Memory) -> None:
        self._settings = settings
        self._memory = memory

    async def open(self, endpoint: Endpoint, listener: SessionListener) -> SipSession:
        """Look the registrar up, connect and register; the addresses of a name are tried in order.

        Raises:
            DriverError: not registered; nothing is left open.
        """
        opening = _Opening(self._settings, self._memory, endpoint, listener)
        try:
            return await opening.run()
        except (OSError, SecretUnavailableError) as error:
            raise DriverError(failure_of(error, opening.stage)) from None

    async def peek(self, endpoint: Endpoint) -> None:
        """Connect and close again; over UDP, send an OPTIONS and see any response.

        Raises:
            DriverError, OSError, UnicodeError: there is no sign of life.
        """
        await peek(endpoint, _address_of_record(self._settings))

    async def inquire(self, endpoint: Endpoint, listener: SessionListener) -> float:
        """Send an OPTIONS over the transport that a registration would take, and see any response.

        From a port of its own and under a Contact of its own: a registration that lives is not touched.

        Raises:
            DriverError: there is no answer.
        """
        opening = _Opening(self._settings, {}, endpoint, listener)
        try:
            return await opening.ask()
        except OSError as error:
            raise DriverError(failure_of(error, opening.stage)) from None


class _Opening:
    """One call of `open` or `inquire`."""

    def __init__(
        self, settings: SipSettings, memory: Memory, endpoint: Endpoint, listener: SessionListener
    ) -> None:
        self.stage = Stage.SECRET
        self._settings = settings
        self._memory = memory
        self._key = f"registration {settings.aor} {endpoint.label}"
        self._endpoint = endpoint
        self._listener = listener

    async def run(self) -> SipSession:
        identity = await self._identity()

        async def register(session: SipSession) -> SipSession:
            await session.register(Stage.LOGIN, self._challenged)
            session.keep()
            return session

        return await self._somewhere(identity, register)

    async def ask(self) -> float:
        """Return how long an OPTIONS takes, and leave nothing behind."""
        aor = _address_of_record(self._settings)

        async def heartbeat(session: SipSession) -> float:
            latency = await session.heartbeat()
            await session.close(graceful=False)
            return latency

        return await self._somewhere(Identity(aor, "", Secret(""), 0), heartbeat)

    async def _somewhere(self, identity: Identity, act: _Act[Answer]) -> Answer:
        self._reach(Stage.LOOKUP)
        targets = await resolve(self._endpoint)
        order = self._listener.ordered([target.address for target in targets])
        targets.sort(key=lambda target: order.index(target.address))
        for target in targets[:-1]:
            try:
                async with asyncio.timeout(self._settings.policy.connect_timeout / len(targets)):
                    return await self._at(target, identity, act)
            except DriverError as error:
                if self.stage not in _SELECTING or not _may_differ_elsewhere(error.failure):
                    raise
            except OSError:  # TimeoutError is one
                if self.stage not in _SELECTING:
                    raise
        return await self._at(targets[-1], identity, act)

    async def _identity(self) -> Identity:
        settings = self._settings
        aor = _address_of_record(settings)
        self._reach(Stage.SECRET)
        password: Secret = await settings.password.read()
        return Identity(aor, settings.username, password, settings.expires)

    async def _at(self, target: Target, identity: Identity, act: _Act[Answer]) -> Answer:
        registration = Registration(identity, self._memory, self._key)
        session = SipSession(
            registration,
            self._listener,
            invite_answer=self._settings.invite_answer,
            refresh_timeout=self._settings.policy.heartbeat_timeout,
        )
        try:
            self._reach(Stage.CONNECT)
            self._listener.using(target.address)
            wire = await self._wire(target, session, registration.remembered.port)
            registration.attach(wire.transport, wire.local)
            via = registration.websocket_host if wire.transport in ("WS", "WSS") else None
            session.flow.attach(wire, via)
            # Over UDP nothing is connected before the first answer.
            if target.transport != "udp" and self.stage is not Stage.HANDSHAKE:
                self._reach(Stage.HANDSHAKE)
            return await act(session)
        except DriverError as error:
            await session.close(graceful=False)
            raise self._placed(error) from None
        except BaseException as error:
            if isinstance(error, (TimeoutError, asyncio.CancelledError)):
                self._heard_nothing(target)
            await session.close(graceful=False)
            raise

    def _challenged(self) -> None:
        if self.stage is not Stage.HANDSHAKE:
            self._reach(Stage.HANDSHAKE)
        self._reach(Stage.LOGIN)

    def _placed(self, error: DriverError) -> DriverError:
        """Say at which stage of opening a flow was lost, which knows only that it was."""
        if error.failure.stage is not Stage.SESSION:
            return error
        return DriverError(msgspec.structs.replace(error.failure, stage=self.stage))

    async def _wire(self, target: Target, session: SipSession, port: int | None) -> Wire:
        tls = self._tls() if target.transport in ("tls", "wss") else None
        if target.transport in ("ws", "wss"):
            # Late: it costs 90 ms, and few registrations go over WebSocket.
            from manager.drivers.sip.websocket import open_websocket  # noqa: PLC0415 - if used

            return await open_websocket(
                target, session.flow, session.tap, url=self._url(target), tls=tls, reached=self._reach
            )
        return await open_wire(target, session.flow, local_port=port, tls=tls, reached=self._reach)

    def _tls(self) -> ClientTls:
        settings = self._settings.tls
        return client_context(settings), settings.server_name or self._endpoint.host

    def _url(self, target: Target) -> str:
        """Return the address as it was set, or with the usual path for `sip:host;transport=ws`."""
        if self._endpoint.scheme in ("ws", "wss"):
            return self._endpoint.url.reveal()
        return f"{target.transport}://{host_port(self._endpoint.host, target.port)}/ws"

    def _heard_nothing(self, target: Target) -> None:
        """Let the next session take another port: a firewall or NAT may hold on to a dead path from this one.

        Over UDP not before our binding has run out: until then the registrar may just hang, and allow us no
        second Contact.
        """
        remembered = recall(self._memory, self._key)
        bound = target.transport == "udp" and remembered.until > time.time()
        if self.stage is Stage.CONNECT and not bound:
            remember(self._memory, self._key, msgspec.structs.replace(remembered, port=None))

    def _reach(self, stage: Stage) -> None:
        self.stage = stage
        self._listener.reached(stage)


def _address_of_record(settings: SipSettings) -> SipUri:
    try:
        return parse_uri(settings.aor)
    except AddressError as error:
        raise DriverError(
            Failure(
                kind=FailureClass.CONFIGURATION,
                stage=Stage.SECRET,
                reason=f"aor is no SIP address: {error}",
                hint="it looks like sip:6001@pbx1.example.com",
            )
        ) from None


def _may_differ_elsewhere(failure: Failure) -> bool:
    return failure.kind in (FailureClass.TRANSIENT, FailureClass.OVERLOAD)
