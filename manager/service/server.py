"""The control socket: WebSocket for programs that stay, plain HTTP for scripts.

`GET /v1/status` is answered with one JSON object (`manager.service.methods.Overview`), `/v1/version` with
what the service says of itself (`About`), and `/v1` opens a WebSocket. Who is let in, with which right, is a
matter of the entrance (`entrance.py`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import msgspec
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from manager.errors import TrunklineError
from manager.service.bucket import Bucket
from manager.service.entrance import Entrance, TurnedAwayError
from manager.service.methods import Methods
from manager.service.peers import Peer
from manager.service.rights import Visitor

log = logging.getLogger(__name__)
_library_log = logging.getLogger(f"{__name__}.websockets")
_library_log.setLevel(logging.CRITICAL + 1)  # it quotes what a client sent; what matters is told here

MAX_SIZE = 64 * 1024
"""Bytes of a message from a client."""
MAX_PEERS = 256
"""WebSockets at a time."""
MAX_CALLS = 1024
"""Requests under way at a time, those of clients that have left included."""
OPEN_WITHIN = 3.0
"""Seconds for a request to come, from when its connection is there."""
_WHAT_THERE_IS = "there are /v1/status and /v1/version, and a WebSocket at /v1"
CLOSE_WITHIN = 0.4
"""Seconds; with the manager's own 4 s a service ends within 5."""


class ControlServer:
    """Serves a manager at its entrances from when it is entered until it is left."""

    def __init__(self, entrances: Iterable[Entrance], methods: Methods) -> None:
        self._entrances = tuple(entrances)
        self._methods = methods
        self._servers: list[Server] = []
        self._open: dict[ServerConnection, Visitor | None] = {}
        """Those that have not got as far as a handshake included; None where nobody was let in yet."""
        self._peers: set[asyncio.Task[None] | None] = set()
        self._calls: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(MAX_CALLS)
        self._told = Bucket(rate=0.2, burst=20)
        """Lines of the log about those who were not let in."""
        self._untold = 0

    async def __aenter__(self) -> Self:
        try:
            for entrance in self._entrances:
                self._servers.append(await self._serving(entrance))
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say goodbye to every client and end what was begun for them."""
        await self._end()

    async def _serving(self, entrance: Entrance) -> Server:
        options: dict[str, Any] = {
            "sock": entrance.socket,
            "process_request": partial(self._process_request, entrance),
            "server_header": None,
            "compression": None,
            "max_size": MAX_SIZE,
            "max_queue": 4,
            "open_timeout": OPEN_WITHIN,
            "close_timeout": CLOSE_WITHIN,
            "logger": _library_log,
            "create_connection": _noted_in(self._open),
        }
        return await serve(self._serve, **options | entrance.options)

    async def _end(self) -> None:
        calls = list(self._calls)
        for call in calls:
            call.cancel()
        if calls:
            await asyncio.wait(calls)
        for server in self._servers:
            server.close(code=CloseCode.GOING_AWAY, reason="the service ends")
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_WITHIN):
                for server in self._servers:
                    await server.wait_closed()
        for entrance in self._entrances:
            entrance.turn_out()
        for connection in tuple(self._open):
            connection.transport.abort()
        for handler in tuple(self._peers):
            if handler is not None:
                handler.cancel()
        for server in self._servers:
            await server.wait_closed()

    # --- letting in -------------------------------------------------------------------------------------

    async def _process_request(
        self, entrance: Entrance, connection: ServerConnection, request: Request
    ) -> Response | None:
        try:
            visitor = entrance.visitor(connection, request)
        except TurnedAwayError as error:
            self._tell_refusal(error)
            return _plain(connection, error.status, str(error))
        self._open[connection] = visitor
        path = request.path.partition("?")[0]
        if path == "/v1/status":
            return await self._status(connection, visitor)
        if path == "/v1/version":
            return _json(connection, self._methods.about(visitor))
        if path != "/v1":
            return _plain(connection, HTTPStatus.NOT_FOUND, _WHAT_THERE_IS)
        if len(self._peers) >= MAX_PEERS:
            log.warning("%s was not let in: there are %d clients already", visitor.label, MAX_PEERS)
            return _plain(connection, HTTPStatus.SERVICE_UNAVAILABLE, f"{MAX_PEERS} clients are here already")
        return None

    def _tell_refusal(self, error: TurnedAwayError) -> None:
        if not self._told.take(asyncio.get_running_loop().time()):
            self._untold += 1
            return
        log.warning("%s was not let in: %s", error.label, error)
        if self._untold:
            log.warning("%d others were not let in meanwhile", self._untold)
            self._untold = 0

    async def _status(self, connection: ServerConnection, visitor: Visitor) -> Response:
        try:
            overview = await self._methods.overview(visitor)
        except TrunklineError as error:
            return _plain(connection, HTTPStatus.SERVICE_UNAVAILABLE, error.summary)
        return _json(connection, overview)

    # --- serving ----------------------------------------------------------------------------------------

    async def _serve(self, connection: ServerConnection) -> None:
        visitor = self._open.get(connection)
        if visitor is None:  # it is gone already
            return
        handler = asyncio.current_task()
        self._peers.add(handler)
        try:
            await Peer(connection, self._methods, visitor, begin=self._begin).serve()
        finally:
            self._peers.discard(handler)

    async def _begin(self, job: Coroutine[None, None, None]) -> None:
        try:
            await self._slots.acquire()
        except BaseException:
            job.close()
            raise
        task = asyncio.create_task(job, name="service request")
        self._calls.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._calls.discard(task)
        self._slots.release()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a request ended with %s", type(error).__name__)


def _noted_in(opened: dict[ServerConnection, Visitor | None]) -> type[ServerConnection]:
    class Connection(ServerConnection):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            opened[self] = None

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            opened.pop(self, None)

    return Connection


def _json(connection: ServerConnection, value: object) -> Response:
    response = connection.respond(HTTPStatus.OK, msgspec.json.encode(value).decode())
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "application/json"
    return response


def _plain(connection: ServerConnection, status: HTTPStatus, text: str) -> Response:
    return connection.respond(status, f"{text}\n")
