"""A protocol on a connected socket, over TLS where that is asked for: opened whole, or not at all."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from functools import partial

from manager.drivers.base import DriverError
from manager.model import Failure, FailureClass, Stage

ClientTls = tuple[ssl.SSLContext, str]
"""How to check a server, and the name that its certificate must have."""

_UNUSABLE_NAME = Failure(
    kind=FailureClass.CONFIGURATION,
    stage=Stage.TLS,
    reason="server_name is no name that a certificate can have",
    hint="set it to the name in the server's certificate",
)


async def open_stream(sock: socket.socket, protocol: asyncio.Protocol, tls: ClientTls | None) -> None:
    """Hand a connected socket to a protocol, after TLS where `tls` is given.

    The socket belongs to this from the first step on. Where this raises, cancelled at any step or not, it is
    closed, and the protocol has heard nothing.

    Raises:
        OSError: TLS failed, or the connection was lost meanwhile.
        DriverError: the name is none that a certificate can have.
    """
    threshold = _Threshold(protocol)
    try:
        if tls is None:
            transport, _ = await asyncio.get_running_loop().create_connection(lambda: threshold, sock=sock)
        else:
            transport = await _secured(sock, threshold, *tls)
    except BaseException:
        sock.close()
        raise
    threshold.cross(transport)


async def _secured(
    sock: socket.socket, protocol: asyncio.Protocol, context: ssl.SSLContext, server_name: str
) -> asyncio.Transport:
    """Finish TLS in two steps.

    `create_connection` with a context, cancelled in its first turn of the loop, leaves the socket open
    without a word (CPython 3.11 to 3.13); cancelled when the handshake is just done, it says goodbye to the
    server first and holds the socket for up to 30 s.
    """
    loop = asyncio.get_running_loop()
    raw, _ = await loop.create_connection(asyncio.Protocol, sock=sock)
    try:
        secured = await loop.start_tls(raw, protocol, context, server_hostname=server_name)
    except BaseException as error:
        raw.abort()
        # A refused certificate is a ValueError as well.
        if isinstance(error, ValueError) and not isinstance(error, OSError):
            raise DriverError(_UNUSABLE_NAME) from None
        raise
    if secured is None:  # the connection was lost before the opening went on
        raise ConnectionResetError(errno.ECONNRESET, "connection reset")
    return secured


class _Threshold(asyncio.Protocol):
    """Stands in for a protocol until the opening is done, and keeps what happens meanwhile, in its order.

    With TLS 1.2 a server's first words come with the end of the handshake, and so before the opening goes on:
    a turn or two of the loop later, which bounds what is kept.
    """

    def __init__(self, protocol: asyncio.Protocol) -> None:
        self._protocol = protocol
        self._kept: list[Callable[[], object]] = []
        self._crossed = False

    def cross(self, transport: asyncio.Transport) -> None:
        """Let the protocol take the transport over, and hear what it has missed."""
        self._crossed = True
        transport.set_protocol(self._protocol)
        self._protocol.connection_made(transport)
        for call in self._kept:
            call()

    def data_received(self, data: bytes) -> None:
        self._pass_on(partial(self._protocol.data_received, data))

    def eof_received(self) -> None:
        self._pass_on(self._protocol.eof_received)

    def connection_lost(self, exc: Exception | None) -> None:
        self._pass_on(partial(self._protocol.connection_lost, exc))

    def _pass_on(self, call: Callable[[], object]) -> None:
        if self._crossed:
            call()
        else:
            self._kept.append(call)
