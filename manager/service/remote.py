"""A manager behind the socket of a service, here or elsewhere: a `ManagerClient`.

Each call has a connection of its own and nothing is held between them, so there is nothing to lose: a
service that ends fails the call that is under way, and the next one finds the service that has taken its
place. A stream that is read slowly delays none.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeVar

import msgspec
from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus

from manager.client import Command
from manager.effective import SettingRow
from manager.errors import ManagerGoneError, NotAllowedError, TrunklineError
from manager.events import AnyEvent, Event, Gap
from manager.history import History
from manager.model import Outcome, Position, Snapshot
from manager.service import inquiry, protocol
from manager.service.address import Address, NetworkAddress
from manager.service.methods import About, Ended, EventsFrom, Named, WireFrom
from manager.text import quoted
from manager.wire import WireMessage

_library_log = logging.getLogger(f"{__name__}.websockets")
_library_log.setLevel(logging.CRITICAL + 1)  # it quotes headers, a token among them

_ANSWERS_WITHIN = 5.0
"""Seconds for a connect, and for each sign of life while an answer or an event is awaited."""
_MAX_SIZE = 256 * 2**20
_NUMBER = 1

Answer = TypeVar("Answer")


class _Events(msgspec.Struct):
    events: list[msgspec.Raw]


class _Wire(msgspec.Struct):
    messages: list[WireMessage | Gap]


_event_decoder = msgspec.json.Decoder(AnyEvent | Gap)


class RemoteClient:
    """Speaks to the service that listens at an address, if any does."""

    def __init__(self, address: Address) -> None:
        self._address = address

    @property
    def address(self) -> Address:
        """Where the service is."""
        return self._address

    @property
    def embedded(self) -> bool:
        """False: the manager goes on when this process ends."""
        return False

    async def about(self) -> About:
        """Return which service it is.

        Raises:
            manager.errors.ManagerGoneError: none answers.
        """
        return await self._ask("version", {}, About)

    async def snapshot(self) -> Snapshot:
        """Return every status, the aggregate, and the position in the event stream that they stand for."""
        return await self._ask("snapshot", {}, Snapshot)

    async def events(self, since: Position) -> AsyncGenerator[Event | Gap]:
        """Yield the events after a position, then those to come; a `Gap` where some are no longer held."""
        async with aclosing(self._stream("events", EventsFrom(since))) as stream:
            async for params in stream:
                for raw in _read(params, _Events).events:
                    yield _event(raw)

    async def command(self, command: Command) -> Outcome:
        """Carry a command out and return when it is done; it is carried out also where this is cancelled.

        Raises:
            manager.errors.UnknownConnectionError: no connection has the name.
            manager.errors.TrunklineError: the manager says no.
        """
        return await self._ask(_method_of(command), command, Outcome)

    async def begin(self, command: Command) -> None:
        """Have a command carried out, and return when the service has heard of it."""
        async with self._connected() as connection:
            await connection.send(protocol.request(_method_of(command), command, None), text=True)

    async def history(self, name: str) -> History:
        """Return what became of a connection: its phases, attempts, sessions, failures and latencies.

        Raises:
            manager.errors.UnknownConnectionError: no connection has the name.
        """
        return await self._ask("history", Named(name), History)

    async def settings(self, name: str) -> tuple[SettingRow, ...]:
        """Return the settings that count for a connection and where each comes from; secrets are masked.

        Raises:
            manager.errors.UnknownConnectionError: no connection has the name.
        """
        return await self._ask("settings", Named(name), tuple[SettingRow, ...])

    async def wire(self, name: str, since: Position | None = None) -> AsyncGenerator[WireMessage | Gap]:
        """Yield what a connection sent and received after a position, then what follows, secrets masked.

        Raises:
            manager.errors.UnknownConnectionError: no connection has the name.
        """
        async with aclosing(self._stream("wire", WireFrom(name, since))) as stream:
            async for params in stream:
                for message in _read(params, _Wire).messages:
                    yield message

    async def peek(self) -> None:
        """Look whether somebody listens.

        Raises:
            OSError: nobody does.
        """
        if isinstance(self._address, NetworkAddress):
            _, writer = await asyncio.open_connection(self._address.host, self._address.port)
        else:
            _, writer = await asyncio.open_unix_connection(str(self._address))
        writer.transport.abort()

    async def _ask(self, method: str, params: object, kind: type[Answer]) -> Answer:
        async with self._connected() as connection:
            await connection.send(protocol.request(method, params, _NUMBER), text=True)
            response = await _answer(connection)
        return _read(_result(response), kind)

    async def _stream(self, method: str, params: object) -> AsyncGenerator[msgspec.Raw]:
        """Yield the parameters of the notifications about a stream until it has ended."""
        async with self._connected() as connection:
            await connection.send(protocol.request(method, params, _NUMBER), text=True)
            _result(await _answer(connection))
            while True:
                told = _response(await connection.recv(decode=False))
                if told.method == "ended":
                    if (error := _read(told.params, Ended).error) is not None:
                        raise protocol.error_of(error)
                    return
                if told.method == method:
                    yield told.params

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[ClientConnection]:
        """Give a connection to the service.

        Raises:
            ManagerGoneError: no service answers, or it went away meanwhile.
            NotAllowedError: it does not let us in.
            UntrustedError: its certificate is not trusted, or there is no token.
        """
        options: dict[str, Any] = {
            "compression": None,
            "proxy": None,
            "max_size": _MAX_SIZE,
            "open_timeout": _ANSWERS_WITHIN,
            "ping_interval": _ANSWERS_WITHIN,
            "ping_timeout": _ANSWERS_WITHIN,
            "close_timeout": 1.0,
            "logger": _library_log,
        }
        if isinstance(self._address, NetworkAddress):
            options["ssl"] = self._address.context()
            options["additional_headers"] = {"Authorization": f"Bearer {self._address.token()}"}
            connecting = connect(f"{self._address}/v1", **options)
        else:
            connecting = unix_connect(str(self._address), "ws://localhost/v1", **options)
        try:
            async with connecting as connection:
                yield connection
        except ConnectionClosed as error:
            why = f": {quoted(error.rcvd.reason)}" if error.rcvd and error.rcvd.reason else ""
            raise ManagerGoneError(f"the service has ended the connection{why}") from None
        except InvalidStatus as error:
            body = quoted(error.response.body.decode(errors="replace").strip())
            kind = NotAllowedError if error.response.status_code in (401, 403) else TrunklineError
            raise kind(f"the service refuses: {body}") from None
        except ssl.SSLCertVerificationError as error:
            raise inquiry.untrusted(self._address, error) from None
        except PermissionError:
            raise NotAllowedError(inquiry.closed(self._address), inquiry.CLOSED_HINT) from None
        except (OSError, TimeoutError, InvalidHandshake, InvalidMessage):
            raise ManagerGoneError(f"no service answers at {self._address}") from None


def _method_of(command: Command) -> str:
    return str(type(command).__struct_config__.tag)


async def _answer(connection: ClientConnection) -> protocol.Response:
    while True:
        told = _response(await connection.recv(decode=False))
        if not told.method:
            return told


def _result(answer: protocol.Response) -> msgspec.Raw:
    if answer.error is not None:
        raise protocol.error_of(answer.error)
    return answer.result if isinstance(answer.result, msgspec.Raw) else msgspec.Raw(b"null")


def _response(frame: bytes) -> protocol.Response:
    try:
        return protocol.read_response(frame)
    except ValueError as error:
        raise TrunklineError(str(error)) from None


def _read(raw: msgspec.Raw, kind: type[Answer]) -> Answer:
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.DecodeError as error:
        raise TrunklineError(
            f"the service says something else than was expected: {error}", "is it of another version?"
        ) from None


def _event(raw: msgspec.Raw) -> Event | Gap:
    """Return an event; one of a kind that is not known here counts as missed, so that a snapshot is taken."""
    try:
        event: Event | Gap = _event_decoder.decode(raw)
    except msgspec.ValidationError:
        return Gap(missed=1)
    return event
