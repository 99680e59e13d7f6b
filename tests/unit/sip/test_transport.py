"""The wires below a registration."""

from __future__ import annotations

import asyncio
import socket
import struct

from manager.drivers.sip import transport
from manager.drivers.sip.lookup import Target
from manager.drivers.sip.transport import UdpWire, connected_socket, open_wire
from manager.model import Failure, Stage


class Receiver:
    def __init__(self) -> None:
        self.failure: asyncio.Future[Failure] = asyncio.get_running_loop().create_future()

    def received(self, raw: bytes) -> None: ...

    def lost(self, failure: Failure) -> None:
        self.failure.set_result(failure)


async def test_a_connection_that_is_reset_as_soon_as_it_is_made_is_lost_like_any_other(monkeypatch):
    async def until_reset(target: Target, local_port: int | None) -> socket.socket:
        connected = await connected_socket(target, local_port)
        accepted, _ = server.accept()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        accepted.close()
        return connected

    monkeypatch.setattr(transport, "connected_socket", until_reset)
    reached: list[Stage] = []
    receiver = Receiver()
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
        target = Target("tcp", socket.AF_INET, host, port, (host, port))
        wire = await open_wire(target, receiver, local_port=None, tls=None, reached=reached.append)
        assert (await receiver.failure).reason == "connection reset"
    await wire.close()


async def test_a_datagram_that_finds_no_room_is_lost_on_its_way_and_one_that_is_refused_ends_the_wire():
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    near.setblocking(False)
    receiver = Receiver()
    wire = UdpWire(near, receiver)
    for _ in range(2000):
        wire.send(bytes(1000))
    assert not receiver.failure.done()
    far.close()
    wire.send(b"anyone?")
    assert (await receiver.failure).stage is Stage.SESSION
    await wire.close()
    await wire.close()
