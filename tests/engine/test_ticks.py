from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from manager.drivers.base import NOTHING_TO_CHECK
from manager.engine.ticks import Ticks
from manager.events import ProbeAnswered, ProbeFailed, Stable, StateChanged
from manager.model import Phase
from tests.engine.fakes import REFUSED, House

SLACK = 0.25


def now() -> float:
    return asyncio.get_running_loop().time()


def timers() -> int:
    return len([timer for timer in asyncio.get_running_loop()._scheduled if not timer.cancelled()])


async def test_a_call_comes_when_it_is_due_or_less_than_its_slack_before():
    ticks, came = Ticks(), []
    for when in (1.0, 1.24, 1.25, 1.3):
        ticks.call_at(when, SLACK, lambda when=when: came.append((when, now())))
    await asyncio.sleep(2.0)
    assert came == [(1.0, 1.0), (1.24, 1.0), (1.25, 1.25), (1.3, 1.25)]


async def test_a_thousand_calls_of_one_tick_take_one_timer():
    ticks, before = Ticks(), timers()
    for number in range(1000):
        ticks.call_at(1.0 + number / 10_000, SLACK, lambda: None)
    assert timers() == before + 1


async def test_what_is_cancelled_does_not_come_and_the_last_takes_the_timer_with_it():
    ticks, before, came = Ticks(), timers(), []
    calls = [ticks.call_at(1.0, SLACK, lambda number=number: came.append(number)) for number in range(3)]
    calls[1].cancel()
    assert timers() == before + 1
    await asyncio.sleep(1.5)
    assert came == [0, 2]
    for call in calls:
        call.cancel()
    call = ticks.call_at(2.0, SLACK, lambda: None)
    call.cancel()
    call.cancel()
    assert timers() == before


async def test_one_that_came_cannot_take_a_later_call_of_the_same_tick_away():
    ticks, came = Ticks(), []
    first = ticks.call_at(1.0, SLACK, lambda: None)
    await asyncio.sleep(1.0)
    ticks.call_at(1.1, SLACK, lambda: came.append("second"))
    first.cancel()
    await asyncio.sleep(0.1)
    assert came == ["second"]


async def test_one_may_cancel_another_of_its_tick():
    ticks, came = Ticks(), []

    def cancel_the_next() -> None:
        following.cancel()

    ticks.call_at(1.0, SLACK, cancel_the_next)
    following = ticks.call_at(1.0, SLACK, lambda: came.append("cancelled"))
    ticks.call_at(1.0, SLACK, lambda: came.append("left"))
    await asyncio.sleep(1.5)
    assert came == ["left"]


async def test_one_that_raises_is_told_to_the_loop_and_keeps_none_of_its_tick_from_coming():
    ticks, came, told = Ticks(), [], []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))
    ticks.call_at(1.0, SLACK, lambda: 1 // 0)
    ticks.call_at(1.0, SLACK, lambda: came.append("after it"))
    await asyncio.sleep(1.5)
    assert came == ["after it"]
    assert [type(error) for error in told] == [ZeroDivisionError]


# --- what a watch makes of them ---------------------------------------------------------------------------


async def test_heartbeats_of_sessions_that_came_up_one_after_the_other_share_turns_of_the_loop():
    async with House() as house:
        for number in range(20):
            house.add(f"c{number}")
        await asyncio.sleep(27.0)
        beaten = [event.time for event in house.of(ProbeAnswered) if event.probe == "heartbeat"]
        ups = [event.time for event in house.of(StateChanged) if event.phase is Phase.UP]
        assert len(beaten) == len(set(ups)) == 20
        assert len(set(beaten)) <= 2
        assert all(24.75 < beat - up <= 25.1 for up, beat in zip(ups, beaten, strict=True))


async def test_a_suspect_is_asked_to_the_point():
    async with House() as house:
        house.add(heartbeat_interval=600.0, health_interval=900.0)
        await house.until(Phase.UP)
        house.server.heartbeat = REFUSED
        await house.until(Phase.WAITING)
        failed = [event.time for event in house.of(ProbeFailed)]
        assert [later - sooner for sooner, later in pairwise(failed)] == pytest.approx([3.0, 3.0])


async def test_a_session_is_called_stable_to_the_point():
    async with House() as house:
        house.add(stable_after=25.1)
        await house.until(Phase.UP)
        await asyncio.sleep(26.0)
        assert house.of(Stable)[0].time - house.of(StateChanged)[-1].time == pytest.approx(25.1)


@pytest.mark.parametrize(("finding", "checks"), [(NOTHING_TO_CHECK, 1), ("all well", 10)])
async def test_a_check_that_has_nothing_to_look_at_is_made_once_a_session(finding, checks):
    async with House() as house:
        house.server.finding = finding
        house.add()
        await house.until(Phase.UP)
        await asyncio.sleep(301.0)
        session = house.server.sessions[0]
        assert session.checks == checks
        await house.manager.refresh_status()
        assert session.checks == checks + 1
