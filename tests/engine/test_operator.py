"""What a person asks for: reconnect, refresh, pause, resume, stop."""

from __future__ import annotations

import asyncio
import gc

import pytest

from manager.errors import NotConnectedError, UnknownConnectionError
from manager.events import ProbeAnswered, StateChanged
from manager.model import FailureClass, Phase, Stage
from tests.engine.fakes import REFUSED, FakeServer, House, failure, until


async def test_forcing_a_waiting_connection_opens_it_now_and_says_how_long_it_took():
    async with House() as house:
        house.server.open = REFUSED
        house.add()
        await until(lambda: house.status().attempt == 6)
        house.server.open, house.server.open_takes = None, 0.25
        (result,) = await house.manager.force_reconnection("one")
        assert result.ok
        assert result.seconds == pytest.approx(0.25)
        assert result.text == "up after 250 ms"
        assert result.status.phase is Phase.UP


async def test_forcing_puts_the_count_back_to_one():
    async with House() as house:
        house.server.open = REFUSED
        house.add()
        await until(lambda: house.status().attempt == 6)
        (result,) = await house.manager.force_reconnection("one")
        assert not result.ok
        assert result.text == "connection refused"
        attempts = [event.status.attempt for event in house.of(StateChanged)]
        assert attempts[-2:] == [1, 2]
        assert house.status().wait == 2.0


async def test_forcing_a_connection_that_is_up_closes_it_politely_and_opens_it_anew():
    async with House() as house:
        house.server.close_takes, house.server.open_takes = 0.5, 0.25
        house.add()
        await house.until(Phase.UP)
        (result,) = await house.manager.force_reconnection("one")
        assert result.ok
        assert result.text == "closed and up again after 750 ms"
        assert house.server.sessions[0].closed == [True]
        assert house.status().generation == 2
        assert house.status().drops == 0
        assert Phase.WAITING not in [event.phase for event in house.of(StateChanged)]


async def test_a_reconnection_that_was_asked_for_and_fails_counts_as_a_loss_from_the_closing_on():
    async with House() as house:
        house.add()
        await until(lambda: house.status().stable)
        closed = house.clock.wall()
        house.server.open, house.server.open_takes = REFUSED, 2.0
        (result,) = await house.manager.force_reconnection("one")
        assert not result.ok
        assert house.status().down_since == pytest.approx(closed)


async def test_forcing_wakes_a_parked_and_a_blocked_connection():
    for kind, phase in ((FailureClass.TRANSIENT, Phase.PARKED), (FailureClass.PERMANENT, Phase.BLOCKED)):
        async with House() as house:
            house.server.open = failure(kind)
            house.add(max_attempts=1)
            await house.until(phase)
            house.server.open = None
            (result,) = await house.manager.force_reconnection("one")
            assert result.ok


async def test_forcing_while_connecting_joins_the_attempt_and_does_not_shorten_the_next_wait():
    async with House() as house:
        house.server.open = FakeServer.HANG
        house.add()
        await house.until(Phase.CONNECTING)
        (result,) = await house.manager.force_reconnection("one")
        assert result.text == "no answer in 15 s (connect)"
        assert house.status().phase is Phase.WAITING
        await asyncio.sleep(0.9)
        assert house.status().phase is Phase.WAITING
        assert len(house.server.opens) == 1


async def test_a_wake_that_came_while_connecting_is_not_spent_on_the_next_wait():
    async with House() as house:
        house.server.open, house.server.open_takes = REFUSED, 5.0
        house.add()
        await house.until(Phase.CONNECTING)
        forced = [asyncio.create_task(house.manager.force_reconnection("one")) for _ in range(3)]
        await asyncio.gather(*forced)
        await asyncio.sleep(0.9)
        assert len(house.server.opens) == 1


async def test_forcing_all_leaves_paused_ones_alone():
    async with House() as house:
        for name in ("one", "two", "three"):
            house.add(name)
        await house.until(Phase.UP, "three")
        await house.manager.pause("two")
        results = await house.manager.force_reconnection()
        assert [result.connection for result in results] == ["one", "three"]
        assert all(result.ok for result in results)
        (result,) = await house.manager.force_reconnection("two")
        assert (result.ok, result.text) == (False, "paused; resume it first")


async def test_refreshing_runs_heartbeat_and_check_of_all_side_by_side_and_tells_what_each_found():
    async with House() as house:
        for name in ("one", "two"):
            house.add(name)
        await house.until(Phase.UP, "two")
        results = await house.manager.refresh_status()
        assert [(result.ok, result.text) for result in results] == [(True, "10 ms · all well")] * 2
        assert results[0].status.latency == 0.01
        assert {event.probe for event in house.of(ProbeAnswered)} == {"heartbeat", "check"}


async def test_refreshing_a_hung_connection_tells_both_silences_and_counts_them():
    async with House() as house:
        house.add()
        await house.until(Phase.UP)
        house.server.heartbeat = house.server.check = FakeServer.HANG
        (result,) = await house.manager.refresh_status("one")
        assert not result.ok
        assert result.text == "no answer to a heartbeat in 10 s · no answer to a health check in 10 s"
        assert result.status.phase is Phase.SUSPECT


async def test_refreshing_a_connection_that_is_not_up_says_why():
    async with House() as house:
        house.server.open = REFUSED
        house.add()
        await house.until(Phase.WAITING)
        (result,) = await house.manager.refresh_status("one")
        assert (result.ok, result.text) == (False, "waiting: connection refused")


async def test_a_refresh_that_the_end_of_its_session_cuts_short_leaves_asyncio_nothing_to_complain_of():
    complaints: list[dict] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    async with House() as house:
        house.add()
        await house.until(Phase.UP)
        house.server.heartbeat = house.server.check = FakeServer.HANG
        refresh = asyncio.create_task(house.manager.refresh_status("one"))
        await asyncio.sleep(1)
        house.server.drop_all()
        (result,) = await refresh
        assert (result.ok, result.text) == (False, "waiting: connection reset")
        del refresh
        gc.collect()
    assert complaints == []


async def test_two_heartbeats_never_run_side_by_side():
    async with House() as house:
        house.add()
        await house.until(Phase.UP)
        session, running, most = house.server.sessions[0], 0, 0

        async def heartbeat() -> float:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(1)
            running -= 1
            return 1.0

        session.heartbeat = heartbeat
        await asyncio.gather(*(house.manager.refresh_status("one") for _ in range(4)))
        assert most == 1


async def test_pausing_closes_politely_and_resuming_takes_it_up_again():
    async with House() as house:
        house.add()
        await house.until(Phase.UP)
        await house.manager.pause("one")
        assert house.status().phase is Phase.PAUSED
        assert house.server.sessions[0].closed == [True]
        assert house.manager.health is None
        await asyncio.sleep(10_000)
        assert len(house.server.opens) == 1
        house.manager.resume("one")
        await house.until(Phase.UP)


async def test_a_paused_connection_starts_its_count_anew():
    async with House() as house:
        house.server.open = REFUSED
        house.add()
        await until(lambda: house.status().attempt == 7)
        await house.manager.pause("one")
        house.manager.resume("one")
        await house.until(Phase.WAITING)
        assert house.status().attempt == 1


@pytest.mark.parametrize("verb", ["pause", "force_reconnection", "refresh_status", "remove"])
async def test_a_name_that_nothing_has_is_an_error_with_the_name(verb):
    async with House() as house:
        with pytest.raises(UnknownConnectionError, match="nobody"):
            await getattr(house.manager, verb)("nobody")


async def test_a_session_can_be_had_only_while_it_is_usable():
    async with House() as house:
        house.server.open_takes = 1.0
        house.add()
        with pytest.raises(NotConnectedError):
            house.manager.session("one")
        await house.until(Phase.UP)
        assert house.manager.session("one") is house.server.sessions[0]


async def test_messages_reach_who_reads_them_and_the_oldest_make_room():
    async with House() as house:
        house.add()
        await house.until(Phase.UP)
        with house.manager.messages("one") as messages:
            for number in range(1200):
                house.server.sessions[0].listener.received(number)
            assert await anext(messages) == 200
            assert messages.dropped == 200


@pytest.mark.parametrize("after", [0, 0.05, 0.3, 0.6, 1.2, 25.2, 26, 30.1, 36, 39, 44, 100])
@pytest.mark.parametrize("fault", ["none", "slow", "hang", "refuse", "heartbeat"])
async def test_stopping_at_any_moment_leaves_no_task_and_no_session(after, fault):
    before = asyncio.all_tasks()
    async with House() as house:
        house.server.open_takes = 0.5
        house.server.close_takes = 1.0
        if fault == "slow":
            house.server.open_takes = 14.0
        if fault == "hang":
            house.server.open = FakeServer.HANG
        if fault == "refuse":
            house.server.open = REFUSED
        if fault == "heartbeat":
            house.server.heartbeat = house.server.check = FakeServer.HANG
        house.add()
        await asyncio.sleep(after)
        await house.manager.stop()
        assert house.status().phase is Phase.STOPPED
        assert not house.server.open_sessions
    assert asyncio.all_tasks() == before


async def test_stopping_does_not_wait_for_a_session_that_will_not_close():
    async with House() as house:
        house.server.close_takes = 1000.0
        house.add()
        await house.until(Phase.UP)
        async with asyncio.timeout(3.5):
            await house.manager.stop()


async def test_late_calls_of_a_session_that_was_replaced_are_dropped():
    async with House() as house:
        house.add()
        await house.until(Phase.UP)
        old = house.server.sessions[0]
        await house.manager.force_reconnection("one")
        with house.manager.messages("one") as messages:
            old.listener.received("late")
            old.listener.reported("incomingCall", "late", {})
            for _ in range(3):
                old.listener.refreshed(failure(stage=Stage.REFRESH))
            old.listener.facts_changed()
            await asyncio.sleep(1)
            assert house.status().phase is Phase.UP
            assert house.status().generation == 2
            assert house.status().failures == 0
            house.server.sessions[1].listener.received("current")
            assert await anext(messages) == "current"
