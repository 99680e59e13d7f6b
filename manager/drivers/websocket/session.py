"""One open WebSocket: messages in and out, heartbeats, the check, and its end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, ClassVar

import msgspec
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from manager.drivers.base import NOTHING_TO_CHECK, DriverError, SessionListener
from manager.drivers.failures import APPLICATION_TAKEN
from manager.drivers.result import result_of
from manager.drivers.tap import Tap
from manager.drivers.tapped import TappedConnection
from manager.drivers.websocket.endings import ended
from manager.drivers.websocket.handshake import Handshake
from manager.errors import NotConnectedError
from manager.model import FactValue, Failure, FailureClass, Stage
from manager.secret import Secret
from manager.settings import WebSocketSettings
from manager.wire import WireKind

CLOSE_TIMEOUT = 1.0
"""Seconds that the server gets to finish a closing handshake."""
POLITE_CLOSE = 2.0
"""Seconds that a polite close takes at most, a server that reads nothing included."""

_CLOSED_HERE = Failure(kind=FailureClass.TRANSIENT, stage=Stage.SESSION, reason="closed here")


class Connection(TappedConnection):
    """The library's connection, with an end to every closing handshake.

    The library waits for the server to close TCP after a close frame, or after a failed handshake, until
    somebody sends something. A server that never does would look alive until the next heartbeat.
    """

    _unfinished: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Take bytes in, and see whether they began the end."""
        super().data_received(data)
        if self._unfinished is None and self.protocol.close_expected():
            self._unfinished = self.loop.call_later(CLOSE_TIMEOUT, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the end of the connection in."""
        if self._unfinished is not None:
            self._unfinished.cancel()
        if hasattr(self, "transport"):  # not if TLS through a proxy failed: then it was never made
            super().connection_lost(exc)


class _AriMessage(msgspec.Struct):
    type: str = ""
    application: str = ""

    replaced: ClassVar[str] = "ApplicationReplaced"


class WebSocketSession:
    """One open WebSocket. A program may `send`; what comes in goes to the listener.

    Facts: `messages_in`, `messages_out`, `bytes_in`, `bytes_out` (payload), `subprotocol`, `server` (what it
    calls itself) and, once it is over, `close_code`.
    """

    __slots__ = (
        "_ari",
        "_awaited",
        "_bytes_in",
        "_bytes_out",
        "_close_code",
        "_connection",
        "_listener",
        "_messages_in",
        "_messages_out",
        "_over",
        "_quote",
        "_reader",
        "_sending",
        "_server",
        "_settings",
        "_tap",
        "postponed",
    )

    def __init__(
        self,
        connection: Connection,
        settings: WebSocketSettings,
        handshake: Handshake,
        listener: SessionListener,
        tap: Tap,
        *,
        ari: bool,
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._quote = handshake.quoted
        self._listener = listener
        self._tap = tap
        self._ari = ari
        """Whether this is Asterisk's event stream, which says when another client took it over."""
        self._messages_in = self._messages_out = self._bytes_in = self._bytes_out = 0
        self.postponed: tuple[Secret, ...] = ()
        """First messages that are sent when this spare is promoted."""
        self._server = self._take_server(connection)
        self._close_code: int | None = None
        self._sending = asyncio.Lock()
        self._awaited: dict[asyncio.Future[None], bytes] = {}
        """Who waits for a message that contains these bytes."""
        self._over: asyncio.Future[Failure] = asyncio.get_running_loop().create_future()
        self._reader = asyncio.create_task(self._read(), name=f"reader of {settings.name}")

    def _take_server(self, connection: Connection) -> str | None:
        """Return what the server calls itself, and drop the headers of the handshake.

        Nobody reads them any more: they are a fifth of the memory of a quiet connection, and hold secrets.
        """
        connection.request = None
        if connection.response is None:
            return None
        servers = connection.response.headers.get_all("Server")
        connection.response.headers.clear()
        return self._quote(servers[0]) if servers else None

    @property
    def facts(self) -> dict[str, FactValue]:
        """What is known of the session."""
        facts: dict[str, FactValue] = {
            "messages_in": self._messages_in,
            "messages_out": self._messages_out,
            "bytes_in": self._bytes_in,
            "bytes_out": self._bytes_out,
            "subprotocol": self._connection.subprotocol,
            "server": self._server,
        }
        if self._close_code is not None:
            facts["close_code"] = self._close_code
        return facts

    async def send(self, message: str | bytes) -> None:
        """Send a text or binary message; waits while the server reads none.

        Raises:
            NotConnectedError: the session is over.
        """
        async with self._sending:
            await self._send(message)

    async def heartbeat(self) -> float:
        """Return the round trip of a protocol ping, or of the configured message, in seconds.

        Raises:
            DriverError: the session is over.
        """
        if self._settings.heartbeat_message is not None:
            return await self._ask(self._settings.heartbeat_message, b"", Stage.HEARTBEAT)
        try:
            return await (await self._connection.ping())
        except ConnectionClosed as error:
            failure = self._end(error)
        raise DriverError(failure)

    async def check(self) -> str:
        """Send the check message and wait for the reply.

        Raises:
            DriverError: the session is over.
        """
        if self._settings.check_message is None:
            return NOTHING_TO_CHECK
        expected = (self._settings.check_reply or "").encode()
        seconds = await self._ask(self._settings.check_message, expected, Stage.CHECK)
        return f"check answered in {1000 * seconds:.0f} ms"

    async def promote(self) -> bool:
        """Send the messages that were postponed; nothing has to answer them.

        Raises:
            DriverError: the session is over.
        """
        messages, self.postponed = self.postponed, ()
        try:
            for message in messages:
                await self.send(message.reveal())
        except NotConnectedError:
            failure = self._over.result() if self._over.done() else _CLOSED_HERE
        else:
            return False
        raise DriverError(msgspec.structs.replace(failure, stage=Stage.TAKEOVER))

    def ended(self) -> Coroutine[Any, Any, Failure]:
        """Return when the session is over, with why."""
        return result_of(self._over)

    async def close(self, *, graceful: bool) -> None:
        """End the session, with a closing handshake if `graceful`."""
        try:
            if graceful:
                async with asyncio.timeout(POLITE_CLOSE):
                    await self._connection.close()
        except TimeoutError:
            pass
        finally:
            self._connection.transport.abort()
            await asyncio.wait([self._reader])

    async def _send(self, message: str | bytes) -> None:
        with contextlib.suppress(ConnectionClosed):
            await self._connection.send(message)
            # The library also returns from waiting for a full buffer when the connection is lost meanwhile.
            if self._connection.state is not State.CLOSED:
                self._tap.sent(_kind_of(message), message)
                self._messages_out += 1
                self._bytes_out += _size(message)
                return
        failure = self._end(self._connection.close_exc)
        raise NotConnectedError(f"the connection {self._settings.name} is closed: {failure.reason}")

    async def _ask(self, question: str, expected: bytes, stage: Stage) -> float:
        """Send a question and wait for a message that contains `expected`; return the seconds it took."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[None] = loop.create_future()
        try:
            async with self._sending:
                # Nothing gives way between here and the socket: what comes from now on follows the question.
                self._awaited[answer] = expected
                asked = loop.time()
                await self._send(question)
            first: tuple[asyncio.Future[Any], ...] = (answer, self._over)
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return loop.time() - asked
            failure = self._over.result()
        except NotConnectedError:
            failure = self._over.result() if self._over.done() else _CLOSED_HERE
        finally:
            self._awaited.pop(answer, None)
            answer.cancel()
        raise DriverError(msgspec.structs.replace(failure, stage=stage))

    async def _read(self) -> None:
        try:
            while True:
                self._take(await self._connection.recv())
        except ConnectionClosed as error:
            self._end(error)
        finally:
            self._finish(_CLOSED_HERE)

    def _take(self, message: str | bytes) -> None:
        self._tap.received(_kind_of(message), message)
        self._messages_in += 1
        self._bytes_in += _size(message)
        if self._awaited:
            content = message.encode() if isinstance(message, str) else message
            for answer, expected in self._awaited.items():
                if expected in content and not answer.done():
                    answer.set_result(None)
        if self._ari and isinstance(message, str) and _AriMessage.replaced in message:
            self._look_for_replacement(message)
        self._listener.received(message)

    def _look_for_replacement(self, message: str) -> None:
        """End the session when another client took its ARI application over.

        Asterisk leaves the socket open and answers pings on it, but sends no more events: it is connected and
        of no use. To come back at once would take the application from the other one, which may do the same,
        and so for ever; hence a refusal that only a person or a long while ends.
        """
        try:
            event = msgspec.json.decode(message, type=_AriMessage)
        except (msgspec.DecodeError, RecursionError):  # arrays within arrays without end
            return
        if event.type != _AriMessage.replaced:
            return
        application = self._quote(event.application)
        text = f"{APPLICATION_TAKEN} {application}"
        self._listener.reported("applicationReplaced", text, {"application": application})
        hint = "two clients use one application name: stop the other or give this one a name of its own"
        self._finish(
            Failure(kind=FailureClass.PERMANENT, stage=Stage.SESSION, reason=text.rstrip(), hint=hint)
        )

    def _end(self, closed: ConnectionClosed) -> Failure:
        failure, code = ended(closed, max_message_size=self._settings.max_message_size, quote=self._quote)
        if self._close_code is None:
            self._close_code = code
            self._listener.facts_changed()
        self._finish(failure)
        return self._over.result()

    def _finish(self, failure: Failure) -> None:
        if not self._over.done():
            self._over.set_result(failure)


def _kind_of(message: str | bytes) -> WireKind:
    return WireKind.TEXT if isinstance(message, str) else WireKind.BINARY


def _size(message: str | bytes) -> int:
    if isinstance(message, str) and not message.isascii():
        return len(message.encode())
    return len(message)
