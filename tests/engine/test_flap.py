"""A connection that comes up and drops again and again says in which rhythm, and why that may be."""

from __future__ import annotations

import asyncio

import pytest

from manager.events import Flapping, StateChanged, Steady, replay
from manager.model import FlapCause, Phase
from tests.engine.fakes import LOST, REFUSED, WRONG_SECRET, FakeServer, House, until
from tests.engine.test_pool import Site, now

SLOW = {"heartbeat_interval": 120.0, "start_rate": 0}
"""Heartbeats that come later than the idle timeout of a usual proxy."""


async def one_session(house: House, age: float, name: str = "one") -> None:
    """Wait until a connection is up and end its session from the other side at this age."""
    await house.until(Phase.UP, name)
    generation = house.status(name).generation
    await asyncio.sleep(age)
    assert house.status(name).generation == generation
    house.servers.get(name, house.server).drop_all()
    await house.until(Phase.WAITING, name)


async def test_the_third_session_that_ends_at_the_same_age_is_told_of_once_with_its_cure():
    async with House() as house:
        house.add(**SLOW)
        for _ in range(2):
            await one_session(house, 60.0)
            assert house.status().flap is None
        for _ in range(4):
            await one_session(house, 60.0)
        (event,) = house.of(Flapping)
        assert event.status.flap == house.status().flap
        assert event.status.flap.cause is FlapCause.IDLE_TIMEOUT
        assert "heartbeat_interval = 40 or less" in event.status.flap.hint
        assert event.status.drops == 3


async def test_it_is_told_when_the_connection_is_seen_to_wait():
    async with House() as house:
        house.add(**SLOW)
        for _ in range(3):
            await one_session(house, 60.0)
        (event,) = house.of(Flapping)
        *_, last = (each for each in house.of(StateChanged) if each.seq < event.seq)
        assert (last.phase, event.phase) == (Phase.WAITING, Phase.WAITING)


async def test_answered_heartbeats_make_it_a_matter_of_age_that_no_interval_cures():
    async with House() as house:
        house.add()
        for _ in range(3):
            await one_session(house, 60.0)
        (event,) = house.of(Flapping)
        assert event.status.flap.cause is FlapCause.SESSION_AGE


async def test_messages_of_the_peer_count_as_traffic():
    async with House() as house:
        house.add(**SLOW)
        for last in (5.0, 31.0, 17.0):
            await house.until(Phase.UP)
            await asyncio.sleep(last)
            house.server.sessions[-1].listener.received("news")
            await asyncio.sleep(60.0)
            house.server.drop_all()
            await house.until(Phase.WAITING)
        flap = house.status().flap
        assert (flap.cause, flap.after) == (FlapCause.IDLE_TIMEOUT, pytest.approx(60.0))


async def test_answered_refreshes_count_as_traffic():
    async with House() as house:
        house.add(**SLOW)
        for _ in range(3):
            await house.until(Phase.UP)
            for _ in range(6):
                await asyncio.sleep(10.0)
                house.server.sessions[-1].listener.refreshed(None)
            house.server.drop_all()
            await house.until(Phase.WAITING)
        assert house.status().flap.cause is FlapCause.SESSION_AGE


async def test_a_server_that_hangs_after_each_login_is_told_from_one_that_drops():
    async with House() as house:
        house.server.heartbeat = FakeServer.HANG
        house.add()
        await until(lambda: house.status().flap is not None)
        assert house.status().drops == 3
        assert house.status().flap.cause is FlapCause.NO_HEARTBEAT


async def test_a_server_that_accepts_and_drops_is_flapping_by_the_number_of_losses():
    async with House() as house:
        house.add()
        async with asyncio.timeout(5000):
            while house.status().phase is not Phase.PARKED:
                await asyncio.sleep(0.05)
                house.server.drop_all()
        (event,) = house.of(Flapping)
        assert event.status.flap.cause is FlapCause.IRREGULAR
        assert event.status.drops == 5


async def test_a_session_that_clearly_outlives_the_rhythm_ends_it_and_that_is_told():
    async with House() as house:
        house.add(heartbeat_interval=25.0)
        for _ in range(3):
            await one_session(house, 20.0)
        flap = house.status().flap
        assert flap is not None
        await house.until(Phase.UP)
        await asyncio.sleep(49.0)
        assert house.status().flap == flap
        await asyncio.sleep(30.0)
        assert house.status().flap is None
        (event,) = house.of(Steady)
        assert event.outlived == flap
        for _ in range(3):
            house.server.drop_all()
            await house.until(Phase.WAITING)
            await house.until(Phase.UP)
            await asyncio.sleep(20.0)
        house.server.drop_all()
        await house.until(Phase.WAITING)
        assert len(house.of(Flapping)) == 2


async def test_replaying_the_events_gives_the_snapshot_before_while_and_after_it_flaps():
    async with House() as house:
        house.add()
        for _ in range(3):
            await one_session(house, 20.0)
            assert replay(house.events) == house.manager.get_connection_status()
        await until(lambda: bool(house.of(Steady)))
        assert replay(house.events) == house.manager.get_connection_status()


async def test_it_can_be_switched_off():
    async with House() as house:
        house.add(flap_watch=False, **SLOW)
        for _ in range(6):
            await one_session(house, 60.0)
        assert not house.of(Flapping)


async def test_an_irregular_outage_is_no_flapping():
    async with House() as house:
        house.add(peek=False)
        for age, away in ((400.0, 3.0), (37.0, 90.0), (66.0, 20.0), (300.0, 45.0)):
            await one_session(house, age)
            house.server.open = REFUSED
            await asyncio.sleep(away)
            house.server.open = None
        await house.until(Phase.UP)
        assert not house.of(Flapping)


async def test_a_server_that_never_takes_us_does_not_flap():
    async with House() as house:
        house.server.open = REFUSED
        house.add()
        await house.until(Phase.PARKED)
        assert not house.of(Flapping)


async def test_an_operator_who_reconnects_at_regular_times_does_not_make_it_flap():
    async with House() as house:
        house.add(start_rate=0)
        await house.until(Phase.UP)
        for _ in range(8):
            await asyncio.sleep(60.0)
            (result,) = await house.manager.force_reconnection("one")
            assert result.ok
        assert not house.of(Flapping)


async def test_a_refusal_that_ends_each_session_is_a_matter_of_the_credentials():
    async with House() as house:
        house.add(**SLOW)
        await house.until(Phase.UP)
        for _ in range(4):
            await asyncio.sleep(60.0)
            house.server.drop_all(WRONG_SECRET)
            await until(lambda: not house.status().phase.connected)
            (result,) = await house.manager.force_reconnection("one")
            assert result.ok
        assert not house.of(Flapping)


async def test_pauses_at_regular_times_are_no_losses_and_a_pause_forgets_the_rhythm():
    async with House() as house:
        house.add(**SLOW)
        for _ in range(4):
            await house.until(Phase.UP)
            await asyncio.sleep(60.0)
            await house.manager.pause("one")
            house.manager.resume("one")
        assert not house.of(Flapping)
        for _ in range(3):
            await one_session(house, 60.0)
        assert house.status().flap is not None
        await house.manager.pause("one")
        assert house.status().flap is None
        house.manager.resume("one")
        for _ in range(2):
            await one_session(house, 60.0)
        assert len(house.of(Flapping)) == 1


async def test_the_way_back_to_the_first_endpoint_is_no_loss_and_neither_is_the_move_away():
    async with Site() as site:
        for age in (35.0, 71.0, 131.0):
            await site.up_on("a")
            await asyncio.sleep(age)
            site.refuse("a")
            await site.up_on("b")
            site.mend("a")
        await site.up_on("a")
        assert site.status.generation == 7
        assert now() < 600
        assert not site.house.of(Flapping)


async def test_the_rhythm_of_a_path_is_the_same_on_every_endpoint():
    async with Site(policy=SLOW, strategy="round-robin") as site:
        hosts = []
        for _ in range(3):
            await until(lambda: site.status.phase is Phase.UP)
            hosts.append(site.host)
            await asyncio.sleep(60.0)
            drops = site.status.drops
            site.servers[site.host].drop_all(LOST)
            await until(lambda drops=drops: site.status.drops > drops)
        assert len(set(hosts)) > 1
        await until(lambda: site.status.flap is not None, within=1)
        assert site.status.flap.cause is FlapCause.IDLE_TIMEOUT


async def test_each_connection_has_a_rhythm_of_its_own():
    async with House() as house:
        for name in ("one", "two"):
            house.servers[name] = FakeServer()
            house.add(name, **SLOW)
        for _ in range(3):
            await one_session(house, 60.0)
        assert {event.connection for event in house.of(Flapping)} == {"one"}
