"""What the lab's servers share: listening, sessions, faults below the protocol, and counting."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import socket
import ssl
import struct
import sys
import time
from collections import deque
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self

from manager.lab.faults import Fault

READ_LIMIT = 64 * 1024
"""Bytes that a session holds unread at most twice over; TCP makes the sender wait beyond that."""
_WRITE_LIMIT = 256 * 1024
_REMEMBERED = 1000
_LINGER = 1.0
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""A linger of no time: what is unsent is dropped, and the peer gets a reset (socket(7))."""
_SHARE_PORT = socket.SO_REUSEADDR if sys.platform == "linux" else socket.SO_REUSEPORT
GARBAGE = b"\x00\x1b]0;lab\x07\x1b[2J\x9b31m[bold]%s: 200" + bytes(range(128, 256)) + b"\r\n\r\n"


class Peer:
    """One accepted connection, seen from the server."""

    def __init__(
        self,
        server: LabServer,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        remote: tuple[str, int],
    ) -> None:
        self.logged_in = False
        self.remote = remote
        self._reader = reader
        self._server = server
        self._writer = writer

    async def receive(self) -> bytes:
        """Return what the client sent, once the server is ready to see it; nothing at its end."""
        content = await self._reader.read(READ_LIMIT)
        await self._server.ready(logged_in=self.logged_in)
        return content

    async def send(self, content: bytes) -> None:
        """Send an answer, or garbage where that is the fault; wait while the client does not read."""
        self.push(content)
        await self._writer.drain()

    def push(self, content: bytes) -> None:
        """Send without waiting; a client that does not read is cut off at 256 KiB."""
        if self._writer.is_closing():
            return
        if self._writer.transport.get_write_buffer_size() > _WRITE_LIMIT:
            self.abort()
        else:
            self._writer.write(self._server.spoilt(content))
            if self._server.fault is Fault.TRUNCATE:
                self._writer.close()

    async def finish(self) -> None:
        """Close once everything has been sent, or after a second."""
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_LINGER):
                await self._writer.wait_closed()
        self.abort()

    def reset(self) -> None:
        """Have the close that follows be a reset."""
        _reset_on_close(self._writer.get_extra_info("socket"))

    def abort(self) -> None:
        """Close at once, whatever is still to be sent."""
        self._writer.transport.abort()


class LabServer(abc.ABC):
    """A small TCP server on loopback that can be put out of order at any time.

    The port is chosen by the first start and kept from then on. `fault` and `drop` act at once; they and all
    others are to be called in the thread of the server's loop. With `tls` set, every new connection begins
    with TLS by that context.
    """

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, delay: float = 1.0) -> None:
        self.host = host
        self.port = port
        """0 until it has been started."""
        self.delay = delay
        """How late the answers of a slow server are, in seconds."""
        self.tls: ssl.SSLContext | None = None
        self.connects = 0
        self.logins = 0
        self.refused = 0
        """Logins that were turned away."""
        self.connected_at: deque[float] = deque(maxlen=_REMEMBERED)
        """Monotonic time of the last connections."""
        self.logged_in_at: deque[float] = deque(maxlen=_REMEMBERED)
        self.started_at = 0.0
        """Wall time of the last start."""
        self._fault: Fault | None = None
        self._reserved: socket.socket | None = None
        self._listener: socket.socket | None = None
        self._peers: set[Peer] = set()
        self._sessions: set[asyncio.Task[None]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        """Those of the sessions, all others, and those that ended with a defect."""
        self._thawed = asyncio.Event()

    # --- starting and stopping ---

    async def start(self) -> None:
        """Listen, on the port of an earlier start if there was one.

        Raises:
            OSError: the address is not there or the port is taken.
        """
        if self._reserved is None:
            self._reserve()
        self.started_at = time.time()
        if self._fault is not Fault.REFUSE:
            self._listen()

    async def stop(self) -> None:
        """Say goodbye where the protocol has a word for it, close every socket and end every task.

        Raises:
            Exception: a session ended with an error that is a defect of the lab.
        """
        self._say_goodbye()
        try:
            await self._end_sessions()
        finally:
            self._release()

    async def restart(self, pause: float = 0.0) -> None:
        """Stop, leave the port closed for `pause` seconds, and start on the same port."""
        self._say_goodbye()
        await self._end_sessions()
        await asyncio.sleep(pause)
        await self.start()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _say_goodbye(self) -> None:
        for peer in self.peers:
            self.say_goodbye(peer)

    async def _end_sessions(self) -> None:
        self._stop_listening()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.difference_update(tasks)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome

    # --- faults ---

    @property
    def fault(self) -> Fault | None:
        """What is out of order now; None while all is well."""
        return self._fault

    @fault.setter
    def fault(self, fault: Fault | None) -> None:
        before, self._fault = self._fault, fault
        self._thawed.set()
        self._thawed = asyncio.Event()
        if self._reserved is None:
            return
        if fault is Fault.REFUSE:
            self._stop_listening()
            self.drop()
        elif before is Fault.REFUSE:
            self.started_at = time.time()
            self._listen()
        if fault is Fault.RESET:
            for peer in self._peers:
                peer.reset()
            self.drop()

    def drop(self) -> int:
        """Cut every session now, without a word; return how many there were."""
        sessions = tuple(self._sessions)
        for session in sessions:
            session.cancel()
        return len(sessions)

    @property
    def sessions(self) -> int:
        """Connections that are open now."""
        return len(self._sessions)

    @property
    def peers(self) -> tuple[Peer, ...]:
        """The logged-in clients that hear what the server says by itself: none while it is frozen."""
        if self._fault in (Fault.HANG, Fault.HANG_AFTER_LOGIN):
            return ()
        return tuple(peer for peer in self._peers if peer.logged_in)

    async def ready(self, *, logged_in: bool) -> None:
        """Return when the server takes up what has come: not while it hangs, late while it is slow."""
        await self.thawed(logged_in=logged_in)
        if self._fault is Fault.SLOW:
            await asyncio.sleep(self.delay)

    async def thawed(self, *, logged_in: bool) -> None:
        """Return as soon as the server does not hang."""
        while self._fault is Fault.HANG or (self._fault is Fault.HANG_AFTER_LOGIN and logged_in):
            await self._thawed.wait()

    def spoilt(self, content: bytes) -> bytes:
        """Return what goes out in place of an answer."""
        if self._fault is Fault.GARBAGE:
            return GARBAGE
        return content[: len(content) // 2] if self._fault is Fault.TRUNCATE else content

    def count_login(self, *, accepted: bool) -> None:
        """Count a login that has been answered."""
        if accepted:
            self.logins += 1
            self.logged_in_at.append(time.monotonic())
        else:
            self.refused += 1

    # --- what a protocol adds ---

    @abc.abstractmethod
    async def serve(self, peer: Peer) -> None:
        """Speak the protocol until one of the two wants no more; the connection is closed after that."""

    def say_goodbye(self, peer: Peer) -> None:  # noqa: B027 - most protocols have no word for it
        """Tell a client that the server stops, where the protocol has a word for it."""

    # --- sockets ---

    def _reserve(self) -> None:
        """Bind without listening, so that nobody else is given the port while it refuses connections."""
        self._reserved = self._bound()
        self.port = self._reserved.getsockname()[1]

    def _release(self) -> None:
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None

    def _bound(self, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
        bound = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET, kind)
        try:
            bound.setblocking(False)
            bound.setsockopt(socket.SOL_SOCKET, _SHARE_PORT, 1)
            bound.bind((self.host, self.port))
        except OSError:
            bound.close()
            raise
        return bound

    def _listen(self) -> None:
        if self._listener is None:
            self._listener = self._bound()
            self._listener.listen(100)
            asyncio.get_running_loop().add_reader(self._listener, self._accept, self._listener)

    def _stop_listening(self) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    def _accept(self, listener: socket.socket) -> None:
        try:
            connection, remote = listener.accept()
        except OSError:
            return  # the client has gone again
        connection.setblocking(False)
        self.connects += 1
        self.connected_at.append(time.monotonic())
        if self._fault is Fault.RESET:
            _reset_on_close(connection)
        if self._fault in (Fault.ACCEPT_AND_CLOSE, Fault.RESET):
            connection.close()
        else:
            session = self.spawn(self._session(connection, remote[:2]))
            self._sessions.add(session)
            session.add_done_callback(self._sessions.discard)
            session.add_done_callback(lambda _: connection.close())  # also where it never came to run

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something until it ends or the server stops; a defect in it surfaces at the stop."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget_if_sound)
        return task

    def _forget_if_sound(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is None:
            self._tasks.discard(task)

    async def _session(self, connection: socket.socket, remote: tuple[str, int]) -> None:
        try:
            reader, writer = await self._streams_of(connection)
        except OSError:
            return  # the client has gone again
        peer = Peer(self, reader, writer, remote)
        self._peers.add(peer)
        try:
            await self.serve(peer)
            await peer.finish()
        except OSError:
            pass  # the client has gone: the session is over
        finally:
            self._peers.discard(peer)
            peer.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _streams_of(
        self, connection: socket.socket
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self.tls is None:
            return await asyncio.open_connection(sock=connection, limit=READ_LIMIT)
        await self.ready(logged_in=False)
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(READ_LIMIT, loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        raw, _ = await loop.connect_accepted_socket(asyncio.Protocol, connection)
        try:
            secured = await loop.start_tls(raw, protocol, self.tls, server_side=True)
        except BaseException:
            raw.abort()
            raise
        if secured is None:
            raise ConnectionResetError
        protocol.connection_made(secured)
        return reader, asyncio.StreamWriter(secured, protocol, reader, loop)


def _reset_on_close(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the client has gone again
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
