"""SIP over WebSocket: one message a frame, subprotocol `sip` (RFC 7118)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from websockets.asyncio.client import ClientConnection
from websockets.client import ClientProtocol
from websockets.exceptions import (
    ConnectionClosed,
    InvalidStatus,
    InvalidURI,
    NegotiationError,
    WebSocketException,
)
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from manager.drivers.base import DriverError
from manager.drivers.patience import retry_after
from manager.drivers.sip.lookup import Target
from manager.drivers.sip.message import MAX_BODY_BYTES
from manager.drivers.sip.transport import Receiver, connected_socket
from manager.drivers.stream import ClientTls, open_stream
from manager.drivers.tap import Tap
from manager.drivers.tapped import TappedConnection
from manager.model import Failure, FailureClass, Stage

MAX_WAITING = 64
"""Messages that may wait for a peer that does not read."""
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
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await _abort(self._connection)

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
    tap: Tap,
    *,
    url: str,
    tls: ClientTls | None,
    reached: Callable[[Stage], None],
) -> WebSocketWire:
    """Connect and shake hands; redirects and other subprotocols are failures, proxies are not used.

    Raises:
        OSError: no connection, or TLS failed.
        DriverError: the server refuses the WebSocket, or its name is none that a certificate can have.
    """
    try:
        uri = parse_uri(url)
    except InvalidURI:
        raise DriverError(
            Failure(
                kind=FailureClass.CONFIGURATION,
                stage=Stage.CONNECT,
                reason="the address is no WebSocket address",
                hint="it looks like wss://pbx1.example.com:8089/ws",
            )
        ) from None
    connected = await connected_socket(target, None)
    if tls is not None:
        reached(Stage.TLS)
    protocol = ClientProtocol(uri, subprotocols=[Subprotocol("sip")], max_size=MAX_BODY_BYTES, logger=_SILENT)
    connection = TappedConnection(protocol, ping_interval=None, close_timeout=0.0)
    connection.tap = tap
    await open_stream(connected, connection, tls)
    reached(Stage.HANDSHAKE)
    try:
        await connection.handshake()
    except WebSocketException as error:
        await _abort(connection)
        raise DriverError(_refused(error)) from None
    except BaseException:
        await _abort(connection)
        raise
    if connection.subprotocol != "sip":
        await _abort(connection)
        raise DriverError(_foreign())
    return WebSocketWire(connection, receiver, "WS" if tls is None else "WSS")


def _refused(error: Exception) -> Failure:
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        kind = FailureClass.PERMANENT
        if status in (429, 503):
            asked = next(iter(error.response.headers.get_all("Retry-After")), None)
            return Failure(
                kind=FailureClass.OVERLOAD,
                stage=Stage.HANDSHAKE,
                reason=f"the server asks for patience (HTTP {status})",
                hint="it has too much to do, or is being maintained",
                retry_after=retry_after(asked, time.time()),
            )
        if status in (401, 403):
            kind = FailureClass.CREDENTIALS
        elif status >= 500 or status in (400, 404, 408):
            # A server that is starting knows its port before its paths (404), and these before what is
            # spoken on them (400).
            kind = FailureClass.TRANSIENT
        return Failure(
            kind=kind,
            stage=Stage.HANDSHAKE,
            reason=f"the server refuses the WebSocket (HTTP {status})",
            hint="check the path of the address; a redirect is not followed",
        )
    if isinstance(error, NegotiationError):
        return _foreign()
    return Failure(
        kind=FailureClass.TRANSIENT,
        stage=Stage.HANDSHAKE,
        reason="the WebSocket handshake was broken off",
        hint="the port may not speak WebSocket",
    )


def _foreign() -> Failure:
    return Failure(
        kind=FailureClass.PERMANENT,
        stage=Stage.HANDSHAKE,
        reason="the server does not speak SIP over WebSocket",
        hint="check the path of the address (`/ws` on Asterisk)",
    )


async def _abort(connection: ClientConnection) -> None:
    connection.transport.abort()
    await connection.wait_closed()
