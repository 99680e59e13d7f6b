"""A WebSocket that stands by: it subscribes when it is promoted, and logs in at once."""

from __future__ import annotations

import asyncio

import pytest

from manager.drivers.base import DriverError, Promotable, StandbyDriver
from manager.drivers.websocket import WebSocketSession, create
from manager.model import Stage
from tests.unit.websocket.peer import (
    CANARY,
    PATIENCE,
    TEXT,
    Peer,
    Recorder,
    canary,
    end_of,
    serving,
    settings,
)

SUBSCRIBE = '{"subscribe": "calls"}'


async def standing_by(url: str, **more: object) -> WebSocketSession:
    ours = settings(url, **more)
    driver = create(ours, {})
    assert isinstance(driver, StandbyDriver)
    async with asyncio.timeout(PATIENCE):
        session = await driver.open_standby(ours.endpoints[0], Recorder())
    assert isinstance(session, WebSocketSession)
    assert isinstance(session, Promotable)
    return session


async def test_it_subscribes_when_it_is_promoted_and_not_before():
    received = []

    async def script(peer: Peer) -> None:
        await peer.accept()
        received.append(await peer.read_frame())
        await peer.gone()

    async with serving(script) as server:
        session = await standing_by(server.url, on_connect=(SUBSCRIBE,))
        assert session.facts["messages_out"] == 0
        assert not await session.promote(), "nobody has answered"
        assert session.facts["messages_out"] == 1
        await session.close(graceful=False)
    assert received == [(TEXT, SUBSCRIBE.encode())]


async def test_it_logs_in_at_once_where_its_first_messages_do_that():
    received = []

    async def script(peer: Peer) -> None:
        await peer.accept()
        received.append(await peer.read_frame())
        received.append(await peer.read_frame())
        await peer.gone()

    async with serving(script) as server:
        session = await standing_by(server.url, on_connect=(canary(), SUBSCRIBE))
        assert session.facts["messages_out"] == 2
        await session.promote()
        assert session.facts["messages_out"] == 2
        await session.close(graceful=False)
    assert received == [(TEXT, CANARY.encode()), (TEXT, SUBSCRIBE.encode())]


async def test_a_promotion_of_what_is_over_says_so():
    async def script(peer: Peer) -> None:
        await peer.accept()
        peer.writer.close()

    async with serving(script) as server:
        session = await standing_by(server.url, on_connect=(SUBSCRIBE,))
        await end_of(session)
        with pytest.raises(DriverError) as raised:
            await session.promote()
        await session.close(graceful=False)
    assert raised.value.failure.stage is Stage.TAKEOVER
