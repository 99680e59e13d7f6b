"""Wires: one connected socket each, UDP, TCP or TLS, that carries SIP messages (RFC 3261 §18)."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from collections.abc import Callable
from typing import Protocol

from manager.drivers.dial import connect
from manager.drivers.failures import failure_of
from manager.drivers.sip.framing import KeepAlive, StreamFramer
from manager.drivers.sip.lookup import Target
from manager.drivers.sip.message import MessageError
from manager.drivers.stream import ClientTls, open_stream
from manager.model import Failure, FailureClass, Stage

MAX_UNSENT = 256 * 1024
"""Bytes that may wait for a peer that does not read."""
CRLF = KeepAlive.PONG.value
_LONGEST_DATAGRAM = 65_535


class Receiver(Protocol):
    """Who hears what a wire brings; none of the calls raises."""

    def received(self, raw: bytes) -> None:
        """Take one message, not yet parsed."""

    def keep_alive(self, line: KeepAlive) -> bool:
        """Take an empty line (RFC 5626 §3.5.1); return whether it may have been the answer to one of ours."""

    def lost(self, failure: Failure) -> None:
        """Take the end of the wire, once."""


class Wire(Protocol):
    """A connected socket."""

    transport: str
    """As Via names it: `UDP`, `TCP`, `TLS`, `WS`, `WSS`."""
    reliable: bool
    """Whether nothing has to be sent again."""
    pings: bool
    """Whether an empty line may be sent as a keep-alive."""
    local: tuple[str, int]
    peer: tuple[str, int]

    def send(self, raw: bytes) -> None:
        """Send a message or keep-alive; never blocks. A peer that does not read ends the wire."""

    async def close(self) -> None:
        """Close at once and return when nothing is left; `lost` is not called any more."""


async def connected_socket(target: Target, local_port: int | None) -> socket.socket:
    """Return a socket connected to a target, from this local port where it can be had.

    A Contact that stays the same needs a port that does; where it is taken, any other does too.

    Raises:
        OSError: no connection.
    """
    if local_port is not None:
        try:
            return await _connect(target, local_port)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES):
                raise
    return await _connect(target, None)


async def _connect(target: Target, local_port: int | None) -> socket.socket:
    if target.transport == "udp":
        return _connected_udp(target, local_port)
    return await connect(lambda: _bound(target, local_port), target.socket_address)


def _connected_udp(target: Target, local_port: int | None) -> socket.socket:
    """Nothing is sent by this, so nothing has to be waited for."""
    created = _bound(target, local_port)
    try:
        created.connect(target.socket_address)
    except BaseException:
        created.close()
        raise
    return created


def _bound(target: Target, local_port: int | None) -> socket.socket:
    stream = target.transport != "udp"
    created = socket.socket(
        socket.AddressFamily(target.family), socket.SOCK_STREAM if stream else socket.SOCK_DGRAM
    )
    try:
        created.setblocking(False)
        if stream:
            created.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # Closed with a reset: TIME_WAIT would keep the port, and so the Contact, from the next session.
            created.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if local_port is not None and stream:
            created.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Port 0 too: one that `connect` picks may be shared with others' TIME_WAIT, and not be had again.
        created.bind(("::" if target.family == socket.AF_INET6 else "0.0.0.0", local_port or 0))  # noqa: S104 - a client
    except BaseException:
        created.close()
        raise
    return created


class UdpWire:
    """A connected UDP socket: it hears only its peer, and an ICMP "port unreachable" as a refusal.

    It reads the socket itself: for datagrams a transport of asyncio adds nothing but its cost.
    """

    transport = "UDP"
    reliable = False
    pings = False

    def __init__(self, connected: socket.socket, receiver: Receiver) -> None:
        self.local: tuple[str, int] = connected.getsockname()[:2]
        self.peer: tuple[str, int] = connected.getpeername()[:2]
        self._socket = connected
        self._receiver: Receiver | None = receiver
        self._loop = asyncio.get_running_loop()
        # By number: a selector spells out what it does not know yet, and a socket asks the kernel for that.
        self._loop.add_reader(connected.fileno(), self._readable)

    def _readable(self) -> None:
        try:
            datagram = self._socket.recv(_LONGEST_DATAGRAM)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lost(error)
            return
        if self._receiver is not None and datagram.strip(b"\r\n\0"):
            self._receiver.received(datagram)

    def send(self, raw: bytes) -> None:
        if self._receiver is None:
            return
        try:
            self._socket.send(raw)
        except (BlockingIOError, InterruptedError):
            pass  # lost like a datagram on its way, and sent again like one
        except OSError as error:
            self._lost(error)

    async def close(self) -> None:
        self._receiver = None
        number = self._socket.fileno()
        if number >= 0:
            self._loop.remove_reader(number)
            self._socket.close()

    def _lost(self, error: OSError) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.lost(failure_of(error, Stage.SESSION))


class StreamWire(asyncio.Protocol):
    """A TCP or TLS connection."""

    reliable = True
    pings = True

    def __init__(self, receiver: Receiver, transport: str) -> None:
        self.transport = transport
        self.local = ("", 0)
        self.peer = ("", 0)
        self._receiver: Receiver | None = receiver
        self._framer = StreamFramer()
        self._closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._stream: asyncio.Transport = transport  # type: ignore[assignment]  # asyncio's typing
        self.local = transport.get_extra_info("sockname")[:2]
        # A connection that was reset meanwhile has no peer; its loss is heard of in a moment.
        self.peer = (transport.get_extra_info("peername") or self.peer)[:2]

    def connection_lost(self, error: Exception | None) -> None:
        if not self._closed.done():
            self._closed.set_result(None)
        self._lost(
            _ended("connection closed by the peer") if error is None else failure_of(error, Stage.SESSION)
        )

    def data_received(self, chunk: bytes) -> None:
        try:
            for frame in self._framer.feed(chunk):
                self._deliver(frame)
        except MessageError as error:
            self._give_up(f"the peer sends what is no SIP: {error}")

    def _deliver(self, frame: bytes | KeepAlive) -> None:
        if self._receiver is None:
            return
        if isinstance(frame, bytes):
            self._receiver.received(frame)
            return
        if not self._receiver.keep_alive(frame) and frame is KeepAlive.PING:
            self.send(CRLF)

    def send(self, raw: bytes) -> None:
        if self._stream.is_closing():
            return
        self._stream.write(raw)
        if self._stream.get_write_buffer_size() > MAX_UNSENT:
            self._give_up("the peer does not read")

    async def close(self) -> None:
        self._receiver = None
        self._stream.abort()
        await asyncio.shield(self._closed)

    def _give_up(self, reason: str) -> None:
        self._lost(_ended(reason))
        self._stream.abort()

    def _lost(self, failure: Failure) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.lost(failure)


async def open_wire(
    target: Target,
    receiver: Receiver,
    *,
    local_port: int | None,
    tls: ClientTls | None,
    reached: Callable[[Stage], None],
) -> Wire:
    """Connect over UDP, TCP or TLS.

    Raises:
        OSError: no connection, or TLS failed; nothing is left open.
        DriverError: the server's name is none that a certificate can have; nothing is left open.
    """
    connected = await connected_socket(target, local_port)
    if target.transport == "udp":
        return _open_udp(connected, receiver)
    if tls is not None:
        reached(Stage.TLS)
    stream = StreamWire(receiver, "TCP" if tls is None else "TLS")
    await open_stream(connected, stream, tls)
    return stream


def _open_udp(connected: socket.socket, receiver: Receiver) -> UdpWire:
    try:
        return UdpWire(connected, receiver)
    except BaseException:
        connected.close()
        raise


def _ended(reason: str) -> Failure:
    return Failure(kind=FailureClass.TRANSIENT, stage=Stage.SESSION, reason=reason)
