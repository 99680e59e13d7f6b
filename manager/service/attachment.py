"""The connection type `service`: being attached to a service, kept up by the engine like any other.

A session hears everything that the service tells. It is up once the service has told how its connections
stand and what has happened since it was heard last.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import ClassVar, Protocol

from manager.drivers.base import Driver, DriverError, Memory, SessionListener
from manager.drivers.failures import failure_of
from manager.drivers.result import result_of
from manager.endpoint import Endpoint
from manager.errors import ManagerGoneError, NotAllowedError, TrunklineError, UntrustedError
from manager.events import Event, Gap
from manager.model import FactValue, Failure, FailureClass, Position, Snapshot, Stage
from manager.secret import Secret, SecretSource
from manager.service.address import TOKEN_VARIABLE, Address, NetworkAddress
from manager.service.methods import About
from manager.service.remote import RemoteClient
from manager.settings import ConnectionSettings, Policy
from manager.trace import frames_of

log = logging.getLogger(__name__)

TYPE = "service"
_POLICY = Policy(max_delay=10.0, cooldown=30.0, stable_after=10.0)


class Ear(Protocol):
    """Who hears what the services tell."""

    def since(self, label: str, now: Position) -> Position:
        """Return from where on the events of a service are wanted that stands at `now`."""

    def attach(self, label: str, snapshot: Snapshot, offset: float, past: list[Event]) -> None:
        """Take in how the connections of a service stand, and what led there."""

    def told(self, label: str, event: Event) -> None:
        """Take in what happened after that."""


class ServiceSettings(ConnectionSettings, frozen=True, kw_only=True):
    """An attachment to a service."""

    type: ClassVar[str] = TYPE
    token: SecretSource | None = None

    def secrets(self) -> tuple[SecretSource, ...]:
        return () if self.token is None else (self.token,)


def settings_of(label: str, address: Address) -> ServiceSettings:
    """Return the settings of the attachment to the service at an address."""
    url, token = Secret(str(address)), None
    if isinstance(address, NetworkAddress):
        endpoint = Endpoint("wss", address.host, address.port, "wss", str(address), url)
        file = address.token_file
        token = SecretSource(env=TOKEN_VARIABLE) if file is None else SecretSource(file=file)
    else:
        endpoint = Endpoint("unix", label, None, "unix", str(address), url)
    return ServiceSettings(name=label, endpoints=(endpoint,), group=label, policy=_POLICY, token=token)


class AttachmentDriver:
    """Attaches to one service."""

    def __init__(self, label: str, remote: RemoteClient, ear: Ear) -> None:
        self._label = label
        self._remote = remote
        self._ear = ear

    async def open(self, endpoint: Endpoint, listener: SessionListener) -> Attachment:  # noqa: ARG002 - the one
        """Hear how the connections of the service stand and what has happened.

        Raises:
            DriverError: it does not answer or does not let us in.
        """
        listener.reached(Stage.LOGIN)
        try:
            attachment = Attachment(self._label, self._remote, self._ear, await self._remote.about())
            await attachment.begin()
        except TrunklineError as error:
            raise DriverError(_failure(error, self._remote)) from None
        return attachment

    async def peek(self, endpoint: Endpoint) -> None:  # noqa: ARG002 - the one
        """Look whether somebody listens.

        Raises:
            OSError: nobody does.
        """
        await self._remote.peek()


class Attachment:
    """One session with a service."""

    def __init__(self, label: str, remote: RemoteClient, ear: Ear, about: About) -> None:
        self._label = label
        self._remote = remote
        self._ear = ear
        self._over: asyncio.Future[Failure] = asyncio.get_running_loop().create_future()
        self._following: asyncio.Task[None] | None = None
        self.facts: dict[str, FactValue] = {
            "trunkline": about.trunkline,
            "config": about.config,
            "pid": about.pid,
            "may": about.may,
        }

    async def begin(self) -> None:
        """Catch up, and follow from then on.

        Raises:
            TrunklineError: the service does not answer.
        """
        snapshot, offset = await self._snapshot()
        start = self._ear.since(self._label, snapshot.position)
        stream = self._remote.events(start)
        try:
            past = await _until(stream, start, snapshot.position)
            self._ear.attach(self._label, snapshot, offset, past)
        except BaseException:
            await stream.aclose()
            raise
        self._following = asyncio.create_task(self._follow(stream), name=f"attachment {self._label}")

    async def heartbeat(self) -> float:
        """Ask the service which one it is, and return how long that took.

        Raises:
            DriverError: it does not say.
        """
        loop = asyncio.get_running_loop()
        before = loop.time()
        try:
            await self._remote.about()
        except TrunklineError as error:
            raise DriverError(_failure(error, self._remote)) from None
        return loop.time() - before

    async def check(self) -> str:
        """Say that no more is looked at: what it tells is heard all the time."""
        return "its events are heard"

    async def ended(self) -> Failure:
        """Return why the service is heard no more, once it is not."""
        return await result_of(self._over)

    async def close(self, *, graceful: bool) -> None:  # noqa: ARG002 - there is nothing to say
        """Hear no more of it."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait([self._following])

    async def _follow(self, stream: AsyncGenerator[Event | Gap]) -> None:
        failure = Failure(
            kind=FailureClass.TRANSIENT, stage=Stage.SESSION, reason="it has ended its stream of events"
        )
        try:
            while await self._heard_until_gap(stream):
                # It told more than was heard in time, or something that is not known here.
                snapshot, offset = await self._snapshot()
                self._ear.attach(self._label, snapshot, offset, [])
                stream = self._remote.events(snapshot.position)
        except TrunklineError as error:
            failure = _failure(error, self._remote)
        except Exception as error:  # noqa: BLE001 - what a service tells must not leave a session that is deaf
            log.error("%s: what it tells raised %s", self._label, frames_of(error))
            failure = failure_of(error, Stage.SESSION)
        finally:
            with suppress(TrunklineError):
                await stream.aclose()
        if not self._over.done():
            self._over.set_result(failure)

    async def _heard_until_gap(self, stream: AsyncGenerator[Event | Gap]) -> bool:
        """Pass events on; whether some were missed."""
        try:
            async for event in stream:
                if isinstance(event, Gap):
                    return True
                self._ear.told(self._label, event)
        finally:
            await stream.aclose()
        return False

    async def _snapshot(self) -> tuple[Snapshot, float]:
        loop = asyncio.get_running_loop()
        before = loop.time()
        snapshot = await self._remote.snapshot()
        return snapshot, (before + loop.time()) / 2 - snapshot.monotonic


async def _until(stream: AsyncGenerator[Event | Gap], start: Position, end: Position) -> list[Event]:
    """Return the events between two positions, as far as they are held.

    Raises:
        ManagerGoneError: the stream ended before.
    """
    past: list[Event] = []
    seq = start.seq
    while seq < end.seq:
        try:
            event = await anext(stream)
        except StopAsyncIteration:
            raise ManagerGoneError("it has ended its stream of events") from None
        if isinstance(event, Event):
            past.append(event)
            seq = event.seq
    return past


def _failure(error: TrunklineError, remote: RemoteClient) -> Failure:
    """Return why a service is not attached; where it is stands beside it already."""
    if isinstance(error, NotAllowedError):
        kind, stage = FailureClass.CREDENTIALS, Stage.LOGIN
    elif isinstance(error, UntrustedError):
        kind, stage = FailureClass.CONFIGURATION, Stage.TLS
    else:
        kind, stage = FailureClass.TRANSIENT, Stage.CONNECT
    reason = str(error).replace(f" at {remote.address}", "")
    return Failure(kind=kind, stage=stage, reason=reason, hint=error.hint)


class Attacher:
    """Makes the drivers of several attachments (a `DriverFactory`)."""

    def __init__(self, remotes: dict[str, RemoteClient], ear: Ear) -> None:
        self._remotes = remotes
        self._ear = ear

    def __call__(self, settings: ConnectionSettings, memory: Memory) -> Driver:  # noqa: ARG002 - none is needed
        """Return the driver of one."""
        return AttachmentDriver(settings.name, self._remotes[settings.name], self._ear)
