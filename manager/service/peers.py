"""One client of the service, from its handshake to its end: requests in, answers and notifications out.

No queue grows for it. Requests wait in its socket while `AT_ONCE` are under way or it asks faster than
`RATE`; answers and events are only made when the ones before have been taken. Who does not take them is
dropped.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import aclosing, suppress
from functools import partial

import msgspec
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from manager.errors import ManagerGoneError, TrunklineError
from manager.service import protocol
from manager.service.methods import Ended, EventsFrom, EventsTold, Methods, Subscription, WireFrom, WireTold
from manager.service.protocol import (
    INVALID_PARAMS,
    UNKNOWN_METHOD,
    Request,
    RequestId,
    RpcError,
    read_params,
    rpc_error_of,
)
from manager.service.rights import RIGHTS, Visitor
from manager.trace import frames_of

log = logging.getLogger(__name__)

AT_ONCE = 16
"""Requests of one client that are under way at a time, and subscriptions that it may have."""
RATE = 200.0
"""Requests a second that a client may go on asking."""
BURST = 100
"""Requests that it may ask at once before that."""
TAKEN_WITHIN = 10.0
"""Seconds in which a client takes what it is sent."""

Stream = AsyncGenerator[EventsTold] | AsyncGenerator[WireTold]


class Allowance:
    """How fast a client may ask: a bucket that fills with `RATE` a second, up to `BURST`."""

    def __init__(self, now: float) -> None:
        self._left = float(BURST)
        self._filled = now

    def take(self, now: float) -> float:
        """Take one, and return how many seconds to wait before it may be used."""
        self._left = min(BURST, self._left + (now - self._filled) * RATE) - 1
        self._filled = now
        return max(0.0, -self._left / RATE)


class Peer:
    """Serves one connection."""

    def __init__(
        self,
        connection: ServerConnection,
        methods: Methods,
        visitor: Visitor,
        *,
        begin: Callable[[Coroutine[None, None, None]], Awaitable[None]],
    ) -> None:
        """Prepare to serve.

        Args:
            connection: the WebSocket.
            methods: who answers.
            visitor: who it is and what it may ask for.
            begin: begins what goes on when the client has left.
        """
        self._connection = connection
        self._methods = methods
        self._visitor = visitor
        self._begin = begin
        self._turn = asyncio.Lock()
        """Held to make a message and to have it taken: one at a time exists."""
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._streams: dict[int, asyncio.Task[None]] = {}
        self._subscribed = 0
        self._gone = False
        """Whether it has left or was dropped: nothing is sent to it any more."""

    async def serve(self) -> None:
        """Answer until the client leaves or is dropped; its subscriptions end with it."""
        loop = asyncio.get_running_loop()
        allowance = Allowance(loop.time())
        try:
            while True:
                frame = await self._connection.recv(decode=False)
                await asyncio.sleep(allowance.take(loop.time()))
                await self._slots.acquire()
                await self._begin(self._serve_one(frame))
        except ConnectionClosed:
            log.debug("%s has left", self._visitor.label)
        finally:
            self._gone = True
            streams = list(self._streams.values())
            for stream in streams:
                stream.cancel()
            if streams:
                await asyncio.wait(streams)

    async def _serve_one(self, frame: bytes) -> None:
        identity: RequestId | msgspec.UnsetType = None
        try:
            request = protocol.read_request(frame)
            identity = request.id
            value = await self._answer(request)
            if identity is not msgspec.UNSET:
                await self._send(partial(protocol.result, identity, value))
        except Exception as error:  # noqa: BLE001 - one request must not end the others, whatever it meets
            if not isinstance(error, (RpcError, TrunklineError, ValueError)):
                log.error("a request of %s failed: %s", self._visitor.label, frames_of(error))
            if identity is not msgspec.UNSET:
                await self._send(partial(protocol.failure, identity, rpc_error_of(error)))
        finally:
            self._slots.release()

    async def _answer(self, request: Request) -> object:
        if request.method not in RIGHTS:
            raise RpcError(UNKNOWN_METHOD, "there is no such method")
        self._visitor.demand(request.method)
        match request.method:
            case "events":
                wanted = read_params(request.params, EventsFrom)
                return self._subscribe("events", lambda number: self._methods.events(number, wanted))
            case "wire":
                asked = read_params(request.params, WireFrom)
                await self._methods.known(asked.name)
                return self._subscribe("wire", lambda number: self._methods.wire(number, asked))
            case "unsubscribe":
                stream = self._streams.get(read_params(request.params, Subscription).subscription)
                if stream is not None:
                    stream.cancel()
                    await asyncio.wait([stream])
                return None
        return await self._methods.answer(request.method, request.params, self._visitor)

    # --- streams ----------------------------------------------------------------------------------------

    def _subscribe(self, method: str, open_stream: Callable[[int], Stream]) -> Subscription:
        if self._gone:
            raise RpcError(INVALID_PARAMS, "nobody is there to hear it")
        if len(self._streams) == AT_ONCE:
            raise RpcError(INVALID_PARAMS, f"a client has {AT_ONCE} subscriptions at most")
        self._subscribed += 1
        number = self._subscribed
        task = asyncio.create_task(
            self._tell(method, number, open_stream(number)), name=f"service {method} {number}"
        )
        self._streams[number] = task
        task.add_done_callback(lambda _: self._streams.pop(number, None))
        return Subscription(number)

    async def _tell(self, method: str, number: int, stream: Stream) -> None:
        ended = Ended(number)
        try:
            async with aclosing(stream):
                async for told in stream:
                    await self._send(partial(protocol.notification, method, told))
        except ManagerGoneError as error:
            log.debug("a stream for %s ended: %s", self._visitor.label, error)
        except Exception as error:  # noqa: BLE001 - whoever waits for the stream is told, whatever it met
            if not isinstance(error, TrunklineError):
                log.error("a stream for %s failed: %s", self._visitor.label, frames_of(error))
            ended = Ended(number, rpc_error_of(error).error)
        await self._send(partial(protocol.notification, "ended", ended))

    # --- out --------------------------------------------------------------------------------------------

    async def _send(self, message: Callable[[], bytes]) -> None:
        """Make a message and have the client take it; a client that is gone or dropped gets nothing."""
        try:
            async with self._turn:
                if not self._gone:
                    async with asyncio.timeout(TAKEN_WITHIN):
                        await self._connection.send(message(), text=True)
        except TimeoutError:
            await self._drop()
        except ConnectionClosed:
            self._gone = True

    async def _drop(self) -> None:
        if self._gone:
            return
        self._gone = True
        log.warning(
            "%s did not take what it was sent within %g s and is dropped", self._visitor.label, TAKEN_WITHIN
        )
        with suppress(TimeoutError, ConnectionClosed):
            async with asyncio.timeout(1.0):
                await self._connection.close(CloseCode.TRY_AGAIN_LATER, "you read too slowly")
        self._connection.transport.abort()
