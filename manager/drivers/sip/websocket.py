"""SIP over WebSocket: one message a frame, subprotocol `sip` (RFC 7118)."""

from __future__ import annotations

import asyncio
import errno
import logging
import ssl
from collections.abc import Callable

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from manager.drivers.base import DriverError
from manager.drivers.failures import failure_of
from manager.drivers.sip.lookup import Target
from manager.drivers.sip.message import MAX_BODY_BYTES
from manager.drivers.sip.transport import Receiver, connected_socket
from manager.model import Failure, FailureClass, Stage

MAX_WAITING = 64
"""Messages that may wait for a peer that does not read."""
_CLOSE_TIMEOUT = 0.5
_SILENT = logging.getLogger(f"{__name__}.silent")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False  # its debug lines hold whole handshakes, credentials included


class WebSocketWire:
    """A WebSocket connection; owns the two tasks that read and write it."""

    reliable = True
    pings = False

    def __init__(self, connection: ClientConnection, receiver: Receiver, transport: str) -> None:
        self.transport = transport
        self.local: tuple[str, int] = connection.local_address[:2]
        self.peer: tuple[str, int] = connection.remote_address[:2]
        self._connection = connection
        self._receiver: Receiver | None = receiver
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(MAX_WAITING)
        self._tasks = [
            asyncio.create_task(self._read(), name="sip websocket reader"),
            asyncio.create_task(self._write(), name="sip websocket writer"),
        ]

    def send(self, raw: bytes) -> None:
        try:
            self._waiting.put_nowait(raw)
        except asyncio.QueueFull:
            self._lost("the peer does not read")

    async def close(self) -> None:
        self._receiver = None
        for task in self._tasks:
            task.cancel()
        self._connection.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._connection.wait_closed()

    async def _read(self) -> None:
        try:
            async for message in self._connection:
                raw = message.encode() if isinstance(message, str) else message
                # An empty line is a keep-alive here as well (RFC 7118 §6 leaves it to pings).
                if self._receiver is not None and raw.strip(b"\r\n"):
                    self._receiver.received(raw)
        except ConnectionClosed:
            pass
        code = self._connection.close_code
        self._lost("connection closed by the peer" + (f" (WebSocket {code})" if code else ""))

    async def _write(self) -> None:
        try:
            while True:
                await self._connection.send(await self._waiting.get(), text=True)
        except ConnectionClosed:
            return  # the reader reports it

    def _lost(self, reason: str) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.lost(Failure(kind=FailureClass.TRANSIENT, stage=Stage.SESSION, reason=reason))


async def open_websocket(
    target: Target,
    receiver: Receiver,
    *,
    url: str,
    context: ssl.SSLContext | None,
    server_name: str,
    reached: Callable[[Stage], None],
) -> WebSocketWire:
    """Connect and shake hands; redirects and other subprotocols are failures, proxies are not used.

    Raises:
        OSError: no connection, or TLS failed.
        DriverError: the server refuses the WebSocket.
    """
    connected = await connected_socket(target, None)

    class Announcing(ClientConnection):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            reached(Stage.HANDSHAKE)
            super().connection_made(transport)

    if context is not None:
        reached(Stage.TLS)
    try:
        connection = await connect(
            url,
            sock=connected,
            subprotocols=[Subprotocol("sip")],
            compression=None,
            proxy=None,
            max_size=MAX_BODY_BYTES,
            open_timeout=None,
            ping_interval=None,
            close_timeout=_CLOSE_TIMEOUT,
            logger=_SILENT,
            create_connection=Announcing,
            ssl=context,
            server_hostname=None if context is None else server_name,
        )
    except (WebSocketException, ValueError) as error:
        raise DriverError(_refused(error)) from None
    except EOFError:
        raise DriverError(failure_of(ConnectionResetError(errno.ECONNRESET, ""), Stage.HANDSHAKE)) from None
    except BaseException:
        connected.close()
        raise
    if connection.subprotocol != "sip":
        connection.transport.abort()
        await connection.wait_closed()
        raise DriverError(
            Failure(
                kind=FailureClass.PERMANENT,
                stage=Stage.HANDSHAKE,
                reason="the server does not speak SIP over WebSocket",
                hint="check the path of the address (`/ws` on Asterisk)",
            )
        )
    return WebSocketWire(connection, receiver, "WS" if context is None else "WSS")


def _refused(error: Exception) -> Failure:
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        kind = FailureClass.PERMANENT
        if status in (401, 403):
            kind = FailureClass.CREDENTIALS
        elif status >= 500 or status in (408, 429):
            kind = FailureClass.TRANSIENT
        return Failure(
            kind=kind,
            stage=Stage.HANDSHAKE,
            reason=f"the server refuses the WebSocket (HTTP {status})",
            hint="check the path of the address and that it speaks the subprotocol sip",
        )
    redirect = isinstance(error.__cause__, InvalidStatus)
    return Failure(
        kind=FailureClass.PERMANENT,
        stage=Stage.HANDSHAKE,
        reason="the server redirects, which is not followed" if redirect else "no WebSocket handshake",
        hint="set the address that it leads to" if redirect else "the port may not speak WebSocket",
    )
