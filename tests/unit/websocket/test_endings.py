from __future__ import annotations

import asyncio
import socket
import struct

import pytest

from manager.errors import NotConnectedError
from manager.model import FailureClass, Stage
from tests.unit.websocket.peer import (
    CANARY,
    CLOSE,
    CONTINUATION,
    PATIENCE,
    PING,
    TEXT,
    Peer,
    Recorder,
    canary,
    end_of,
    frame,
    opened,
    sending,
    serving,
)

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
        (3000, "unauthorized"),
        (3003, "forbidden"),
        (3008, "timeout"),
        (3010, "a registered code"),
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
        classes = {
            1013: FailureClass.OVERLOAD,
            3000: FailureClass.CREDENTIALS,
            3003: FailureClass.CREDENTIALS,
        }
        assert failure.kind is classes.get(code, FailureClass.TRANSIENT)
        assert failure.hint or code not in (1008, 1011, 3000, 3003)
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
        ("/ari/events", b'{"type":"ApplicationReplaced","a":' + b"[" * 2000 + b"]" * 2000 + b"}"),
    ],
    ids=["another path", "another event", "cut", "an array", "nested without end"],
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
