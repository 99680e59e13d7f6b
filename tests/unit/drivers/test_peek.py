"""A look of each driver: it sees whether somebody is there, and logs in nowhere."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest

from manager.drivers import ami, sip, websocket
from manager.drivers.base import Driver
from manager.endpoint import Endpoint, parse_endpoint
from manager.secret import Secret, SecretSource
from manager.settings import AmiSettings, SipSettings, WebSocketSettings

CANARY = SecretSource(plain=Secret("canary-7f3e9"))
STREAMS = {
    "ami": "ami://127.0.0.1:{}",
    "amis": "amis://127.0.0.1:{}",
    "ws": "ws://127.0.0.1:{}/events?api_key=canary-7f3e9",
    "wss": "wss://127.0.0.1:{}",
    "sip/tcp": "sip:127.0.0.1:{};transport=tcp",
    "sip/tls": "sips:127.0.0.1:{}",
    "sip/ws": "sip:127.0.0.1:{};transport=ws",
}
UDP = "sip:127.0.0.1:{}"


def driver(address: str, **extra) -> tuple[Driver, Endpoint]:
    endpoint = parse_endpoint(address)
    common = {"name": "one", "endpoints": (endpoint,), **extra}
    if endpoint.scheme in ("sip", "sips"):
        return sip.create(
            SipSettings(**common, aor="sip:6001@pbx.example", username="6001", password=CANARY), {}
        ), endpoint
    if endpoint.scheme in ("ami", "amis"):
        return ami.create(AmiSettings(**common, username="canary-7f3e9", password=CANARY), {}), endpoint
    headers = {"Authorization": CANARY}
    return websocket.create(WebSocketSettings(**common, headers=headers), {}), endpoint


@pytest.mark.parametrize("address", STREAMS.values(), ids=STREAMS)
async def test_a_look_connects_and_closes_without_a_byte(address):
    heard: list[bytes] = []
    closed = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            heard.append(await reader.read())
        except ConnectionResetError:
            heard.append(b"")
        writer.close()
        closed.set()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    one, endpoint = driver(address.format(server.sockets[0].getsockname()[1]))
    await one.peek(endpoint)
    async with asyncio.timeout(60):
        await closed.wait()
    server.close()
    await server.wait_closed()
    assert heard == [b""]


@pytest.mark.parametrize("address", [*STREAMS.values(), UDP], ids=[*STREAMS, "sip/udp"])
async def test_a_port_that_nobody_listens_on_is_no_sign_of_life(address):
    kind = socket.SOCK_DGRAM if address == UDP else socket.SOCK_STREAM
    with socket.socket(type=kind) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        if kind is socket.SOCK_DGRAM:
            taken.close()
        one, endpoint = driver(address.format(port))
        with pytest.raises(ConnectionRefusedError):
            await one.peek(endpoint)


class Registrar(asyncio.DatagramProtocol):
    def __init__(self, answer: Callable[[bytes], list[bytes]]) -> None:
        self.answer = answer
        self.heard: list[bytes] = []

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        self.heard.append(data)
        for each in self.answer(data):
            self.transport.sendto(each, address)


async def look_over_udp(answer: Callable[[bytes], list[bytes]], within: float = 60.0) -> bytes:
    loop = asyncio.get_running_loop()
    transport, registrar = await loop.create_datagram_endpoint(
        lambda: Registrar(answer), local_addr=("127.0.0.1", 0)
    )
    one, endpoint = driver(UDP.format(transport.get_extra_info("sockname")[1]))
    try:
        async with asyncio.timeout(within):
            await one.peek(endpoint)
    finally:
        transport.close()
    return registrar.heard[0]


@pytest.mark.parametrize("status", [b"200 OK", b"401 Unauthorized", b"404 Not Found", b"503 Busy"])
async def test_over_udp_any_answer_to_an_options_is_a_sign_of_life(status):
    asked = await look_over_udp(lambda _: [b"SIP/2.0 " + status + b"\r\n\r\n"])
    assert asked.startswith(b"OPTIONS sip:127.0.0.1:")
    assert b"canary" not in asked
    # From somebody it knows: a request from a stranger is an attack to Asterisk's log and to fail2ban.
    assert b"From: <sip:6001@pbx.example>;tag=" in asked


async def test_over_udp_noise_and_requests_are_no_answer():
    noise = [b"\0\0", b"\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"OPTIONS sip:x SIP/2.0\r\n\r\n"]
    with pytest.raises(TimeoutError):
        await look_over_udp(lambda _: noise, within=0.3)


async def test_a_websocket_behind_a_proxy_is_not_looked_at():
    one, endpoint = driver("ws://127.0.0.1:9", proxy="http://127.0.0.1:9")
    with pytest.raises(OSError, match="proxy"):
        await one.peek(endpoint)
