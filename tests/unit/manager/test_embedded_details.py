"""History, settings and wire of a connection, from another loop than the manager's."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from manager.embedded import EmbeddedClient
from manager.endpoint import parse_endpoint
from manager.errors import ManagerGoneError, UnknownConnectionError
from manager.model import Phase
from manager.wire import WireKind, WireMessage
from tests.engine.fakes import FakeServer, FakeSettings


def client_of(server: FakeServer) -> EmbeddedClient:
    settings = FakeSettings(name="one", endpoints=(parse_endpoint("ami://pbx1"),))
    return EmbeddedClient([settings], drivers={"fake": server.create})


async def up(client: EmbeddedClient) -> None:
    async with asyncio.timeout(60):
        while (await client.snapshot()).statuses[0].phase is not Phase.UP:
            await asyncio.sleep(0.01)


def say(server: FakeServer, client: EmbeddedClient, text: bytes) -> None:
    """Have the session receive a message, on the manager's loop."""
    session = server.sessions[-1]
    client._loop.call_soon_threadsafe(lambda: session.listener.wire(WireKind.TEXT, text, sent=False))


async def test_history_and_settings_cross_from_one_loop_to_another():
    with client_of(FakeServer()) as client:
        await up(client)
        history = await client.history("one")
        assert [each.phase for each in history.phases] == ["connecting", "up"]
        rows = {row.key: row.value for row in await client.settings("one")}
        assert rows["endpoints[0]"] == "pbx1:5038"


async def test_an_unknown_connection_has_none_of_them():
    with client_of(FakeServer()) as client:
        for question in (client.history("no"), client.settings("no"), anext(client.wire("no"))):
            with pytest.raises(UnknownConnectionError):
                await question


async def test_messages_cross_as_they_come_and_go_on_after_a_position():
    server = FakeServer()
    with client_of(server) as client:
        await up(client)
        reading = client.wire("one")
        async with asyncio.timeout(60):
            say(server, client, b"first")
            first = await anext(reading)
            say(server, client, b"second")
            second = await anext(reading)
            assert isinstance(first, WireMessage)
            again = await anext(client.wire("one", first.position))
        assert again == second
        assert (first.text, second.text, first.generation) == ("first", "second", 1)


async def test_a_reader_that_is_cancelled_leaves_no_reader_in_the_ring():
    server = FakeServer()
    with client_of(server) as client:
        await up(client)
        waiting = asyncio.ensure_future(anext(client.wire("one")))
        ring = await client._ask(client._wire_ring, "one")
        async with asyncio.timeout(60):
            while not ring._readers:
                await asyncio.sleep(0.01)
            waiting.cancel()
            await asyncio.wait([waiting])
            while ring._readers:
                await asyncio.sleep(0.01)


async def test_a_reader_that_waits_is_let_go_when_the_manager_stops():
    server = FakeServer()
    client = client_of(server)
    client.start()
    await up(client)
    waiting = asyncio.ensure_future(anext(client.wire("one"), None))
    await asyncio.sleep(0)
    await asyncio.to_thread(client.stop)
    async with asyncio.timeout(60):
        with contextlib.suppress(ManagerGoneError):
            assert await waiting is None
