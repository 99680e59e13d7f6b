from __future__ import annotations

import asyncio

import pytest

from manager.settings import Tls
from tests.unit.websocket.peer import (
    PATIENCE,
    Peer,
    Recorder,
    accept,
    open_session,
    serving,
)

# --- hanging and cancelling ---------------------------------------------------------------------------------


@pytest.mark.parametrize("part", [b"", b"HTTP/1.1 101 Switching Protocols\r\n"])
async def test_a_cancelled_opening_of_a_hung_server_closes_the_connection(part):
    asked = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.writer.write(part)
        asked.set()
        await peer.gone()

    async with serving(script) as server:
        opening = asyncio.create_task(open_session(server.url))
        await asyncio.wait_for(asked.wait(), PATIENCE)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening


async def test_a_server_that_reads_no_first_message_leaves_the_opening_to_its_deadline():
    released = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.accept()
        peer.reader._transport.pause_reading()
        await released.wait()

    async with serving(script) as server:
        big = "x" * 16_000_000
        opening = asyncio.create_task(open_session(server.url, on_connect=(big,)))
        done, _ = await asyncio.wait([opening], timeout=0.2)
        assert not done
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        released.set()


async def test_an_opening_can_be_cancelled_at_every_step(pki):
    contexts = pki.server_context()
    finished = False
    async with serving(accept, ssl=contexts) as server:
        url = f"wss://127.0.0.1:{server.port}/events"
        for steps in range(500):
            listener = Recorder()
            more = {"tls": Tls(ca_file=pki.cert), "on_connect": ("hello",)}
            opening = asyncio.create_task(open_session(url, listener, **more))
            for _ in range(steps):
                await asyncio.sleep(0)
            opening.cancel()
            try:
                session = await opening
            except asyncio.CancelledError:
                continue
            await session.close(graceful=False)
            finished = True
            break
    assert finished
