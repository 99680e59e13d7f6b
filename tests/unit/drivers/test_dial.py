from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator

import pytest

from manager.drivers import dial as dialling
from manager.drivers.dial import dial
from manager.model import Facts, Failure, Stage
from manager.wire import WireKind


class Listener:
    def __init__(self) -> None:
        self.stages: list[Stage] = []

    def reached(self, stage: Stage) -> None:
        self.stages.append(stage)

    def ordered(self, addresses):
        return list(addresses)

    def using(self, address: str) -> None: ...

    def facts_changed(self) -> None: ...

    def refreshed(self, failure: Failure | None) -> None: ...

    def reported(self, report: str, text: str, fields: Facts) -> None: ...

    def received(self, message: object) -> None: ...

    def wire(self, kind: WireKind, content: bytes, *, sent: bool) -> None: ...


@pytest.fixture
async def port() -> AsyncIterator[int]:
    def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.fixture
def unused() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def resolve(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[int, tuple[object, ...]]) -> None:
    async def found(host: str, port: int) -> list[tuple[int, tuple[object, ...]]]:
        return list(addresses)

    monkeypatch.setattr(dialling, "look_up", found)


@pytest.fixture
def mute(monkeypatch: pytest.MonkeyPatch) -> tuple[int, tuple[object, ...]]:
    """An address whose packets are lost: connecting to it neither fails nor succeeds."""
    loop = asyncio.BaseEventLoop
    address = ("127.0.0.1", 1)
    connect = asyncio.SelectorEventLoop.sock_connect

    async def connect_unless_mute(self: asyncio.SelectorEventLoop, sock: socket.socket, to: object) -> None:
        if to == address:
            await loop.create_future(self)
        await connect(self, sock, to)

    monkeypatch.setattr(asyncio.SelectorEventLoop, "sock_connect", connect_unless_mute)
    return socket.AF_INET, address


async def test_an_address_needs_no_resolver(port, monkeypatch):
    async def resolver(*_: object, **__: object) -> None:
        raise AssertionError("the resolver was asked")

    monkeypatch.setattr(asyncio.SelectorEventLoop, "getaddrinfo", resolver)
    listener = Listener()
    with await dial("127.0.0.1", port, listener) as connected:
        assert connected.getpeername() == ("127.0.0.1", port)
        assert connected.gettimeout() == 0
    assert listener.stages == [Stage.LOOKUP, Stage.CONNECT]


async def test_a_name_is_looked_up(port):
    with await dial("localhost", port, Listener()) as connected:
        assert connected.getpeername()[:2] == ("127.0.0.1", port)


async def test_a_name_that_does_not_exist_fails_at_the_lookup():
    listener = Listener()
    with pytest.raises(socket.gaierror):
        await dial("no-such-host.invalid", 5038, listener)
    assert listener.stages == [Stage.LOOKUP]


async def test_families_take_turns(monkeypatch):
    six, four = socket.AF_INET6, socket.AF_INET
    stream = socket.SOCK_STREAM
    answers = [(family, stream, 6, "", (str(number),)) for number, family in enumerate([six, six, six, four])]
    monkeypatch.setattr(dialling.socket, "getaddrinfo", lambda *_, **__: answers)
    assert await dialling.look_up("pbx", 5038) == [
        (six, ("0",)),
        (four, ("3",)),
        (six, ("1",)),
        (six, ("2",)),
    ]


async def test_an_address_that_refuses_makes_way_for_the_next(port, unused, monkeypatch):
    resolve(monkeypatch, (socket.AF_INET, ("127.0.0.1", unused)), (socket.AF_INET, ("127.0.0.1", port)))
    with await dial("pbx", port, Listener()) as connected:
        assert connected.getpeername()[1] == port


async def test_an_address_that_never_answers_makes_way_for_the_next(port, mute, monkeypatch):
    resolve(monkeypatch, mute, (socket.AF_INET, ("127.0.0.1", port)))
    async with asyncio.timeout(60):
        with await dial("pbx", port, Listener()) as connected:
            assert connected.getpeername()[1] == port


async def test_a_connect_that_hears_nothing_begins_anew(port, mute, monkeypatch):
    monkeypatch.setattr(dialling, "RENEWAL", 0.01)
    monkeypatch.setattr(dialling, "ATTEMPT_DELAY", 60)
    resolve(monkeypatch, mute)
    tried: list[socket.socket] = []
    connect = asyncio.SelectorEventLoop.sock_connect

    async def mute_twice(self: asyncio.SelectorEventLoop, sock: socket.socket, to: object) -> None:
        tried.append(sock)
        await connect(self, sock, to if len(tried) < 3 else ("127.0.0.1", port))

    monkeypatch.setattr(asyncio.SelectorEventLoop, "sock_connect", mute_twice)
    with await dial("pbx", port, Listener()) as connected:
        assert [one.fileno() for one in tried[:2]] == [-1, -1]
        assert tried[2] is connected


async def test_where_all_fail_a_refusal_is_what_is_told(unused, monkeypatch):
    resolve(
        monkeypatch,
        (socket.AF_INET6, ("127.0.0.1", unused)),
        (socket.AF_INET, ("127.0.0.1", unused)),
    )
    with pytest.raises(ConnectionRefusedError):
        await dial("pbx", unused, Listener())


async def test_of_two_that_answer_at_once_one_is_closed(port, monkeypatch):
    monkeypatch.setattr(dialling, "ATTEMPT_DELAY", 0)
    opened: list[socket.socket] = []
    connect = dialling._connect

    async def slow(family: int, address: tuple[object, ...]) -> socket.socket:
        connected = await connect(family, address)
        opened.append(connected)
        while len(opened) < 2:
            await asyncio.sleep(0)
        return connected

    monkeypatch.setattr(dialling, "_connect", slow)
    resolve(monkeypatch, *[(socket.AF_INET, ("127.0.0.1", port))] * 2)
    with await dial("pbx", port, Listener()):
        assert sorted(one.fileno() >= 0 for one in opened) == [False, True]


async def test_a_connection_that_is_reset_as_soon_as_it_is_made_is_closed(monkeypatch):
    opened: list[socket.socket] = []
    connect = dialling._connect

    async def until_reset(family: int, address: tuple[object, ...]) -> socket.socket:
        connected = await connect(family, address)
        opened.append(connected)
        accepted, _ = server.accept()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        accepted.close()
        return connected

    monkeypatch.setattr(dialling, "_connect", until_reset)
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(OSError, match="not connected"):
        await dial("127.0.0.1", server.getsockname()[1], Listener())
    assert [one.fileno() for one in opened] == [-1]


async def test_dialling_can_be_cancelled_at_every_await(port, mute, monkeypatch):
    monkeypatch.setattr(dialling, "ATTEMPT_DELAY", 0)
    resolve(monkeypatch, mute, *[(socket.AF_INET, ("127.0.0.1", port))] * 3)
    for steps in range(100):
        dialled = asyncio.create_task(dial("pbx", port, Listener()))
        for _ in range(steps):
            await asyncio.sleep(0)
        if dialled.done():
            (await dialled).close()
            break
        dialled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dialled
    else:
        pytest.fail("dialling never came to an end")
