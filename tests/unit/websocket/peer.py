"""The other end of a WebSocket, written out by hand in each test."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from manager.drivers.base import DriverError
from manager.drivers.websocket import WebSocketSession, create
from manager.endpoint import parse_endpoint
from manager.model import Facts, Failure, Stage
from manager.secret import Secret, SecretSource
from manager.settings import WebSocketSettings
from manager.wire import WireKind

CANARY = "c4n4ry-s3cret"
PATIENCE = 60.0
TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10


class Recorder:
    """Listens to a session and keeps what it heard."""

    def __init__(self) -> None:
        self.wires: list[tuple[WireKind, bytes, bool]] = []
        self.stages: list[Stage] = []
        self.messages: list[object] = []
        self.reports: list[tuple[str, str, dict[str, object]]] = []
        self.changes = 0
        self._heard = asyncio.Event()

    def reached(self, stage: Stage) -> None:
        self.stages.append(stage)

    def ordered(self, addresses):
        return list(addresses)

    def using(self, address: str) -> None: ...

    def facts_changed(self) -> None:
        self.changes += 1

    def refreshed(self, failure: Failure | None) -> None:
        raise AssertionError("a WebSocket refreshes nothing")

    def reported(self, report: str, text: str, fields: Facts) -> None:
        self.reports.append((report, text, dict(fields)))

    def received(self, message: object) -> None:
        self.messages.append(message)
        self._heard.set()

    def wire(self, kind: WireKind, content: bytes, *, sent: bool) -> None:
        self.wires.append((kind, content, sent))

    async def heard(self, count: int) -> list[object]:
        """Wait until this many messages have come."""
        async with asyncio.timeout(PATIENCE):
            while len(self.messages) < count:
                self._heard.clear()
                await self._heard.wait()
        return self.messages


class Peer:
    """One connection as the server sees it, without the library."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.request = ""

    async def read_request(self) -> str:
        self.request = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        return self.request

    def header(self, name: str) -> str | None:
        for line in self.request.split("\r\n")[1:]:
            key, _, value = line.partition(": ")
            if key.lower() == name.lower():
                return value
        return None

    def answer(self, *lines: str, body: bytes = b"") -> None:
        self.writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    def upgrade(self, *headers: str) -> None:
        key = self.header("Sec-WebSocket-Key")
        magic = f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()
        accept = base64.b64encode(hashlib.sha1(magic).digest()).decode()
        self.answer(
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {accept}",
            *headers,
        )

    async def accept(self, *headers: str) -> None:
        await self.read_request()
        self.upgrade(*headers)

    def send(self, payload: bytes, opcode: int = TEXT, *, fin: bool = True) -> None:
        self.writer.write(frame(payload, opcode, fin=fin))

    async def read_frame(self) -> tuple[int, bytes]:
        first, second = await self.reader.readexactly(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", await self.reader.readexactly(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", await self.reader.readexactly(8))
        mask = await self.reader.readexactly(4)
        payload = await self.reader.readexactly(length)
        return first & 0x0F, bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))

    async def gone(self) -> None:
        """Wait until the client has closed its end."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(65536):
                pass


def frame(payload: bytes, opcode: int = TEXT, *, fin: bool = True) -> bytes:
    head = bytes([opcode | (0x80 if fin else 0)])
    if len(payload) < 126:
        return head + bytes([len(payload)]) + payload
    if len(payload) < 65536:
        return head + b"\x7e" + struct.pack("!H", len(payload)) + payload
    return head + b"\x7f" + struct.pack("!Q", len(payload)) + payload


Script = Callable[[Peer], Awaitable[None]]


async def accept(peer: Peer) -> None:
    """Open, and stay until the client leaves."""
    await peer.accept()
    await peer.gone()


def answering(*lines: str, body: bytes = b"") -> Script:
    """Answer the request with these lines instead of opening."""

    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.answer(*lines, f"Content-Length: {len(body)}", body=body)
        await peer.gone()

    return script


def sending(*frames: bytes) -> Script:
    """Open, send these bytes, and stay until the client leaves."""

    async def script(peer: Peer) -> None:
        await peer.accept()
        for part in frames:
            peer.writer.write(part)
        await peer.gone()

    return script


class Server:
    """What `serving` gives: where it listens, who came, and what went wrong in the script."""

    def __init__(self) -> None:
        self.port = 0
        self.peers: list[Peer] = []

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/events"


@contextlib.asynccontextmanager
async def serving(script: Script, **listen: Any) -> AsyncIterator[Server]:
    """Run `script` for every connection; when the test is over each must have ended."""
    server = Server()
    running: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        peer = Peer(reader, writer)
        server.peers.append(peer)
        try:
            await script(peer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, **listen)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
        if running:
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*running)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        listening.close()
        await listening.wait_closed()


def settings(url: str, **more: Any) -> WebSocketSettings:
    return WebSocketSettings(name="backend", endpoints=(parse_endpoint(url),), **more)


def canary() -> SecretSource:
    return SecretSource(plain=Secret(CANARY))


async def open_session(
    url: str, listener: Recorder | None = None, memory: dict[str, str] | None = None, **more: Any
) -> WebSocketSession:
    ours = settings(url, **more)
    driver = create(ours, {} if memory is None else memory)
    async with asyncio.timeout(PATIENCE):
        session = await driver.open(ours.endpoints[0], listener or Recorder())
    assert isinstance(session, WebSocketSession)
    return session


@contextlib.asynccontextmanager
async def opened(url: str, listener: Recorder | None = None, **more: Any) -> AsyncIterator[WebSocketSession]:
    session = await open_session(url, listener, **more)
    try:
        yield session
    finally:
        await session.close(graceful=False)


async def failure_of_open(url: str, **more: Any) -> Failure:
    """Return why an opening fails."""
    try:
        session = await open_session(url, **more)
    except DriverError as error:
        return error.failure
    await session.close(graceful=False)
    raise AssertionError("the session opened")


async def end_of(session: WebSocketSession) -> Failure:
    return await asyncio.wait_for(session.ended(), PATIENCE)
