"""Whoever gives up, at whatever step: nothing is left behind, and the manager still stops."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable

import pytest

from manager.events import Removed
from manager.model import Phase
from tests.engine.fakes import REFUSED, FakeServer, House, until

TURNS = [*range(14), 25, 60]
"""After how many turns of the loop a caller gives up; time passes only when nothing else is left to do."""

COMMANDS: dict[str, Callable[[House], Awaitable[object]]] = {
    "stop": lambda house: house.manager.stop(),
    "pause": lambda house: house.manager.pause("one"),
    "remove": lambda house: house.manager.remove("one"),
    "force": lambda house: house.manager.force_reconnection("one"),
    "force all": lambda house: house.manager.force_reconnection(),
    "refresh": lambda house: house.manager.refresh_status("one"),
    "refresh all": lambda house: house.manager.refresh_status(),
}


def timers() -> list[asyncio.TimerHandle]:
    loop = asyncio.get_running_loop()
    return [timer for timer in loop._scheduled if not timer.cancelled()]


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def give_up(task: asyncio.Task) -> None:
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled() or task.exception() is None


@pytest.mark.parametrize("slow", [False, True], ids=["quick", "slow"])
@pytest.mark.parametrize("command", COMMANDS)
async def test_a_command_that_is_given_up_at_any_step_leaves_nothing(command, slow):
    own = asyncio.all_tasks()
    for count in TURNS:
        async with House() as house:
            house.add()
            house.add("two")
            await until(lambda house=house: house.status("two").phase is Phase.UP)
            if slow:
                house.server.open_takes = house.server.close_takes = 0.5
                house.server.heartbeat = house.server.check = FakeServer.HANG
            before = len(asyncio.all_tasks())
            task = asyncio.create_task(COMMANDS[command](house))
            await turns(count)
            await give_up(task)
            assert len(asyncio.all_tasks()) <= before
            await house.manager.stop()
            assert asyncio.all_tasks() == own
            assert not timers()
            assert not house.server.open_sessions
            assert {status.phase for status in house.manager.snapshot().statuses} <= {Phase.STOPPED}


async def test_a_stop_that_is_given_up_closes_at_once_and_leaves_nothing_by_itself():
    own = asyncio.all_tasks()
    async with House() as house:
        house.server.close_takes = 2.0
        for name in ("one", "two", "three"):
            house.add(name)
        await until(lambda: house.status("three").phase is Phase.UP)
        session = house.server.sessions[0]
        polite = session.close

        async def close(*, graceful: bool) -> None:
            try:
                await polite(graceful=graceful)
            finally:
                await asyncio.sleep(0.1)

        session.close = close
        stopping = asyncio.create_task(house.manager.stop())
        await asyncio.sleep(1)
        began = house.clock.monotonic()
        await give_up(stopping)
        assert house.clock.monotonic() - began == pytest.approx(0.1)
        assert asyncio.all_tasks() == own
        assert not house.server.open_sessions
        assert set(house.manager.states.values()) == {Phase.STOPPED}


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13])
async def test_a_stop_that_is_given_up_in_its_first_turns_leaves_nothing_by_itself(count):
    own = asyncio.all_tasks()
    async with House() as house:
        house.server.close_takes = 0.5
        house.add()
        house.add("two")
        await until(lambda: house.status("two").phase is Phase.UP)
        stopping = asyncio.create_task(house.manager.stop())
        await turns(count)
        await give_up(stopping)
        assert asyncio.all_tasks() == own
        assert not timers()
        assert not house.server.open_sessions


async def test_a_removal_that_is_given_up_has_removed():
    async with House() as house:
        house.server.close_takes = 2.0
        house.add()
        await house.until(Phase.UP)
        removing = asyncio.create_task(house.manager.remove("one"))
        await asyncio.sleep(1)
        await give_up(removing)
        assert not house.manager.states
        assert len(house.of(Removed)) == 1
        assert not house.server.open_sessions


async def test_a_pause_that_is_given_up_has_paused_and_can_be_resumed():
    async with House() as house:
        house.server.close_takes = 2.0
        house.add()
        await house.until(Phase.UP)
        pausing = asyncio.create_task(house.manager.pause("one"))
        await asyncio.sleep(1)
        await give_up(pausing)
        assert house.status().phase is Phase.PAUSED
        assert not house.server.open_sessions
        house.manager.resume("one")
        await house.until(Phase.UP)
        assert house.server.most_open == 1


@pytest.mark.parametrize("fault", [None, REFUSED, FakeServer.HANG], ids=["well", "refused", "hangs"])
async def test_a_manager_stopped_at_any_step_leaves_nothing(fault):
    own = asyncio.all_tasks()
    for count in range(40):
        async with House() as house:
            house.server.open = fault
            for name in ("one", "two", "three", "four", "five", "six"):
                house.add(name, secret=True)
            await turns(count)
            house.server.drop_all()
            await turns(count % 7)
            await house.manager.stop()
            assert asyncio.all_tasks() == own
            assert not timers()
            assert not house.server.open_sessions
            assert set(house.manager.states.values()) == {Phase.STOPPED}


@pytest.mark.parametrize("count", TURNS)
async def test_a_supervisor_that_somebody_else_cancels_closes_its_session(count):
    async with House() as house:
        house.add()
        await turns(count)
        supervisor = house.manager._registry.supervisors["one"]
        await give_up(supervisor._task)
        assert not house.server.open_sessions
        await house.manager.stop()
        assert house.status().phase is Phase.STOPPED


async def test_a_reader_of_events_or_messages_that_gives_up_costs_nobody_anything():
    async with House() as house:
        house.add()
        await house.until(Phase.UP)
        events, messages = house.manager.events(), house.manager.messages("one")
        for count in TURNS:
            for reader in (asyncio.ensure_future(anext(events)), asyncio.ensure_future(anext(messages))):
                await turns(count)
                await give_up(reader)
            events = house.manager.events()
        messages.close()
        await events.aclose()
        assert not house.manager.ring._readers
        reader = asyncio.create_task(anext(house.manager.events()))
        await turns(2)
        house.server.drop_all()
        assert (await reader).connection == "one"


async def test_a_refresh_that_is_given_up_leaves_no_exception_that_nobody_looked_at(caplog):
    async with House() as house:
        house.add()
        await house.until(Phase.UP)
        house.server.heartbeat = house.server.check = FakeServer.HANG
        for seconds in (0.0, 0.5):
            refreshing = asyncio.create_task(house.manager.refresh_status("one"))
            await asyncio.sleep(seconds)
            refreshing.cancel()
            await asyncio.wait([refreshing])
            await asyncio.sleep(0.1)
            del refreshing
            gc.collect()
    assert "never retrieved" not in caplog.text
