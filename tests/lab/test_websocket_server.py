"""The lab's WebSocket server, frame by frame, against what Asterisk 22 said in its handshakes."""

from __future__ import annotations

import asyncio
import json
import re
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manager.lab.faults import Fault
from manager.lab.websocket import WebSocketServer
from manager.secret import Secret
from tests.lab.capture import RawClient, capture, connected

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
OPENING = (
    b"GET /events HTTP/1.1\r\nHost: lab\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: bGFiLWxhYi1sYWItbGFiLQ==\r\nSec-WebSocket-Version: 13\r\n"
)


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """Write a masked frame (RFC 6455 §5.2), as clients do."""
    mask = b"lab!"
    masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    return bytes([opcode | (0x80 if fin else 0), 0x80 | len(payload)]) + mask + masked


async def next_frame(client: RawClient) -> tuple[int, bytes]:
    head, length = await client.exactly(2)
    assert not length & 0x80, "a server does not mask"
    if length == 126:
        length = struct.unpack(">H", await client.exactly(2))[0]
    return head & 0x0F, await client.exactly(length)


async def opened(client: RawClient) -> None:
    client.send(OPENING + b"\r\n")
    assert (await client.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")


def shape(response: bytes) -> list[str]:
    """Lines in lower-case names, with what changes by the minute reduced."""
    lines = [re.sub(r"^Date: .*", "Date: now", line) for line in response.decode().split("\r\n")]
    return [line for line in lines if line]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ws-ari-handshake.txt", {"subprotocols": ["ari"], "query": {"api_key": Secret("monitor:secret")}}),
        ("ws-ari-wrong-key.txt", {"subprotocols": ["ari"], "query": {"api_key": Secret("monitor:secret")}}),
        ("ws-sip-handshake.txt", {"subprotocols": ["sip"]}),
        ("ws-bad-subprotocol.txt", {"subprotocols": ["sip"]}),
        ("ws-no-subprotocol.txt", {"subprotocols": ["sip"]}),
    ],
)
async def test_it_shakes_hands_as_asterisk_does(name: str, options: dict[str, object]) -> None:
    (_, sent), (_, received) = capture(name)
    async with WebSocketServer(**options) as server, connected(server.port) as client:  # type: ignore[arg-type]
        client.send(sent)
        said = await client.until(b"\r\n\r\n")
        if b"HTTP/1.1 101" not in said:
            said += await client.rest()
    assert shape(said) == shape(received.strip())


async def test_a_secret_may_stand_in_a_header() -> None:
    async with WebSocketServer(headers={"Authorization": Secret("Bearer abc")}) as server:
        async with connected(server.port) as client:
            client.send(OPENING + b"Authorization: Bearer abc\r\n\r\n")
            assert b" 101 " in await client.until(b"\r\n")
        for wrong in (b"", b"Authorization: Bearer xyz\r\n"):
            async with connected(server.port) as client:
                client.send(OPENING + wrong + b"\r\n")
                assert b" 401 " in await client.until(b"\r\n")
        assert (server.logins, server.refused, server.connects) == (1, 2, 3)
        assert len(server.connected_at) == 3
        assert len(server.logged_in_at) == 1


async def test_it_echoes_messages_and_answers_pings() -> None:
    async with WebSocketServer() as server, connected(server.port) as client:
        await opened(client)
        for given, answer in ((TEXT, TEXT), (PING, PONG), (BINARY, BINARY)):
            client.send(frame(given, b"hello"))
            assert await next_frame(client) == (answer, b"hello")
        assert server.received == 2


async def test_it_echoes_a_message_in_parts_as_one() -> None:
    async with WebSocketServer() as server, connected(server.port) as client:
        await opened(client)
        client.send(frame(TEXT, b"hel", fin=False))
        client.send(frame(CONTINUATION, b"lo"))
        assert await next_frame(client) == (TEXT, b"hello")


async def test_it_sends_events_like_asterisks() -> None:
    events = json.loads(b"[" + capture("ws-ari-events.jsonl.txt")[0][1].strip().replace(b"\n", b",") + b"]")
    real = next(event for event in events if event["type"] == "ChannelStateChange")
    async with WebSocketServer() as server, connected(server.port) as client:
        await opened(client)
        await server.emit_at(rate=1000, count=3)
        sent = [json.loads((await next_frame(client))[1]) for _ in range(3)]
    for event in sent:
        assert set(real) - {"channel"} == set(event) - {"device_state"}
        assert re.sub(r"\d", "0", event["timestamp"]) == re.sub(r"\d", "0", real["timestamp"])


async def test_it_closes_with_a_code() -> None:
    async with WebSocketServer() as server, connected(server.port) as client:
        await opened(client)
        assert server.close_sessions(1012, "restart") == 1
        assert await next_frame(client) == (CLOSE, struct.pack(">H", 1012) + b"restart")
        assert server.emit({"type": "TooLate"}) == 0
        client.send(frame(CLOSE, struct.pack(">H", 1012)))
        assert await client.rest() == b""


async def test_it_answers_a_close() -> None:
    async with WebSocketServer() as server, connected(server.port) as client:
        await opened(client)
        client.send(frame(CLOSE, struct.pack(">H", 1000)))
        assert await next_frame(client) == (CLOSE, struct.pack(">H", 1000))
        assert await client.rest() == b""


async def test_a_stop_sends_no_close_frame() -> None:
    server = WebSocketServer()
    await server.start()
    async with connected(server.port) as client:
        await opened(client)
        await server.stop()
        assert await client.rest() == b""


async def test_an_overloaded_one_asks_for_patience() -> None:
    async with WebSocketServer(retry_after=7) as server, connected(server.port) as client:
        server.fault = Fault.OVERLOAD
        client.send(OPENING + b"\r\n")
        said = await client.rest()
    assert said.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"Retry-After: 7\r\n" in said


@settings(max_examples=30, deadline=None)
@given(noise=st.binary(max_size=300), after_handshake=st.booleans())
async def test_no_bytes_break_it(noise: bytes, *, after_handshake: bool) -> None:
    async with WebSocketServer() as server:
        async with connected(server.port) as client:
            if after_handshake:
                await opened(client)
            client.send(noise)
        async with connected(server.port) as client:
            await opened(client)


async def test_a_client_that_does_not_read_is_cut_off() -> None:
    async with WebSocketServer() as server, connected(server.port) as client:
        await opened(client)
        async with asyncio.timeout(60):
            while server.emit({"text": "x" * 60_000}):
                await asyncio.sleep(0)
