from __future__ import annotations

import asyncio
import gc
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from manager.drivers.base import DriverError
from manager.drivers.stream import ClientTls, open_stream
from manager.model import FailureClass, Stage

PATIENCE = 60.0
NAME = "pbx.example"

Greeting = Callable[[asyncio.StreamWriter], None]


class Ear(asyncio.Protocol):
    """Hears everything, and asks to be told in the order in which it happens."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.over = asyncio.Event()
        self.spoken_to = asyncio.Event()
        self.transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.heard.append("made")

    def data_received(self, data: bytes) -> None:
        self.heard.append(data.decode())
        self.spoken_to.set()

    def eof_received(self) -> None:
        self.heard.append("eof")

    def connection_lost(self, exc: Exception | None) -> None:
        self.heard.append("lost")
        self.over.set()

    async def close(self) -> None:
        if self.transport is not None:
            self.transport.abort()
            async with asyncio.timeout(PATIENCE):
                await self.over.wait()


def sockets() -> set[str]:
    """Every socket that this process has open, by its inode."""
    found = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except OSError:  # the descriptor of the listing itself
            continue
        if target.startswith("socket:"):
            found.add(target)
    return found


@pytest.fixture(autouse=True)
async def _nothing_left() -> AsyncIterator[None]:
    """Fail a test that leaves a socket, a task or something for the collector to warn of behind."""
    before = sockets()
    yield
    async with asyncio.timeout(PATIENCE):
        while sockets() != before:
            await asyncio.sleep(0.01)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    gc.collect()


@asynccontextmanager
async def listening(context: ssl.SSLContext | None, greet: Greeting | None = None) -> AsyncIterator[int]:
    """A server that greets whoever comes and waits until he has gone."""
    writers = []

    def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        if greet is not None:
            greet(writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()


async def connect(port: int) -> socket.socket:
    connected = socket.socket()
    connected.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connected, ("127.0.0.1", port))
    return connected


def held(connected: socket.socket) -> str:
    return str(Path(f"/proc/self/fd/{connected.fileno()}").readlink())


@pytest.fixture(params=["TLS 1.3", "TLS 1.2"])
def server_context(request, pki) -> ssl.SSLContext:
    context = pki.server_context()
    if request.param == "TLS 1.2":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


@pytest.fixture
def tls(pki) -> ClientTls:
    return ssl.create_default_context(cafile=pki.cert), NAME


def greet(writer: asyncio.StreamWriter) -> None:
    writer.write(b"welcome")


async def cancelled_at_every_step(port: int, tls: ClientTls | None) -> int:
    """Cancel an opening after 0, 1, 2… turns of the loop, until it takes no more; return how many it takes.

    The socket is looked for at once: nothing of it may be left to a later turn or a timer.
    """
    for turns in range(1000):
        connected = await connect(port)
        name, ear = held(connected), Ear()
        opening = asyncio.create_task(open_stream(connected, ear, tls))
        await asyncio.sleep(0)  # a task that never began owns nothing
        for _ in range(turns):
            await asyncio.sleep(0)
        if opening.done():
            await opening
            assert name in sockets()
            await ear.close()
            return turns
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert name not in sockets(), f"cancelled after {turns} turns"
        assert ear.heard == []
    raise AssertionError("the opening never came to an end")


async def test_an_opening_over_tls_that_is_cancelled_at_any_step_leaves_nothing(server_context, tls):
    async with listening(server_context, greet) as port:
        assert await cancelled_at_every_step(port, tls) > 3


async def test_an_opening_without_tls_that_is_cancelled_at_any_step_leaves_nothing():
    async with listening(None, greet) as port:
        assert await cancelled_at_every_step(port, None) > 0


async def test_an_opening_that_is_cancelled_while_the_server_hangs_in_the_handshake_leaves_nothing(tls):
    async with listening(None) as port:
        connected = await connect(port)
        name, ear = held(connected), Ear()
        opening = asyncio.create_task(open_stream(connected, ear, tls))
        done, _ = await asyncio.wait([opening], timeout=0.1)
        assert not done
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert name not in sockets()
        assert ear.heard == []


async def test_what_a_server_says_with_the_end_of_its_handshake_is_heard_after_the_opening(
    server_context, tls
):
    async with listening(server_context, greet) as port:
        ear = Ear()
        await open_stream(await connect(port), ear, tls)
        assert ear.heard[0] == "made"
        async with asyncio.timeout(PATIENCE):
            await ear.spoken_to.wait()
        assert ear.heard == ["made", "welcome"]
        await ear.close()


async def test_a_server_that_leaves_with_the_end_of_its_handshake_is_heard_to_leave(server_context, tls):
    def turn_away(writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with listening(server_context, turn_away) as port:
        ear = Ear()
        await open_stream(await connect(port), ear, tls)
        async with asyncio.timeout(PATIENCE):
            await ear.over.wait()
        assert ear.heard[0] == "made"
        assert ear.heard[-1] == "lost"


async def test_a_connection_that_breaks_as_the_handshake_ends_is_either_refused_or_heard_to_break(
    server_context, tls
):
    def break_off(writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with listening(server_context, break_off) as port:
        connected = await connect(port)
        name, ear = held(connected), Ear()
        try:
            await open_stream(connected, ear, tls)
        except OSError:
            assert name not in sockets()
            assert ear.heard == []
        else:
            async with asyncio.timeout(PATIENCE):
                await ear.over.wait()
            assert ear.heard[-1] == "lost"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("other.example", ssl.SSLCertVerificationError), (".pbx.example", DriverError), ("é" * 80, DriverError)],
)
async def test_a_name_that_does_not_fit_closes_the_socket_and_the_protocol_hears_nothing(
    server_context, tls, name, expected
):
    context, _ = tls
    async with listening(server_context) as port:
        connected = await connect(port)
        inode, ear = held(connected), Ear()
        with pytest.raises(expected) as caught:
            await open_stream(connected, ear, (context, name))
        if isinstance(caught.value, DriverError):
            failure = caught.value.failure
            assert (failure.kind, failure.stage) == (FailureClass.CONFIGURATION, Stage.TLS)
        assert inode not in sockets()
        assert ear.heard == []


async def test_a_server_that_does_not_speak_tls_is_refused_and_none_of_its_words_gets_through(tls):
    async with listening(None, greet) as port:
        connected = await connect(port)
        name, ear = held(connected), Ear()
        with pytest.raises(ssl.SSLError):
            await open_stream(connected, ear, tls)
        assert name not in sockets()
        assert ear.heard == []
