"""What ends a wait early because the host was seen to answer again, and what does not."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from manager.engine.peek import INTERVAL, PEEK_TIMEOUT, SETTLE, SLOW_AFTER, SLOW_INTERVAL
from manager.events import StateChanged, WokenByPeek
from manager.model import FailureClass, Phase, Stage
from tests.engine.fakes import LOST, REFUSED, WRONG_SECRET, FakeServer, House, failure, until


def now() -> float:
    return asyncio.get_running_loop().time()


def gaps(times: list[float]) -> set[float]:
    return {round(later - earlier, 3) for earlier, later in pairwise(times)}


def mend(server: FakeServer) -> float:
    server.open = server.peek = None
    return now()


def refuse(server: FakeServer) -> None:
    server.open = server.peek = REFUSED


async def lose(house: House, attempt: int, name: str = "one") -> None:
    """Lose every session and wait until the wait for this attempt has begun."""
    refuse(house.server)
    house.server.drop_all()
    await until(lambda: house.status(name).attempt == attempt and house.status(name).phase is Phase.WAITING)


# --- what it does ---------------------------------------------------------------------------------------


async def test_a_host_that_answers_again_ends_the_wait_and_the_attempt_keeps_its_number():
    async with House() as house:
        house.add()
        await house.until(Phase.UP)
        await lose(house, 6)
        left = house.status().deadline - now()
        back = mend(house.server)
        await house.until(Phase.UP)
        assert left > 20
        assert now() - back <= INTERVAL + SETTLE + 0.001
        assert house.status().attempt == 6
        assert [event.connection for event in house.of(WokenByPeek)] == ["one"]


async def test_the_status_tells_the_true_length_of_a_wait_that_ends_early():
    async with House() as house:
        house.add()
        await house.until(Phase.UP)
        await lose(house, 6)
        began = house.of(StateChanged)[-1].time
        mend(house.server)
        await until(lambda: house.of(WokenByPeek))
        status = house.of(WokenByPeek)[0].status
        assert status.next_attempt - status.wait == pytest.approx(began, abs=0.01)


async def test_one_that_is_parked_comes_back_with_the_host():
    async with House() as house:
        house.add(max_attempts=2, cooldown=0.0)
        await house.until(Phase.UP)
        refuse(house.server)
        house.server.drop_all()
        await house.until(Phase.PARKED)
        await asyncio.sleep(5_000)
        mend(house.server)
        back = now()
        await house.until(Phase.UP)
        assert now() - back <= SLOW_INTERVAL + SETTLE + 0.001


async def test_one_that_never_was_up_is_opened_when_its_host_first_answers():
    async with House() as house:
        refuse(house.server)
        house.add()
        await until(lambda: house.status().attempt == 6)
        back = mend(house.server)
        await house.until(Phase.UP)
        assert now() - back <= INTERVAL + SETTLE + 0.001


async def test_a_host_is_looked_at_each_second_for_a_minute_and_then_each_five():
    async with House() as house:
        refuse(house.server)
        house.add(base_delay=1000.0, max_delay=1000.0)
        await asyncio.sleep(200)
        peeks = house.server.peeks
        assert gaps([time for time in peeks if time < SLOW_AFTER]) == {INTERVAL}
        assert gaps([time for time in peeks if time > SLOW_AFTER + SLOW_INTERVAL]) == {SLOW_INTERVAL}


async def test_sixty_that_wait_for_a_host_look_at_it_as_often_as_one_and_come_back_paced():
    async with House() as house:
        refuse(house.server)
        for number in range(60):
            house.add(f"c{number}")
        await asyncio.sleep(40)
        house.server.peeks.clear()
        await asyncio.sleep(10)
        assert len(house.server.peeks) == 10
        house.server.opens.clear()
        mend(house.server)
        await until(lambda: len(house.server.open_sessions) == 60)
        opens = house.server.opens
        busiest = max(sum(start <= each < start + 0.1 for each in opens) for start in opens)
        assert len(opens) == 60
        assert busiest <= 9


async def test_each_place_is_looked_at_for_itself():
    async with House() as house:
        refuse(house.server)
        house.add("one", host="pbx1")
        house.add("two", host="pbx2")
        other = house.servers["two"] = FakeServer()
        refuse(other)
        await house.manager.remove("two")
        house.add("two", host="pbx2")
        await asyncio.sleep(40)
        mend(house.server)
        await house.until(Phase.UP)
        await asyncio.sleep(3)
        assert house.status("two").phase is Phase.WAITING
        assert len(other.peeks) >= 40


async def test_a_driver_of_one_that_was_paused_leaves_the_looking_to_another():
    async with House() as house:
        refuse(house.server)
        house.add("one")
        house.add("two")
        await until(lambda: house.status("two").attempt == 6)
        await house.manager.pause("one")
        back = mend(house.server)
        await house.until(Phase.UP, "two")
        assert now() - back <= INTERVAL + SETTLE + 0.001


# --- what it does not -----------------------------------------------------------------------------------


async def test_switched_off_nobody_looks():
    async with House() as house:
        refuse(house.server)
        house.add(peek=False)
        await asyncio.sleep(100)
        mend(house.server)
        await house.until(Phase.UP)
        assert (house.server.peeks, house.of(WokenByPeek)) == ([], [])


async def test_a_host_that_answered_all_along_ends_no_wait():
    async with House() as house:
        house.add()
        await house.until(Phase.UP)
        house.server.peek = None
        house.server.open = LOST
        house.server.drop_all()
        await asyncio.sleep(100)
        assert house.server.peeks
        assert house.of(WokenByPeek) == []


@pytest.mark.parametrize("stage", [Stage.TLS, Stage.HANDSHAKE, Stage.LOGIN, Stage.SECRET])
async def test_nobody_looks_after_a_failure_past_the_connect(stage):
    async with House() as house:
        house.server.open = failure(stage=stage)
        house.add()
        await asyncio.sleep(300)
        assert (house.server.peeks, house.of(WokenByPeek)) == ([], [])


async def test_a_port_that_comes_and_goes_while_every_open_fails_is_not_hammered():
    async with House() as house:
        refuse(house.server)
        house.add(max_attempts=1000)

        async def flap() -> None:
            while True:
                await asyncio.sleep(0.7)
                house.server.peek = None if house.server.peek else REFUSED

        flapping = asyncio.create_task(flap())
        await asyncio.sleep(3600)
        flapping.cancel()
        assert len(house.server.opens) <= 3600 / 15


async def test_refused_credentials_are_not_woken():
    async with House() as house:
        house.server.open = WRONG_SECRET
        house.add(secret=True)
        await house.until(Phase.BLOCKED)
        house.server.open, house.server.peek = WRONG_SECRET, None
        await asyncio.sleep(100)
        assert (house.server.peeks, len(house.server.opens)) == ([], 2)


async def test_the_wait_that_a_server_asked_for_is_not_shortened():
    async with House() as house:
        house.server.open = failure(FailureClass.OVERLOAD, "busy", retry_after=100.0)
        house.add()
        await until(lambda: house.status().phase is Phase.WAITING)
        began = now()
        await asyncio.sleep(5)
        house.server.open = None
        house.server.peek = None
        await house.until(Phase.UP)
        assert now() - began >= 99.9


async def test_one_that_the_login_budget_holds_back_is_not_woken():
    async with House() as house:
        bad = house.servers["bad"] = FakeServer()
        bad.open = WRONG_SECRET
        house.add("one", secret=True, login_budget=1)
        await house.until(Phase.UP)
        house.add("bad", secret=True, login_budget=1)
        await house.until(Phase.WAITING, "bad")
        refuse(house.server)
        house.server.drop_all()
        await until(lambda: house.server.peeks)
        mend(house.server)
        await asyncio.sleep(20)
        assert house.of(WokenByPeek, "one") == []


# --- faults of the look itself --------------------------------------------------------------------------


@pytest.mark.parametrize("how", [FakeServer.HANG, KeyError("foreign"), asyncio.CancelledError()])
async def test_a_look_that_hangs_or_raises_is_one_that_sees_nothing(how):
    async with House() as house:
        refuse(house.server)
        house.server.peek = how
        house.add()
        await until(lambda: house.status().attempt == 6)
        assert len(house.server.peeks) >= 30 / max(INTERVAL, PEEK_TIMEOUT) - 1
        back = mend(house.server)
        await house.until(Phase.UP)
        assert now() - back <= INTERVAL + PEEK_TIMEOUT + SETTLE


@pytest.mark.parametrize("swallow", [False, True])
async def test_a_stop_in_the_midst_of_a_look_leaves_nothing(swallow):
    async with House() as house:
        refuse(house.server)
        house.server.peek, house.server.swallow = FakeServer.HANG, swallow
        house.add()
        await until(lambda: house.status().attempt == 5)
        await asyncio.sleep(0.5)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_wait_that_ends_by_itself_in_the_midst_of_a_look_leaves_none_behind():
    async with House() as house:
        refuse(house.server)
        house.server.peek, house.server.swallow = FakeServer.HANG, True
        house.add(base_delay=0.3, max_delay=0.3, max_attempts=1000)
        await asyncio.sleep(60)
        await house.manager.pause("one")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("peek")]
