"""What a person does about a trouble: skip the countdown, acknowledge it, mute a group for a time."""

from __future__ import annotations

import asyncio
import math

import pytest

from manager.errors import ManagerGoneError, UnknownConnectionError, UnknownGroupError
from manager.events import (
    Acknowledged,
    Commanded,
    LoginWithheld,
    Muted,
    StateChanged,
    Unmuted,
    WokenByOperator,
    WokenBySibling,
)
from manager.model import FailureClass, Phase
from tests.engine.fakes import LOST, REFUSED, WRONG_SECRET, FakeServer, House, failure, until

# --- skip ----------------------------------------------------------------------------------------------


async def test_skipping_a_countdown_opens_now_and_says_how_long_it_took():
    async with House() as house:
        house.server.open = REFUSED
        house.add()
        await until(lambda: house.status().attempt == 6)
        house.server.open, house.server.open_takes = None, 0.25
        (result,) = await house.manager.skip("one")
        assert (result.ok, result.text) == (True, "up after 250 ms")
        assert house.status().phase is Phase.UP


async def test_a_skipped_wait_is_followed_by_its_own_attempt_and_the_next_is_longer():
    async with House() as house:
        house.server.open = REFUSED
        house.add()
        await until(lambda: house.status().attempt == 4)
        (result,) = await house.manager.skip("one")
        assert (result.ok, result.text) == (False, "connection refused")
        assert [event.status.attempt for event in house.of(StateChanged)][-2:] == [4, 5]
        assert house.status().wait == 16.0
        (skipped,) = house.of(WokenByOperator)
        assert skipped.status.next_attempt == pytest.approx(skipped.time)


async def test_skipping_every_wait_still_ends_after_the_last_attempt():
    async with House() as house:
        house.server.open = REFUSED
        house.add()
        await house.until(Phase.WAITING)
        while house.status().phase is Phase.WAITING:
            await house.manager.skip("one")
        assert house.status().phase is Phase.PARKED
        assert len(house.server.opens) == 16


async def test_skipping_a_parked_one_probes_it_without_a_number():
    for cooldown in (300.0, 0.0):
        async with House() as house:
            house.server.open = REFUSED
            house.add(max_attempts=1, cooldown=cooldown)
            await house.until(Phase.PARKED)
            (result,) = await house.manager.skip("one")
            assert not result.ok
            assert house.status().phase is Phase.PARKED
            assert [event.status.attempt for event in house.of(StateChanged)][-2:] == [0, 0]
            house.server.open = None
            (result,) = await house.manager.skip("one")
            assert result.ok


async def test_a_wait_whose_login_is_withheld_is_not_skipped():
    async with House() as house:
        house.servers["late"] = FakeServer()
        house.servers["late"].open = REFUSED
        house.add("late", secret=True)
        await until(lambda: house.status("late").attempt == 7)
        for number in range(4):
            house.servers[f"wrong-{number}"] = FakeServer()
            house.servers[f"wrong-{number}"].open = WRONG_SECRET
            house.add(f"wrong-{number}", secret=True)
        await until(lambda: any(each.next_free for each in house.manager.snapshot().budgets))
        before = house.status("late")
        assert before.phase is Phase.WAITING
        opened = len(house.servers["late"].opens)
        (result,) = await house.manager.skip("late")
        assert result.text == "not tried: pbx1 refused too many logins lately; the countdown goes on"
        assert result.next_login == house.manager.snapshot().budgets[0].next_free
        assert house.status("late") == before
        assert len(house.servers["late"].opens) == opened
        assert house.of(LoginWithheld, "late")
        # Nor is the one of a connection that the budget holds back, and not its own credentials.
        await house.until(Phase.BLOCKED, "late")
        (result,) = await house.manager.skip("late")
        assert result.next_login is not None
        assert len(house.servers["late"].opens) == opened


@pytest.mark.parametrize(
    ("phase", "text"),
    [
        (Phase.UP, "up: there is no countdown to skip"),
        (Phase.CONNECTING, "connecting: there is no countdown to skip"),
        (Phase.PAUSED, "paused: there is no countdown to skip"),
        (
            Phase.BLOCKED,
            "blocked: trying again changes nothing before it is mended; reconnect tries all the same",
        ),
    ],
)
async def test_where_nothing_can_be_skipped_it_says_so_and_changes_nothing(phase, text):
    async with House() as house:
        house.server.open = {
            Phase.BLOCKED: failure(FailureClass.PERMANENT),
            Phase.CONNECTING: FakeServer.HANG,
        }.get(phase)
        house.add()
        if phase is Phase.PAUSED:
            await house.manager.pause("one")
        await house.until(phase) if house.status().phase is not phase else None
        before, opened = house.status(), len(house.server.opens)
        (result,) = await house.manager.skip("one")
        assert (result.ok, result.text) == (False, text)
        assert (house.status(), len(house.server.opens)) == (before, opened)


async def test_a_sibling_that_comes_back_right_after_a_skip_does_not_put_the_attempt_off():
    async with House() as house:
        house.server.open = REFUSED
        house.add()
        await until(lambda: house.status().attempt == 6)
        opened = len(house.server.opens)
        skipping = asyncio.create_task(house.manager.skip("one"))
        await asyncio.sleep(0)
        assert house.status().phase is Phase.WAITING
        later = house.clock.monotonic() + 5
        assert not house.manager._registry.supervisors["one"]._life._reach.woken_by_sibling("two", later)
        await skipping
        assert house.server.opens[opened] < later
        assert not house.of(WokenBySibling)


@pytest.mark.parametrize("fault", [None, REFUSED, FakeServer.HANG], ids=["well", "refused", "hangs"])
async def test_a_skip_that_is_given_up_at_any_step_leaves_nothing_and_the_attempt_goes_on(fault):
    own = asyncio.all_tasks()
    for count in [*range(14), 25, 60]:
        async with House() as house:
            house.server.open = REFUSED
            house.add()
            await until(lambda house=house: house.status().attempt == 5)
            house.server.open = fault
            opened = len(house.server.opens)
            task = asyncio.create_task(house.manager.skip("one"))
            for _ in range(count):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert not house.manager._registry.supervisors["one"]._arrivals
            if count:
                await until(lambda house=house, opened=opened: len(house.server.opens) > opened, within=0.2)
            await house.manager.stop()
            assert asyncio.all_tasks() == own
            assert not house.server.open_sessions


async def test_a_skip_while_the_connection_is_paused_returns():
    async with House() as house:
        house.server.open = REFUSED
        house.add()
        await until(lambda: house.status().attempt == 5)
        house.server.open = FakeServer.HANG
        skipping = asyncio.create_task(house.manager.skip("one"))
        await asyncio.sleep(1)
        await house.manager.pause("one")
        (result,) = await skipping
        assert (result.ok, result.text) == (False, "paused meanwhile")


async def test_everything_that_is_asked_for_is_told_with_who_was_meant():
    async with House() as house:
        house.add()
        await house.until(Phase.UP)
        await house.manager.force_reconnection()
        await house.manager.refresh_status("one")
        await house.manager.pause("one")
        house.manager.resume("one")
        await house.manager.skip("one")
        asked = [(event.command, event.connection) for event in house.events if isinstance(event, Commanded)]
        assert asked == [
            ("reconnect", None), ("refresh", "one"), ("pause", "one"), ("resume", "one"), ("skip", "one"),
        ]  # fmt: skip


# --- acknowledge ---------------------------------------------------------------------------------------


async def test_a_trouble_is_acknowledged_until_the_connection_is_stable_again():
    async with House() as house:
        house.server.open = REFUSED
        house.add()
        await until(lambda: house.status().attempt == 5)
        (result,) = house.manager.acknowledge("one")
        assert (result.ok, result.text) == (True, "acknowledged")
        given = house.clock.wall()
        assert house.status().acknowledged == given
        await until(lambda: house.status().attempt == 7)
        assert house.status().acknowledged == given
        house.server.open = None
        await house.until(Phase.UP)
        assert house.status().acknowledged == given
        await until(lambda: house.status().stable)
        assert house.status().acknowledged is None
        assert len(house.of(Acknowledged)) == 1


async def test_one_that_flaps_stays_acknowledged():
    async with House() as house:
        house.server.open = REFUSED
        house.add()
        await house.until(Phase.WAITING)
        house.manager.acknowledge("one")
        house.server.open = None
        await house.until(Phase.UP)
        house.server.drop_all(LOST)
        await house.until(Phase.WAITING)
        assert house.status().acknowledged is not None


async def test_a_worse_phase_is_a_trouble_that_nobody_has_acknowledged():
    async with House() as house:
        house.server.open = REFUSED
        house.add(max_attempts=2)
        await house.until(Phase.WAITING)
        house.manager.acknowledge("one")
        await house.until(Phase.PARKED)
        assert house.status().acknowledged is None
        house.manager.acknowledge("one")
        house.server.open = failure(FailureClass.PERMANENT)
        await house.until(Phase.BLOCKED)
        assert house.status().acknowledged is None


async def test_slow_probes_of_a_parked_one_do_not_end_its_acknowledgement():
    async with House() as house:
        house.server.open, house.server.open_takes = REFUSED, 1.0
        house.add(max_attempts=1)
        await house.until(Phase.PARKED)
        house.manager.acknowledge("one")
        for _ in range(3):
            await house.until(Phase.CONNECTING)
            assert house.status().acknowledged is not None
            await house.until(Phase.PARKED)
            assert house.status().acknowledged is not None


async def test_one_acknowledged_during_a_slow_probe_is_as_bad_as_before_it():
    async with House() as house:
        house.server.open, house.server.open_takes = REFUSED, 1.0
        house.add(max_attempts=1)
        await house.until(Phase.PARKED)
        await house.until(Phase.CONNECTING)
        house.manager.acknowledge("one")
        await house.until(Phase.PARKED)
        assert house.status().acknowledged is not None


async def test_a_suspect_that_answers_again_is_no_longer_acknowledged():
    async with House() as house:
        house.add()
        await until(lambda: house.status().stable)
        house.server.heartbeat = REFUSED
        await house.until(Phase.SUSPECT)
        house.manager.acknowledge("one")
        assert house.status().acknowledged is not None
        house.server.heartbeat = None
        await house.until(Phase.UP)
        assert house.status().acknowledged is None


async def test_slow_replies_can_be_acknowledged_until_they_are_quick_again():
    async with House() as house:
        house.add()
        await asyncio.sleep(300)
        house.server.latency = 2.0
        await until(lambda: bool(house.status().costs))
        (result,) = house.manager.acknowledge("one")
        assert result.ok
        house.server.latency = 0.01
        await until(lambda: not house.status().costs)
        assert house.status().acknowledged is None


async def test_a_rhythm_of_drops_can_be_acknowledged_while_it_is_up_until_the_next_one():
    async with House() as house:
        house.add(base_delay=0.1, stable_after=1.0)
        for _ in range(3):
            await until(lambda: house.status().stable)
            await asyncio.sleep(40)
            house.server.drop_all(LOST)
            await house.until(Phase.UP)
        await until(lambda: house.status().stable)
        assert house.status().flap is not None
        (result,) = house.manager.acknowledge("one")
        assert result.ok
        await asyncio.sleep(20)
        assert house.status().acknowledged is not None
        house.server.drop_all(LOST)
        await house.until(Phase.WAITING)
        assert house.status().acknowledged is None


@pytest.mark.parametrize("rest", [Phase.PAUSED, Phase.STOPPED])
async def test_what_is_put_to_rest_has_no_trouble_to_acknowledge(rest):
    async with House() as house:
        house.server.open = REFUSED
        house.add()
        await house.until(Phase.WAITING)
        house.manager.acknowledge("one")
        await house.manager._registry.supervisors["one"].stop(rest)
        assert house.status().acknowledged is None
        (result,) = house.manager.acknowledge("one")
        assert (result.ok, result.text) == (False, f"{rest}: there is no trouble to acknowledge")
        assert len(house.of(Acknowledged)) == 1


@pytest.mark.parametrize("hangs", [False, True], ids=["up", "opening for the first time"])
async def test_one_that_is_well_has_nothing_to_acknowledge(hangs):
    async with House() as house:
        house.server.open = FakeServer.HANG if hangs else None
        house.add()
        await house.until(Phase.CONNECTING if hangs else Phase.UP)
        (result,) = house.manager.acknowledge("one")
        assert not result.ok
        assert result.text.endswith("there is no trouble to acknowledge")
        assert not house.of(Acknowledged)


async def test_an_acknowledgement_can_be_taken_back_and_given_but_once():
    async with House() as house:
        house.server.open = REFUSED
        house.add()
        await house.until(Phase.WAITING)
        house.manager.acknowledge("one")
        (again,) = house.manager.acknowledge("one")
        assert (again.ok, again.text) == (True, "acknowledged already")
        (back,) = house.manager.acknowledge("one", withdraw=True)
        assert (back.ok, back.text) == (True, "no longer acknowledged")
        assert house.status().acknowledged is None
        (back,) = house.manager.acknowledge("one", withdraw=True)
        assert (back.ok, back.text) == (False, "it was not acknowledged")
        assert len(house.of(Acknowledged)) == 2


async def test_the_time_of_an_acknowledgement_is_told_by_the_clock_as_it_is_now():
    async with House() as house:
        house.server.open = REFUSED
        house.add()
        await house.until(Phase.WAITING)
        house.manager.acknowledge("one")
        given = house.status().acknowledged
        house.clock.step = 3600.0
        await asyncio.sleep(6)
        assert house.status().acknowledged == pytest.approx(given + 3600.0)


async def test_acknowledging_and_skipping_want_a_connection_that_there_is():
    async with House() as house:
        with pytest.raises(UnknownConnectionError):
            house.manager.acknowledge("nobody")
        with pytest.raises(UnknownConnectionError):
            await house.manager.skip("nobody")


# --- mute ----------------------------------------------------------------------------------------------


async def test_a_group_is_muted_for_a_time_and_then_no_longer_by_itself():
    async with House() as house:
        house.add("one")
        house.add("two")
        house.add("three", host="pbx2")
        results = house.manager.mute("pbx1", 1800.0)
        assert [(each.connection, each.ok, each.text) for each in results] == [
            ("one", True, "pbx1 is muted"),
            ("two", True, "pbx1 is muted"),
        ]
        (mute,) = house.manager.snapshot().mutes
        assert (mute.group, mute.until - mute.since) == ("pbx1", 1800.0)
        await asyncio.sleep(1799)
        assert house.manager.snapshot().mutes == (mute,)
        await asyncio.sleep(2)
        assert house.manager.snapshot().mutes == ()
        assert [event.mute for event in house.events if isinstance(event, Muted)] == [mute]
        (end,) = [event for event in house.events if isinstance(event, Unmuted)]
        assert (end.group, end.expired) == ("pbx1", True)
        assert end.time == pytest.approx(mute.until)


async def test_muting_anew_counts_from_now_and_nothing_ends_at_the_old_time():
    async with House() as house:
        house.add()
        house.manager.mute("pbx1", 100.0)
        await asyncio.sleep(50)
        house.manager.mute("pbx1", 100.0)
        await asyncio.sleep(99)
        assert len(house.manager.snapshot().mutes) == 1
        await asyncio.sleep(2)
        assert not house.manager.snapshot().mutes


async def test_an_operator_ends_a_mute_before_its_time_and_only_once():
    async with House() as house:
        house.add()
        house.manager.mute("pbx1", 100.0)
        (result,) = house.manager.mute("pbx1", 0)
        assert (result.ok, result.text) == (True, "pbx1 is no longer muted")
        (result,) = house.manager.mute("pbx1", 0)
        assert (result.ok, result.text) == (False, "pbx1 was not muted")
        await asyncio.sleep(200)
        assert [event.expired for event in house.events if isinstance(event, Unmuted)] == [False]


async def test_a_mute_keeps_to_its_promised_time_through_a_suspend_and_a_clock_that_is_set():
    async with House() as house:
        house.add()
        house.manager.mute("pbx1", 3600.0)
        (mute,) = house.manager.snapshot().mutes
        house.clock.suspended = 1800.0
        await asyncio.sleep(1700)
        house.clock.step = -1000.0
        await asyncio.sleep(1000)
        assert house.manager.snapshot().mutes == (mute,)
        await until(lambda: not house.manager.snapshot().mutes)
        assert house.clock.wall() == pytest.approx(mute.until, abs=0.2)


async def test_the_mute_of_a_group_that_has_gone_can_be_ended():
    async with House() as house:
        house.add()
        house.manager.mute("pbx1", 100.0)
        await house.manager.remove("one")
        assert house.manager.mute("pbx1", 0) == ()
        assert not house.manager.snapshot().mutes


async def test_only_a_group_that_there_is_can_be_muted():
    async with House() as house:
        house.add()
        for seconds in (10.0, 0):
            with pytest.raises(UnknownGroupError, match="no connection is in a group called 'pbx9'"):
                house.manager.mute("pbx9", seconds)


@pytest.mark.parametrize("seconds", [-1.0, math.inf, math.nan, 7 * 24 * 3600 + 1.0])
async def test_a_mute_is_not_for_ever(seconds):
    async with House() as house:
        house.add()
        with pytest.raises(ValueError, match="7 days at most"):
            house.manager.mute("pbx1", seconds)
        assert not house.manager.snapshot().mutes


async def test_a_stopped_manager_mutes_nothing_and_leaves_no_timer():
    async with House() as house:
        house.add()
        house.manager.mute("pbx1", 3600.0)
        await house.manager.stop()
        assert not [timer for timer in asyncio.get_running_loop()._scheduled if not timer.cancelled()]
        with pytest.raises(ManagerGoneError):
            house.manager.mute("pbx1", 10.0)
