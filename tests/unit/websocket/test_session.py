from __future__ import annotations

import asyncio
import contextlib
import struct

import pytest
from websockets.asyncio.server import ServerConnection, serve

from manager.drivers.base import DriverError
from manager.model import Stage
from tests.unit.websocket.peer import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PATIENCE,
    PING,
    PONG,
    TEXT,
    Peer,
    Recorder,
    end_of,
    frame,
    opened,
    sending,
    serving,
)


@contextlib.asynccontextmanager
async def library_server(handler):
    async with serve(handler, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


# --- messages -----------------------------------------------------------------------------------------------


async def test_text_and_binary_messages_go_both_ways():
    listener = Recorder()
    async with library_server(echo) as url, opened(url, listener) as session:
        await session.send("grüß dich")
        await session.send(b"\x00\xff")
        assert await listener.heard(2) == ["grüß dich", b"\x00\xff"]
        facts = session.facts
        assert (facts["messages_out"], facts["messages_in"]) == (2, 2)
        assert facts["bytes_out"] == facts["bytes_in"] == len("grüß dich".encode()) + 2


async def test_a_message_in_pieces_arrives_whole():
    listener = Recorder()
    stream = (
        frame("ü".encode()[:1], TEXT, fin=False)
        + frame(b"", PING)
        + frame("ü".encode()[1:] + b" and ", CONTINUATION, fin=False)
        + frame(b"more", CONTINUATION)
    )

    async def script(peer: Peer) -> None:
        await peer.accept()
        for place in range(len(stream)):
            peer.writer.write(stream[place : place + 1])
            await peer.writer.drain()
            await asyncio.sleep(0)
        await peer.gone()

    async with serving(script) as server, opened(server.url, listener):
        assert await listener.heard(1) == ["ü and more"]


async def test_a_message_right_behind_the_handshake_is_not_lost():
    listener = Recorder()
    async with serving(sending(frame(b"welcome"))) as server, opened(server.url, listener):
        assert await listener.heard(1) == ["welcome"]


async def test_the_name_of_the_server_is_a_fact_and_harmless():
    async def script(peer: Peer) -> None:
        await peer.accept("Server: Asterisk/22.10.1 \x9b31m")
        await peer.gone()

    async with serving(script) as server, opened(server.url) as session:
        name = session.facts["server"]
        assert isinstance(name, str)
        assert name.startswith("Asterisk/22.10.1")
        assert name.isprintable()


# --- heartbeat ----------------------------------------------------------------------------------------------


async def test_a_heartbeat_is_a_ping_whose_own_pong_came():
    async def script(peer: Peer) -> None:
        await peer.accept()
        opcode, payload = await peer.read_frame()
        assert opcode == PING
        peer.send(b"another", opcode=PONG)
        peer.send(b"not a pong")
        await asked.wait()
        peer.send(payload, opcode=PONG)
        await peer.gone()

    asked = asyncio.Event()
    listener = Recorder()
    async with serving(script) as server, opened(server.url, listener) as session:
        heartbeat = asyncio.create_task(session.heartbeat())
        await listener.heard(1)
        assert not heartbeat.done()
        asked.set()
        assert 0 < await asyncio.wait_for(heartbeat, PATIENCE) < PATIENCE


async def test_a_heartbeat_of_a_silent_server_waits_for_its_deadline_and_leaves_the_session_usable():
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.read_frame()
        pinged.set()
        opcode, payload = await peer.read_frame()
        peer.send(payload, opcode=PONG)
        assert opcode == PING
        await peer.gone()

    pinged = asyncio.Event()
    async with serving(script) as server, opened(server.url) as session:
        heartbeat = asyncio.create_task(session.heartbeat())
        await asyncio.wait_for(pinged.wait(), PATIENCE)
        heartbeat.cancel()
        with pytest.raises(asyncio.CancelledError):
            await heartbeat
        assert await asyncio.wait_for(session.heartbeat(), PATIENCE) > 0


async def test_a_heartbeat_message_is_answered_by_any_message():
    async def script(peer: Peer) -> None:
        await peer.accept()
        asked.append(await peer.read_frame())
        peer.send(b"anything", opcode=BINARY)
        await peer.gone()

    asked: list[tuple[int, bytes]] = []
    async with (
        serving(script) as server,
        opened(server.url, heartbeat_message='{"type": "ping"}') as session,
    ):
        assert await asyncio.wait_for(session.heartbeat(), PATIENCE) > 0
        assert asked == [(TEXT, b'{"type": "ping"}')]


async def test_a_message_from_before_the_question_does_not_answer_it():
    listener = Recorder()
    async with (
        serving(sending(frame(b"earlier"))) as server,
        opened(server.url, listener, heartbeat_message="?") as session,
    ):
        await listener.heard(1)
        heartbeat = asyncio.create_task(session.heartbeat())
        done, _ = await asyncio.wait([heartbeat], timeout=0.2)
        assert not done
        heartbeat.cancel()
        with pytest.raises(asyncio.CancelledError):
            await heartbeat


@pytest.mark.parametrize("message", [None, "?"])
async def test_a_heartbeat_that_the_end_overtakes_says_why_it_ended(message):
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.read_frame()
        peer.send(struct.pack("!H", 1012), opcode=CLOSE)
        await peer.gone()

    async with serving(script) as server, opened(server.url, heartbeat_message=message) as session:
        with pytest.raises(DriverError) as caught:
            await asyncio.wait_for(session.heartbeat(), PATIENCE)
        assert "the server restarts (1012)" in caught.value.failure.reason
        with pytest.raises(DriverError):
            await asyncio.wait_for(session.heartbeat(), PATIENCE)


async def test_a_flood_of_messages_does_not_hold_a_heartbeat_up():
    async def script(peer: Peer) -> None:
        await peer.accept()
        flood = frame(b"x" * 100) * 20_000
        peer.writer.write(flood)
        opcode, payload = await peer.read_frame()
        peer.send(payload, opcode=PONG)
        assert opcode == PING
        await peer.gone()

    listener = Recorder()
    async with serving(script) as server, opened(server.url, listener) as session:
        assert await asyncio.wait_for(session.heartbeat(), PATIENCE) > 0
        assert session.facts["messages_in"] == 20_000


# --- check --------------------------------------------------------------------------------------------------


async def test_without_a_check_message_there_is_no_check():
    async with library_server(echo) as url, opened(url) as session:
        assert await session.check() == "no check configured"
        assert session.facts["messages_out"] == 0


async def test_the_check_waits_for_the_reply_it_expects():
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.read_frame()
        peer.send(b'{"event": "noise"}')
        await released.wait()
        peer.send(b'{"status": "ok"}')
        await peer.gone()

    released = asyncio.Event()
    listener = Recorder()
    async with (
        serving(script) as server,
        opened(server.url, listener, check_message="status?", check_reply='"ok"') as session,
    ):
        check = asyncio.create_task(session.check())
        await listener.heard(1)
        assert not check.done()
        released.set()
        assert "answered" in await asyncio.wait_for(check, PATIENCE)
        assert listener.messages == ['{"event": "noise"}', '{"status": "ok"}']


async def test_any_message_answers_a_check_without_an_expected_reply():
    async with library_server(echo) as url, opened(url, check_message="status?") as session:
        assert "answered" in await asyncio.wait_for(session.check(), PATIENCE)


async def test_heartbeat_and_check_may_run_side_by_side():
    more = {"heartbeat_message": "beat", "check_message": "check", "check_reply": "check"}
    async with library_server(echo) as url, opened(url, **more) as session:
        latency, finding = await asyncio.wait_for(
            asyncio.gather(session.heartbeat(), session.check()), PATIENCE
        )
        assert latency > 0
        assert "answered" in finding


async def test_a_check_of_a_session_that_is_over_is_a_failure_of_the_check():
    async def script(peer: Peer) -> None:
        await peer.accept()
        peer.send(b"", opcode=CLOSE)
        await peer.gone()

    async with serving(script) as server, opened(server.url, check_message="status?") as session:
        await end_of(session)
        with pytest.raises(DriverError) as caught:
            await asyncio.wait_for(session.check(), PATIENCE)
        assert caught.value.failure.stage is Stage.CHECK
