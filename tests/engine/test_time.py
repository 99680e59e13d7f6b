"""Clocks that are set and machines that sleep: waits do not notice, everything else is looked at anew."""

from __future__ import annotations

import asyncio

import pytest

from manager.engine.timekeeper import INTERVAL, LEAST
from manager.events import ClockJumped, ProbeAnswered, Reconnected, Recovered, replay
from manager.model import FailureClass, Phase
from tests.engine.fakes import REFUSED, WRONG_SECRET, FakeServer, House, failure, until

HOUR = 3600.0


def now() -> float:
    return asyncio.get_running_loop().time()


async def noticed(house: House) -> ClockJumped:
    await until(lambda: house.of(ClockJumped))
    return house.of(ClockJumped)[0]


async def test_after_a_suspend_everything_that_is_up_is_asked_for_a_sign_of_life_at_once():
    async with House() as house:
        for number in range(3):
            house.add(f"c{number}", heartbeat_interval=1000.0)
        await until(lambda: len(house.server.open_sessions) == 3)
        assert not house.of(ProbeAnswered)
        house.clock.suspended += HOUR
        jump = await noticed(house)
        await asyncio.sleep(1)
        assert (round(jump.suspended), jump.stepped) == (HOUR, 0.0)
        assert {event.connection for event in house.of(ProbeAnswered)} == {"c0", "c1", "c2"}


async def test_sessions_that_died_in_the_sleep_are_given_up_within_the_short_deadlines():
    async with House() as house:
        house.add()
        await house.until(Phase.UP)
        house.server.heartbeat = FakeServer.HANG
        house.clock.suspended += HOUR
        began = now()
        await house.until(Phase.WAITING)
        assert now() - began <= INTERVAL + 10 + 3 + 3 + 0.1


async def test_after_a_suspend_those_that_wait_try_at_once_and_count_from_one():
    async with House() as house:
        house.server.open = REFUSED
        house.add("waits")
        house.add("parked", max_attempts=1, cooldown=0.0)
        await until(lambda: house.status("waits").attempt == 7)
        house.server.open = None
        house.clock.suspended += HOUR
        began = now()
        await house.until(Phase.UP, "waits")
        await house.until(Phase.UP, "parked")
        assert now() - began <= INTERVAL + 0.1
        assert house.status("waits").attempt == 1


@pytest.mark.parametrize("by", [HOUR, -HOUR])
async def test_a_clock_that_was_set_is_told_of_and_moves_no_wait(by):
    async with House() as house:
        house.server.open = failure(FailureClass.OVERLOAD, "busy", retry_after=500.0)
        house.add()
        await house.until(Phase.WAITING)
        before = house.status()
        house.clock.step += by
        jump = await noticed(house)
        await asyncio.sleep(1)
        after = house.status()
        assert (jump.suspended, round(jump.stepped)) == (0.0, by)
        assert after.deadline == before.deadline
        assert after.next_attempt - before.next_attempt == pytest.approx(by, abs=0.01)
        assert after.since - before.since == pytest.approx(by, abs=0.01)
        house.server.open = None
        await house.until(Phase.UP)
        assert now() == pytest.approx(before.deadline, abs=0.01)
        assert replay(house.events) == house.manager.get_connection_status()


@pytest.mark.parametrize("by", [HOUR, -HOUR])
@pytest.mark.parametrize("jump", ["step", "suspended"])
async def test_a_jump_ends_no_wait_that_the_server_asked_for_and_no_refusal(jump, by):
    async with House() as house:
        house.servers["busy"] = busy = FakeServer()
        busy.open = failure(FailureClass.OVERLOAD, "busy", retry_after=500.0)
        house.servers["wrong"] = wrong = FakeServer()
        wrong.open = WRONG_SECRET
        house.add("busy")
        house.add("wrong", secret=True)
        await house.until(Phase.BLOCKED, "wrong")
        opens = len(busy.opens) + len(wrong.opens)
        setattr(house.clock, jump, by if jump == "step" else abs(by))
        await noticed(house)
        await asyncio.sleep(60)
        assert len(busy.opens) + len(wrong.opens) == opens


@pytest.mark.parametrize("by", [HOUR, -HOUR])
async def test_a_clock_that_is_set_in_an_outage_makes_it_no_longer_and_no_shorter(by):
    async with House() as house:
        house.add()
        await until(lambda: house.status().stable)
        house.server.open = REFUSED
        house.server.drop_all()
        await asyncio.sleep(10)
        house.clock.step += by
        await noticed(house)
        house.server.open = None
        await until(lambda: house.of(Reconnected))
        assert house.of(Reconnected)[0].downtime == pytest.approx(house.of(Recovered)[0].downtime)


async def test_what_is_less_than_two_seconds_is_no_jump():
    async with House() as house:
        house.add()
        for _ in range(10):
            house.clock.step = LEAST * 0.9 if house.clock.step == 0 else 0.0
            house.clock.suspended += LEAST * 0.9
            await asyncio.sleep(INTERVAL)
        assert house.of(ClockJumped) == []


async def test_a_clock_that_drifts_is_noticed_once_the_sum_is_two_seconds():
    async with House() as house:
        house.add()
        for _ in range(30):
            house.clock.step += 0.1
            await asyncio.sleep(INTERVAL)
        assert len(house.of(ClockJumped)) == 1


async def test_those_that_are_asked_after_a_suspend_are_opened_at_a_bounded_rate():
    async with House() as house:
        house.server.open = REFUSED
        for number in range(60):
            house.add(f"c{number}")
        await until(lambda: min(each.attempt for each in house.manager.get_connection_status().values()) >= 6)
        house.server.opens.clear()
        house.server.open = None
        house.clock.suspended += HOUR
        await until(lambda: len(house.server.open_sessions) == 60)
        opens = house.server.opens
        assert max(sum(start <= each < start + 0.1 for each in opens) for start in opens) <= 9
