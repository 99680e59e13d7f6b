"""A login that stands by: few events until it is promoted, with one action."""

from __future__ import annotations

import asyncio

import pytest

from manager.drivers.ami import AmiSession, create
from manager.drivers.base import DriverError, Promotable, StandbyDriver
from manager.model import Stage
from tests.unit.ami.peer import Peer, Recorder, Server, hold, serving, settings


async def standing_by(server: Server, listener: Recorder | None = None) -> AmiSession:
    chosen = settings(server)
    driver = create(chosen, {})
    assert isinstance(driver, StandbyDriver)
    async with asyncio.timeout(60):
        session = await driver.open_standby(chosen.endpoints[0], listener or Recorder())
    assert isinstance(session, AmiSession)
    assert isinstance(session, Promotable)
    return session


async def test_it_asks_for_no_events_of_calls_and_for_all_when_it_is_promoted():
    asked: list[dict[str, str]] = []

    async def script(peer: Peer) -> None:
        asked.append(await peer.log_in())
        asked.append(await peer.answer("Events", "Success", "Events: On"))
        await hold(peer)

    async with serving(script) as server:
        session = await standing_by(server)
        assert await session.promote()
        await session.close(graceful=False)
    assert asked[0]["Events"] == "system"
    assert asked[1]["EventMask"] == "on"


async def test_a_promotion_that_is_refused_says_so():
    async def script(peer: Peer) -> None:
        await peer.log_in()
        await peer.answer("Events", "Error", "Message: Invalid event mask")
        await hold(peer)

    async with serving(script) as server:
        session = await standing_by(server)
        with pytest.raises(DriverError) as raised:
            await session.promote()
        await session.close(graceful=False)
    assert raised.value.failure.stage is Stage.TAKEOVER
    assert "Invalid event mask" in raised.value.failure.reason


async def test_a_promotion_of_what_is_over_says_so():
    async def script(peer: Peer) -> None:
        await peer.log_in()
        await peer.action("Events")
        await peer.close()

    async with serving(script) as server:
        session = await standing_by(server)
        with pytest.raises(DriverError, match="closed"):
            await session.promote()
        await session.close(graceful=False)
