from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

import pytest
from websockets.asyncio.server import ServerConnection, serve

from manager.drivers.base import DriverError
from manager.drivers.websocket import WebSocketSession
from manager.errors import NotConnectedError
from manager.model import FailureClass, Stage
from tests.unit.websocket.peer import (
    BINARY,
    CANARY,
    CLOSE,
    CONTINUATION,
    PATIENCE,
    PING,
    PONG,
    TEXT,
    Peer,
    Recorder,
    canary,
    frame,
    opened,
    serving,
)


@contextlib.asynccontextmanager
async def library_server(handler):
    async with serve(handler, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def end_of(session: WebSocketSession):
    return await asyncio.wait_for(session.ended(), PATIENCE)


def sending(*frames: bytes):
    """Accept, send these bytes, and stay until the client leaves."""

    async def script(peer: Peer) -> None:
        await peer.accept()
        for part in frames:
            peer.writer.write(part)
        await peer.gone()

    return script


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


# --- the end ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (1000, "normal closure"),
        (1001, "the server goes away"),
        (1002, "protocol error"),
        (1003, "does not take this type of message"),
        (1007, "not UTF-8"),
        (1008, "policy violation"),
        (1009, "too big"),
        (1010, "extension"),
        (1011, "internal error"),
        (1012, "restarts"),
        (1013, "overloaded"),
        (1014, "bad gateway"),
        (3000, "a registered code"),
        (4001, "a code of its own"),
    ],
)
async def test_every_close_code_is_named(code, words):
    async def script(peer: Peer) -> None:
        await peer.accept()
        peer.send(struct.pack("!H", code) + b"so \x1b[31mlong\n", opcode=CLOSE)
        opcode, payload = await peer.read_frame()
        assert (opcode, payload[:2]) == (CLOSE, struct.pack("!H", code))

    listener = Recorder()
    async with serving(script) as server, opened(server.url, listener) as session:
        failure = await end_of(session)
        assert failure.reason.startswith("closed by the server: ")
        assert words in failure.reason
        assert f"({code})" in failure.reason
        assert "long" in failure.reason
        assert failure.reason.isprintable()
        assert failure.stage is Stage.SESSION
        assert failure.kind is (FailureClass.OVERLOAD if code == 1013 else FailureClass.TRANSIENT)
        assert session.facts["close_code"] == code
        assert listener.changes == 1


async def test_a_close_without_a_code_is_1005():
    async with serving(sending(frame(b"", CLOSE))) as server, opened(server.url) as session:
        assert (await end_of(session)).reason == "closed without a code (1005)"
        assert session.facts["close_code"] == 1005


async def test_a_connection_that_just_ends_is_1006():
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.writer.drain()
        peer.writer.close()

    async with serving(script) as server, opened(server.url) as session:
        assert (await end_of(session)).reason == "connection lost without a close frame (1006)"
        assert session.facts["close_code"] == 1006


async def test_a_connection_that_is_reset_says_so():
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.writer.drain()
        assert await peer.read_frame() == (TEXT, b"up")
        stream = peer.writer.get_extra_info("socket")
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async with serving(script) as server, opened(server.url) as session:
        await session.send("up")
        failure = await end_of(session)
        assert failure.reason == "connection reset"
        assert session.facts["close_code"] == 1006


async def test_a_server_that_holds_on_after_its_close_frame_does_not_look_alive():
    held = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.accept()
        peer.send(struct.pack("!H", 1001), opcode=CLOSE)
        await peer.gone()
        held.set()

    async with serving(script) as server, opened(server.url) as session:
        assert "goes away" in (await end_of(session)).reason
        await asyncio.wait_for(held.wait(), PATIENCE)


@pytest.mark.parametrize(
    ("stream", "words", "code"),
    [
        (b"\xff" * 100, "broke the WebSocket protocol", 1002),
        (frame(b"x", CONTINUATION), "broke the WebSocket protocol", 1002),
        (frame(b"x" * 126, PING), "broke the WebSocket protocol", 1002),
        (frame(struct.pack("!H", 1006), CLOSE), "broke the WebSocket protocol", 1002),
        (frame(b"\xff\xfe", TEXT), "not UTF-8", 1007),
        (frame(b"x" * 1001, TEXT), "larger than 1000 bytes", 1009),
        (
            frame(b"x" * 600, TEXT, fin=False) + frame(b"x" * 600, CONTINUATION),
            "larger than 1000 bytes",
            1009,
        ),
        (b"\x82\x7f" + b"\x7f" * 8, "larger than 1000 bytes", 1009),
    ],
    ids=["garbage", "stray", "big-ping", "bad-code", "not-utf8", "big", "big-in-pieces", "huge"],
)
async def test_what_breaks_the_rules_ends_the_session_with_why(stream, words, code):
    async with serving(sending(stream)) as server, opened(server.url, max_message_size=1000) as session:
        failure = await end_of(session)
        assert words in failure.reason
        assert f"({code})" in failure.reason
        assert failure.kind is FailureClass.TRANSIENT
        assert session.facts["close_code"] == code


async def test_a_message_of_exactly_the_bound_is_taken():
    listener = Recorder()
    script = sending(frame(b"x" * 1000))
    async with serving(script) as server, opened(server.url, listener, max_message_size=1000):
        assert await listener.heard(1) == ["x" * 1000]


async def test_many_may_wait_for_the_end_and_one_that_stops_waiting_disturbs_none():
    release = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.accept()
        await release.wait()

    async with serving(script) as server, opened(server.url) as session:
        waiting = [asyncio.create_task(session.ended()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        release.set()
        with pytest.raises(asyncio.CancelledError):
            await waiting[0]
        failures = await asyncio.wait_for(asyncio.gather(*waiting[1:]), PATIENCE)
        assert failures[0] == failures[1] == await end_of(session)


async def test_sending_into_a_session_that_is_over_says_so():
    async with serving(sending(frame(b"", CLOSE))) as server, opened(server.url) as session:
        await end_of(session)
        with pytest.raises(NotConnectedError, match="backend is closed"):
            await session.send("too late")
        assert session.facts["messages_out"] == 0


# --- closing ------------------------------------------------------------------------------------------------


async def test_a_graceful_close_says_goodbye():
    said: list[tuple[int, bytes]] = []

    async def script(peer: Peer) -> None:
        await peer.accept()
        said.append(await peer.read_frame())
        peer.send(said[0][1], opcode=CLOSE)

    async with serving(script) as server, opened(server.url) as session:
        await session.close(graceful=True)
        assert (await end_of(session)).reason == "closed here (1000)"
        await session.close(graceful=True)
    assert said == [(CLOSE, struct.pack("!H", 1000))]


async def test_a_close_at_once_says_nothing():
    said: list[bytes] = []

    async def script(peer: Peer) -> None:
        await peer.accept()
        said.append(await peer.reader.read())

    async with serving(script) as server, opened(server.url) as session:
        await session.close(graceful=False)
        assert await end_of(session)
    assert said in ([b""], [])


async def test_a_server_that_never_answers_the_goodbye_does_not_hold_it_up():
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.gone()

    async with serving(script) as server, opened(server.url) as session:
        await asyncio.wait_for(session.close(graceful=True), PATIENCE)


async def test_a_server_that_reads_nothing_blocks_neither_heartbeat_nor_close():
    async def script(peer: Peer) -> None:
        await peer.accept()
        peer.reader._transport.pause_reading()
        await released.wait()

    released = asyncio.Event()
    async with serving(script) as server, opened(server.url) as session:
        stuck = asyncio.create_task(session.send("x" * 16_000_000))
        waiting = asyncio.create_task(session.send("behind it"))
        done, _ = await asyncio.wait([stuck, waiting], timeout=0.2)
        assert not done
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await session.heartbeat()
        await asyncio.wait_for(session.close(graceful=True), PATIENCE)
        for task in (stuck, waiting):
            with pytest.raises(NotConnectedError):
                await asyncio.wait_for(task, PATIENCE)
        released.set()


async def test_a_cancelled_close_leaves_nothing_behind():
    said = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.read_frame()
        said.set()
        await peer.gone()

    async with serving(script) as server, opened(server.url) as session:
        closing = asyncio.create_task(session.close(graceful=True))
        await asyncio.wait_for(said.wait(), PATIENCE)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert asyncio.all_tasks() - {asyncio.current_task()} == {
            task for task in asyncio.all_tasks() if "serve" in repr(task.get_coro())
        }


# --- ARI ----------------------------------------------------------------------------------------------------

REPLACED = b'{"type":"ApplicationReplaced","timestamp":"2026-11-23T18:27:53.000+0000","application":"lab"}'


async def test_an_ari_application_that_another_client_took_over_ends_the_session_for_good():
    listener = Recorder()
    async with serving(sending(frame(REPLACED))) as server:
        url = f"ws://127.0.0.1:{server.port}/ari/events?app=lab"
        async with opened(url, listener) as session:
            failure = await end_of(session)
            assert failure.kind is FailureClass.PERMANENT
            assert "another client took over the ARI application lab" in failure.reason
            assert failure.hint
            assert listener.reports == [("applicationReplaced", failure.reason, {"application": "lab"})]
            assert listener.messages == [REPLACED.decode()]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/other", REPLACED),
        ("/ari/events", b'{"type":"ChannelVarset","value":"ApplicationReplaced"}'),
        ("/ari/events", b'{"type":"ApplicationReplaced"'),
        ("/ari/events", b'["ApplicationReplaced"]'),
    ],
)
async def test_nothing_else_counts_as_a_takeover(path, message):
    listener = Recorder()
    async with (
        serving(sending(frame(message))) as server,
        opened(f"ws://127.0.0.1:{server.port}{path}", listener) as session,
    ):
        await listener.heard(1)
        ended = asyncio.create_task(session.ended())
        await asyncio.sleep(0)
        assert not ended.done()
        assert listener.reports == []
        ended.cancel()


# --- secrets ------------------------------------------------------------------------------------------------


async def test_a_server_that_repeats_a_secret_is_quoted_without_it():
    async def script(peer: Peer) -> None:
        await peer.accept(f"Server: {CANARY}")
        peer.send(struct.pack("!H", 4401) + f"bad token {CANARY}".encode(), opcode=CLOSE)
        await peer.gone()

    more = {"headers": {"Authorization": canary()}}
    async with serving(script) as server, opened(server.url, **more) as session:
        failure = await end_of(session)
        assert "bad token ***" in failure.reason
        assert CANARY not in repr(failure) + repr(session.facts)
