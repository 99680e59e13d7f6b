"""The control socket: WebSocket for programs that stay, plain HTTP for scripts, on one Unix socket.

`GET /v1/status` is answered with one JSON object (`manager.service.methods.Overview`) and `/v1` opens a
WebSocket. Only processes of the service's own user, and of root, are let in.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
from collections.abc import Coroutine
from contextlib import suppress
from http import HTTPStatus
from types import TracebackType
from typing import Self

import msgspec
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from manager.errors import TrunklineError
from manager.service.methods import Methods
from manager.service.peers import Peer

log = logging.getLogger(__name__)
_library_log = logging.getLogger(f"{__name__}.websockets")
_library_log.setLevel(logging.CRITICAL + 1)  # it quotes what a client sent; what matters is told here

MAX_SIZE = 64 * 1024
"""Bytes of a message from a client."""
MAX_PEERS = 64
"""WebSockets at a time."""
MAX_CALLS = 1024
"""Requests under way at a time, those of clients that have left included."""
_OPEN_WITHIN = 3.0
CLOSE_WITHIN = 0.4
"""Seconds; with the manager's own 4 s a service ends within 5."""
_CREDENTIALS = struct.Struct("3i")
"""pid, uid and gid of the process at the other end: `struct ucred` of unix(7)."""


class ControlServer:
    """Serves a manager on a socket from when it is entered until it is left."""

    def __init__(self, listening: socket.socket, methods: Methods) -> None:
        self._listening = listening
        self._methods = methods
        self._server: Server | None = None
        self._open: set[ServerConnection] = set()
        """Those that have not got as far as a handshake included."""
        self._peers: set[asyncio.Task[None] | None] = set()
        self._calls: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(MAX_CALLS)

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve,
            unix=True,
            sock=self._listening,
            process_request=self._process_request,
            server_header=None,
            compression=None,
            max_size=MAX_SIZE,
            max_queue=4,
            open_timeout=_OPEN_WITHIN,
            close_timeout=CLOSE_WITHIN,
            ping_interval=None,  # the kernel tells at once when the other process has ended
            logger=_library_log,
            create_connection=_noted_in(self._open),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say goodbye to every client and end what was begun for them."""
        server = self._server
        if server is None:
            return
        calls = list(self._calls)
        for call in calls:
            call.cancel()
        if calls:
            await asyncio.wait(calls)
        server.close(code=CloseCode.GOING_AWAY, reason="the service ends")
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_WITHIN):
                await server.wait_closed()
        for connection in tuple(self._open):
            connection.transport.abort()
        for handler in tuple(self._peers):
            if handler is not None:
                handler.cancel()
        await server.wait_closed()

    # --- letting in -------------------------------------------------------------------------------------

    async def _process_request(self, connection: ServerConnection, request: Request) -> Response | None:
        pid, uid = _process_behind(connection)
        if uid not in (0, os.geteuid()):
            log.warning("process %d of another user (%d) was not let in", pid, uid)
            return _plain(connection, HTTPStatus.FORBIDDEN, "this service is another user's")
        path = request.path.partition("?")[0]
        if path == "/v1/status":
            return await self._status(connection)
        if path != "/v1":
            return _plain(connection, HTTPStatus.NOT_FOUND, "there is /v1/status, and a WebSocket at /v1")
        if len(self._peers) >= MAX_PEERS:
            log.warning("process %d was not let in: there are %d clients already", pid, MAX_PEERS)
            return _plain(connection, HTTPStatus.SERVICE_UNAVAILABLE, f"{MAX_PEERS} clients are here already")
        return None

    async def _status(self, connection: ServerConnection) -> Response:
        try:
            overview = await self._methods.overview()
        except TrunklineError as error:
            return _plain(connection, HTTPStatus.SERVICE_UNAVAILABLE, error.summary)
        response = connection.respond(HTTPStatus.OK, msgspec.json.encode(overview).decode())
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "application/json"
        return response

    # --- serving ----------------------------------------------------------------------------------------

    async def _serve(self, connection: ServerConnection) -> None:
        pid, _ = _process_behind(connection)
        handler = asyncio.current_task()
        self._peers.add(handler)
        try:
            await Peer(connection, self._methods, label=f"process {pid}", begin=self._begin).serve()
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


def _noted_in(opened: set[ServerConnection]) -> type[ServerConnection]:
    class Connection(ServerConnection):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            opened.add(self)

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            opened.discard(self)

    return Connection


def _process_behind(connection: ServerConnection) -> tuple[int, int]:
    """Return process and user at the other end, as the kernel knows them."""
    own = connection.transport.get_extra_info("socket")
    pid, uid, _ = _CREDENTIALS.unpack(
        own.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    )
    return pid, uid


def _plain(connection: ServerConnection, status: HTTPStatus, text: str) -> Response:
    return connection.respond(status, f"{text}\n")
