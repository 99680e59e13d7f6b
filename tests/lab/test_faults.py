"""The faults that lie below the protocol, on every server alike, seen from a raw socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from manager.lab.ami import AmiServer
from manager.lab.faults import Fault
from manager.lab.server import LabServer, Peer
from manager.lab.websocket import WebSocketServer
from manager.secret import Secret
from tests.lab import test_ami_server as ami
from tests.lab import test_sip_server as sip
from tests.lab import test_websocket_server as websocket
from tests.lab.capture import RawClient, capture, connected


class Ami:
    """How a raw client logs in to an AMI and asks for a sign of life."""

    @staticmethod
    def server() -> LabServer:
        return AmiServer(username="monitor", password=Secret("secret"), refusal_hold=0, read=frozenset())

    @staticmethod
    def say_hello(client: RawClient) -> None:
        client.send(ami.login())

    @staticmethod
    async def log_in(client: RawClient) -> None:
        await ami.logged_in(client)

    @staticmethod
    async def answered(client: RawClient) -> None:
        assert b"Ping: Pong" in await client.until(b"\r\n\r\n")

    @staticmethod
    def ask(client: RawClient) -> None:
        client.send(ami.PING)


class WebSocket:
    @staticmethod
    def server() -> LabServer:
        return WebSocketServer()

    @staticmethod
    def say_hello(client: RawClient) -> None:
        client.send(websocket.OPENING + b"\r\n")

    @staticmethod
    async def log_in(client: RawClient) -> None:
        await websocket.opened(client)

    @staticmethod
    async def answered(client: RawClient) -> None:
        assert await websocket.next_frame(client) == (websocket.PONG, b"?")

    @staticmethod
    def ask(client: RawClient) -> None:
        client.send(websocket.frame(websocket.PING, b"?"))


class Sip:
    """SIP over TCP; the faults of UDP have tests of their own."""

    @staticmethod
    def server() -> LabServer:
        return sip.server()

    @staticmethod
    def say_hello(client: RawClient) -> None:
        client.send(sip.register(transport="TCP", authorization=sip.credentials(b'nonce="1/wrong"')))

    @staticmethod
    async def log_in(client: RawClient) -> None:
        assert b" 200 OK" in await sip.registered_over_tcp(client)

    @staticmethod
    async def answered(client: RawClient) -> None:
        assert b"SIP/2.0 200 OK" in await client.until(b"\r\n\r\n")

    @staticmethod
    def ask(client: RawClient) -> None:
        client.send(capture("sip-options.txt")[0][1])


Dialect = type[Ami] | type[WebSocket] | type[Sip]


@pytest.fixture(params=[Ami, WebSocket, Sip], ids=["ami", "websocket", "sip"])
def dialect(request: pytest.FixtureRequest) -> Dialect:
    return request.param  # type: ignore[no-any-return]  # pytest types it as Any


@pytest.fixture
async def server(dialect: Dialect) -> AsyncIterator[LabServer]:
    async with dialect.server() as started:
        yield started


async def refused(server: LabServer) -> bool:
    try:
        async with connected(server.port):
            return False
    except ConnectionRefusedError:
        return True


async def test_a_healthy_one_answers(server: LabServer, dialect: Dialect) -> None:
    async with connected(server.port) as client:
        await dialect.log_in(client)
        dialect.ask(client)
        await dialect.answered(client)
        assert (server.connects, server.logins, server.refused) == (1, 1, 0)


async def test_refuse_cuts_sessions_and_closes_the_port_until_taken_back(
    server: LabServer, dialect: Dialect
) -> None:
    async with connected(server.port) as client:
        await dialect.log_in(client)
        server.fault = Fault.REFUSE
        assert await client.rest() == b""
        assert await refused(server)
        server.fault = None
    async with connected(server.port) as client:
        await dialect.log_in(client)


async def test_a_port_that_refuses_is_given_to_nobody_else(server: LabServer) -> None:
    server.fault = Fault.REFUSE
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind((server.host, server.port))


async def test_accept_and_close_leaves_old_sessions_alone(server: LabServer, dialect: Dialect) -> None:
    async with connected(server.port) as old:
        await dialect.log_in(old)
        server.fault = Fault.ACCEPT_AND_CLOSE
        async with connected(server.port) as new:
            assert await new.rest() == b""
        dialect.ask(old)
        await dialect.answered(old)


async def test_hang_accepts_and_never_answers_anyone(server: LabServer, dialect: Dialect) -> None:
    async with connected(server.port) as old:
        await dialect.log_in(old)
        server.fault = Fault.HANG
        dialect.ask(old)
        async with connected(server.port) as new:
            dialect.say_hello(new)
            assert await new.hears_nothing()
            assert await old.hears_nothing()
            server.fault = None
            await new.until(b"\r\n")
    assert server.connects == 2


async def test_hang_after_login_lets_in_and_falls_silent(server: LabServer, dialect: Dialect) -> None:
    server.fault = Fault.HANG_AFTER_LOGIN
    async with connected(server.port) as client:
        await dialect.log_in(client)
        dialect.ask(client)
        assert await client.hears_nothing()
        assert server.logins == 1


async def test_what_was_asked_of_a_frozen_server_is_answered_when_it_thaws(
    server: LabServer, dialect: Dialect
) -> None:
    async with connected(server.port) as client:
        await dialect.log_in(client)
        server.fault = Fault.HANG
        dialect.ask(client)
        assert await client.hears_nothing()
        server.fault = None
        assert await client.exactly(2)


async def test_a_handshake_is_closed_in_the_middle(server: LabServer, dialect: Dialect) -> None:
    server.fault = Fault.CLOSE_IN_HANDSHAKE
    async with connected(server.port) as client:
        dialect.say_hello(client)
        said = await client.rest()
        assert said in (ami.BANNER, b"HTTP/1.1 101 Switching Pro") or said.startswith(b"SIP/2.0 401 ")
        assert b"\r\n\r\n" not in said
        assert server.logins == 0


async def test_wrong_password_refuses_what_was_right(server: LabServer, dialect: Dialect) -> None:
    server.fault = Fault.WRONG_PASSWORD
    async with connected(server.port) as client:
        dialect.say_hello(client)
        said = await client.until(b"\r\n\r\n")
    assert b"Authentication failed" in said or b" 401 Unauthorized" in said
    assert (server.logins, server.refused) == (0, 1)


async def test_slow_answers_late_but_answers(server: LabServer, dialect: Dialect) -> None:
    server.delay = 0.5
    async with connected(server.port) as client:
        await dialect.log_in(client)
        server.fault = Fault.SLOW
        dialect.ask(client)
        assert await client.hears_nothing()
        assert await client.exactly(2)


async def test_slow_is_late_once_for_all_that_came_together(server: LabServer, dialect: Dialect) -> None:
    server.delay = 0.5
    async with connected(server.port) as client:
        await dialect.log_in(client)
        server.fault = Fault.SLOW
        for _ in range(200):
            dialect.ask(client)
        async with asyncio.timeout(50):  # late each by itself, they would take twice that
            for _ in range(200):
                await dialect.answered(client)


async def test_garbage_takes_the_place_of_answers(server: LabServer, dialect: Dialect) -> None:
    server.fault = Fault.GARBAGE
    async with connected(server.port) as client:
        dialect.say_hello(client)
        said = await client.until(b"\r\n\r\n")
    assert b"\x1b" in said
    assert b"Asterisk" not in said
    assert b"HTTP" not in said


async def test_truncate_cuts_an_answer_in_the_middle_and_closes(server: LabServer, dialect: Dialect) -> None:
    async with connected(server.port) as client:
        await dialect.log_in(client)
        server.fault = Fault.TRUNCATE
        dialect.ask(client)
        assert b"\r\n\r\n" not in await client.rest()
        server.fault = None
    async with connected(server.port) as again:
        await dialect.log_in(again)


async def test_reset_ends_old_sessions_and_new_ones_without_a_goodbye(
    server: LabServer, dialect: Dialect
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    dialect.say_hello(RawClient(reader, writer))
    await reader.read(1)
    server.fault = Fault.RESET
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()
    with pytest.raises(ConnectionResetError):
        async with connected(server.port) as new:
            await new._reader.read(1)
    server.fault = None
    async with connected(server.port) as again:
        await dialect.log_in(again)


async def test_reset_overlooks_a_session_whose_connection_has_just_closed(
    server: LabServer, dialect: Dialect
) -> None:
    async with connected(server.port) as client:
        await dialect.log_in(client)
        (peer,) = server._peers
        connection = peer._writer.get_extra_info("socket")
        peer.abort()
        while connection.fileno() >= 0:
            await asyncio.sleep(0)
        assert server._peers == {peer}
        server.fault = Fault.RESET


async def test_drop_cuts_all_sessions_and_takes_new_ones(server: LabServer, dialect: Dialect) -> None:
    async with connected(server.port) as first, connected(server.port) as second:
        await dialect.log_in(first)
        await dialect.log_in(second)
        assert server.drop() == 2
        assert await first.rest() == b""
        assert await second.rest() == b""
    async with connected(server.port) as client:
        await dialect.log_in(client)


async def test_drop_reaches_sessions_of_a_frozen_server(server: LabServer, dialect: Dialect) -> None:
    async with connected(server.port) as client:
        await dialect.log_in(client)
        server.fault = Fault.HANG
        dialect.ask(client)
        assert await client.hears_nothing()
        server.drop()
        assert await client.rest() == b""


async def test_a_restart_refuses_for_its_pause_and_keeps_the_port(
    server: LabServer, dialect: Dialect, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, sleep = server.port, asyncio.sleep
    pausing, pause_is_over = asyncio.Event(), asyncio.Event()

    async def held(seconds: float) -> None:
        if seconds == 321.0:
            pausing.set()
            await pause_is_over.wait()
        else:
            await sleep(seconds)

    monkeypatch.setattr("manager.lab.server.asyncio.sleep", held)
    async with connected(port) as client:
        await dialect.log_in(client)
        restarting = asyncio.create_task(server.restart(pause=321.0))
        await client.rest()
        async with asyncio.timeout(60):
            await pausing.wait()
        assert await refused(server)
        pause_is_over.set()
        await restarting
    assert server.port == port
    async with connected(port) as client:
        await dialect.log_in(client)


async def test_a_stopped_one_starts_again_on_its_port(dialect: Dialect) -> None:
    server = dialect.server()
    async with server:
        port = server.port
    async with server:
        assert server.port == port
        async with connected(port) as client:
            await dialect.log_in(client)


@pytest.mark.parametrize("fault", list(Fault))
async def test_a_stop_in_any_fault_leaves_nothing(dialect: Dialect, fault: Fault) -> None:
    server = dialect.server()
    server.fault = fault
    await server.start()
    if fault in (Fault.REFUSE, Fault.RESET):
        await server.stop()
        return
    async with connected(server.port) as client:
        dialect.say_hello(client)
        while not server.connects:
            await asyncio.sleep(0)
        await server.stop()
        await client.rest()
    assert server.sessions == 0


async def test_a_defect_of_a_server_surfaces_when_it_is_stopped() -> None:
    class Broken(LabServer):
        async def serve(self, peer: Peer) -> None:
            raise ZeroDivisionError

    server = Broken()
    await server.start()
    async with connected(server.port) as client:
        assert await client.rest() == b""
    with pytest.raises(ZeroDivisionError):
        await server.stop()
