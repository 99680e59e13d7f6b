"""Commands that come at the worst moment, and drivers that do what they must not."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from manager.endpoint import parse_endpoint
from manager.errors import ManagerGoneError, UnknownConnectionError
from manager.events import ConnectionEvent, LoginWithheld, ProbeFailed, Removed, StateChanged, replay
from manager.manager import ConnectionManager
from manager.model import Phase, Stage
from tests.engine.fakes import REFUSED, WRONG_SECRET, FakeServer, FakeSettings, House, failure, until

_ENDPOINT = parse_endpoint("ami://pbx1")


async def soon() -> None:
    """Let everything run that can run without time passing."""
    for _ in range(20):
        await asyncio.sleep(0)


# --- stopping, pausing, removing ------------------------------------------------------------------------


async def test_stopping_waits_for_a_connection_that_a_pause_is_closing():
    async with House() as house:
        house.server.close_takes = 2.0
        house.add()
        await house.until(Phase.UP)
        pausing = asyncio.create_task(house.manager.pause("one"))
        await asyncio.sleep(0.1)
        await house.manager.stop()
        assert not house.server.open_sessions
        await pausing
        assert house.status().phase is Phase.STOPPED


async def test_a_connection_resumed_while_it_closes_comes_up_again_when_it_is_closed():
    async with House() as house:
        house.server.close_takes = 2.0
        house.add()
        await house.until(Phase.UP)
        pausing = asyncio.create_task(house.manager.pause("one"))
        await asyncio.sleep(0.1)
        assert house.status().phase is Phase.PAUSED
        house.manager.resume("one")
        await pausing
        await house.until(Phase.UP)
        await asyncio.sleep(60)
        assert house.status().stable
        assert house.server.most_open == 1


async def test_the_last_of_many_wishes_stands():
    async with House() as house:
        house.server.close_takes = 2.0
        house.add()
        await house.until(Phase.UP)
        pauses = []
        for _ in range(3):
            house.manager.resume("one")
            pauses.append(asyncio.create_task(house.manager.pause("one")))
            await asyncio.sleep(0)
        await asyncio.gather(*pauses)
        assert house.status().phase is Phase.PAUSED
        assert not house.server.open_sessions
        assert house.server.most_open == 1


async def test_a_connection_that_is_being_removed_is_not_resumed():
    async with House() as house:
        house.server.close_takes = 2.0
        house.add()
        await house.until(Phase.UP)
        removing = asyncio.create_task(house.manager.remove("one"))
        await asyncio.sleep(0.1)
        house.manager.resume("one")
        await removing
        await asyncio.sleep(60)
        assert not house.server.open_sessions
        assert not replay(house.events)


async def test_removing_twice_at_once_removes_once():
    async with House() as house:
        house.server.close_takes = 2.0
        house.add()
        await house.until(Phase.UP)
        await asyncio.gather(house.manager.remove("one"), house.manager.remove("one"))
        assert len(house.of(Removed)) == 1
        with pytest.raises(UnknownConnectionError):
            await house.manager.remove("one")


async def test_the_messages_of_a_removed_connection_end():
    async with House() as house:
        house.add()
        await house.until(Phase.UP)
        messages = house.manager.messages("one")
        house.server.sessions[0].listener.received("last")
        await house.manager.remove("one")
        async with asyncio.timeout(1):
            assert [message async for message in messages] == ["last"]
        house.add()
        await house.until(Phase.UP)
        with house.manager.messages("one") as messages:
            house.server.sessions[1].listener.received("of the new one")
            assert await anext(messages) == "of the new one"


async def test_who_asks_for_messages_once_the_manager_has_stopped_does_not_wait_for_any():
    async with House() as house:
        house.add()
        await house.manager.stop()
        async with asyncio.timeout(10):
            assert [message async for message in house.manager.messages("one")] == []


async def test_nothing_is_taken_up_once_the_manager_stops():
    async with House() as house:
        house.server.close_takes = 2.0
        house.add()
        await house.until(Phase.UP)
        stopping = asyncio.create_task(house.manager.stop())
        await asyncio.sleep(0.1)
        house.manager.resume("one")
        with pytest.raises(ManagerGoneError):
            house.add("two")
        await stopping
        house.manager.resume("one")
        await asyncio.sleep(10)
        assert len(house.server.opens) == 1
        assert house.status().phase is Phase.STOPPED


async def test_a_manager_that_cannot_take_up_one_connection_leaves_none_behind():
    server, before = FakeServer(), asyncio.all_tasks()
    settings = [FakeSettings(name=name, endpoints=(_ENDPOINT,)) for name in ("one", "one")]
    with pytest.raises(ValueError, match="'one' is managed already"):
        async with ConnectionManager(settings, drivers={"fake": server.create}):
            raise AssertionError
    assert asyncio.all_tasks() == before


async def test_a_late_word_of_a_removed_connection_does_not_bring_it_back():
    async with House() as house:
        house.add()
        await house.until(Phase.UP)
        await house.manager.remove("one")
        session = house.server.sessions[0]
        session.listener.reported("incomingCall", "late", {})
        session.listener.received("late")
        session.listener.refreshed(failure(stage=Stage.REFRESH))
        session.listener.facts_changed()
        assert not replay(house.events)
        assert house.manager.health is None


async def test_those_who_stand_in_line_for_a_login_stop_without_a_fault(caplog):
    async with House() as house:
        house.server.open = FakeServer.HANG
        for number in range(12):
            house.add(f"c{number}", secret=True)
        await asyncio.sleep(1)
        await house.manager.stop()
        assert not [record for record in caplog.records if record.levelname == "CRITICAL"]
        assert {event.status.failure for event in house.of(StateChanged)} == {None}


# --- forcing --------------------------------------------------------------------------------------------


async def budget_used_up(house: House) -> None:
    house.server.open = WRONG_SECRET
    for number in range(4):
        house.add(f"c{number}", secret=True)
    await asyncio.sleep(10)
    assert house.manager.snapshot().budgets[0].used == 4


async def closing_to_override(house: House) -> asyncio.Task:
    house.add("good", secret=True)
    await house.until(Phase.UP, "good")
    await budget_used_up(house)
    house.server.close_takes = 1.0
    forcing = asyncio.create_task(house.manager.force_reconnection("good", override=True))
    await asyncio.sleep(0.5)
    assert house.status("good").phase is Phase.CONNECTING
    return forcing


async def test_an_override_is_not_lost_to_a_second_wish_without_one():
    async with House() as house:
        forcing = await closing_to_override(house)
        house.server.open = None
        outcomes = await asyncio.gather(forcing, house.manager.force_reconnection("good"))
        assert [result.ok for (result,) in outcomes] == [True, True]


async def test_an_override_ends_with_a_pause():
    async with House() as house:
        forcing = await closing_to_override(house)
        await house.manager.pause("good")
        await forcing
        opens = len(house.server.opens)
        house.manager.resume("good")
        await house.until(Phase.BLOCKED, "good")
        assert house.of(LoginWithheld, "good")
        assert len(house.server.opens) == opens


async def test_forcing_a_connection_whose_session_dies_in_the_same_turn_reconnects_it_now():
    async with House() as house:
        house.add()
        await until(lambda: house.status().stable)
        house.server.drop_all()
        (result,) = await house.manager.force_reconnection("one")
        assert result.ok
        assert house.status().phase is Phase.UP
        assert len(house.server.opens) == 2


@pytest.mark.parametrize("turns", range(12))
async def test_forcing_while_a_dead_session_is_closed_reconnects_at_once(turns):
    async with House() as house:
        house.server.abort_takes = 1.0
        house.add()
        await until(lambda: house.status().stable)
        house.server.drop_all()
        for _ in range(turns):
            await asyncio.sleep(0)
        (result,) = await house.manager.force_reconnection("one")
        assert result.ok
        assert result.seconds <= 1.0
        assert house.server.most_open == 1


async def test_a_refused_force_names_the_host_and_not_the_group():
    async with House() as house:
        house.server.open = WRONG_SECRET
        for number in range(4):
            house.add(f"c{number}", secret=True, group="office")
        await asyncio.sleep(10)
        (result,) = await house.manager.force_reconnection("c0")
        assert result.text.startswith("not tried: pbx1 refused too many logins")


# --- the watch ------------------------------------------------------------------------------------------


async def test_a_refresh_ends_with_the_session_and_its_late_answers_are_not_the_next_ones():
    async with House() as house:
        house.add()
        await house.until(Phase.UP)
        house.server.heartbeat = house.server.check = FakeServer.HANG
        refreshing = asyncio.create_task(house.manager.refresh_status("one"))
        await asyncio.sleep(1)
        house.server.heartbeat = house.server.check = None
        house.server.drop_all()
        (result,) = await refreshing
        assert (result.ok, result.text) == (False, "waiting: connection reset")
        await house.until(Phase.UP)
        await asyncio.sleep(15)
        assert not house.of(ProbeFailed)
        assert house.status().phase is Phase.UP


@pytest.mark.parametrize("turns", range(6))
@pytest.mark.parametrize("answer", [None, REFUSED], ids=["well", "fails"])
@pytest.mark.parametrize("probe", ["heartbeat", "check"])
async def test_an_answer_in_the_very_turns_of_a_pause_is_about_nobody(probe, answer, turns):
    async with House() as house:
        house.add()
        await house.until(Phase.UP)
        gate: asyncio.Future = asyncio.get_running_loop().create_future()

        async def ask():
            await house.server.answer(await gate)
            return 0.01 if probe == "heartbeat" else "all well"

        setattr(house.server.sessions[0], probe, ask)
        await asyncio.sleep(30.5)
        gate.set_result(answer)
        for _ in range(turns):
            await asyncio.sleep(0)
        await house.manager.pause("one")
        assert house.of(ConnectionEvent)[-1].status == house.status()
        assert isinstance(house.of(ConnectionEvent)[-1], StateChanged)
        assert (house.status().phase, house.status().stable) == (Phase.PAUSED, False)
        assert (house.status().failures, house.status().latency) == (0, None)


async def test_heartbeats_and_checks_that_fail_in_turn_never_give_a_session_up():
    async with House() as house:
        house.add()
        await house.until(Phase.UP)
        for _ in range(10):
            house.server.heartbeat = failure(stage=Stage.HEARTBEAT)
            await house.manager.refresh_status("one")
            assert (house.status().phase, house.status().failures) == (Phase.SUSPECT, 1)
            house.server.heartbeat, house.server.check = None, failure(stage=Stage.CHECK)
            await house.manager.refresh_status("one")
            assert (house.status().phase, house.status().failures) == (Phase.SUSPECT, 1)
            house.server.check = None
            await house.manager.refresh_status("one")
            assert (house.status().phase, house.status().failures) == (Phase.UP, 0)
        assert len(house.server.opens) == 1


# --- drivers that do what they must not -----------------------------------------------------------------


@pytest.mark.parametrize("where", ["open", "heartbeat", "check"])
async def test_a_cancellation_that_nobody_asked_for_is_a_failure_like_any_other(where):
    async with House() as house:
        setattr(house.server, where, asyncio.CancelledError())
        house.add()
        await house.until(Phase.WAITING, within=200)
        assert house.status().failure.reason == "unexpected Cancellation"
        setattr(house.server, where, None)
        await house.until(Phase.UP, within=200)


async def test_a_session_that_tells_its_end_by_a_cancellation_has_ended():
    async with House() as house:
        house.add()
        await house.until(Phase.UP)
        house.server.sessions[0].over.cancel()
        await house.until(Phase.WAITING, within=1)


async def test_a_session_whose_closing_is_cancelled_by_nobody_does_not_end_its_supervisor():
    async with House() as house:
        house.add()
        await house.until(Phase.UP)

        async def close(*, graceful: bool) -> None:
            raise asyncio.CancelledError

        house.server.sessions[0].close = close
        house.server.drop_all()
        await house.until(Phase.CONNECTING, within=10)


@pytest.mark.parametrize("outcome", [None, REFUSED], ids=["opens", "refuses"])
async def test_a_driver_that_swallows_a_cancellation_is_stopped_all_the_same(outcome):
    async with House() as house:
        house.server.open, house.server.swallow = FakeServer.HANG, True
        house.add()
        await asyncio.sleep(1)
        house.server.open = outcome
        async with asyncio.timeout(4):
            await house.manager.stop()
        assert not house.server.open_sessions
        assert house.of(ConnectionEvent)[-1].phase is Phase.STOPPED


async def test_a_heartbeat_that_swallows_its_cancellation_does_not_hold_a_dead_session():
    async with House() as house:
        house.server.heartbeat, house.server.swallow = FakeServer.HANG, True
        house.add()
        await asyncio.sleep(26)
        house.server.heartbeat = None
        house.server.drop_all()
        await until(lambda: len(house.server.opens) == 2, within=5)


async def test_a_supervisor_that_failed_lets_the_operator_go_and_can_be_taken_up_again(caplog):
    async with House() as house:
        house.server.open = REFUSED
        house.add(start_rate=0)
        await house.until(Phase.WAITING)
        life = house.manager._registry.supervisors["one"]._life
        decide, life._chance = life._chance, None
        house.server.open_takes = 1.0
        (result,) = await house.manager.force_reconnection("one")
        assert (result.ok, result.text) == (False, "stopped meanwhile")
        assert result.seconds == pytest.approx(1.0)
        assert house.status().failure.reason == "unexpected TypeError"
        life._chance, house.server.open = decide, None
        house.manager.resume("one")
        await house.until(Phase.UP)
    assert "the supervisor raised TypeError" in caplog.text


# --- what is held ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["drops", "hangs", "is forced", "is paused"])
async def test_no_dead_session_is_held_through_the_wait(how):
    async with House() as house:
        house.add()
        await until(lambda: house.status().stable)
        dead = weakref.ref(house.server.sessions[0])
        house.server.sessions.clear()
        gc.collect()
        gc.disable()
        try:
            house.server.open = REFUSED
            if how == "drops":
                house.server.drop_all()
            elif how == "hangs":
                house.server.heartbeat = FakeServer.HANG
            elif how == "is forced":
                await house.manager.force_reconnection("one")
            else:
                await house.manager.pause("one")
            await until(lambda: not house.status().phase.connected)
            await soon()
            if how == "is paused":
                gc.collect()  # A task group that is cancelled leaves a cycle of its own.
            assert dead() is None
        finally:
            gc.enable()


# --- credentials ----------------------------------------------------------------------------------------


async def test_a_secret_that_changed_while_the_old_one_was_being_refused_is_tried(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("wrong")
    async with House() as house:
        house.server.open = WRONG_SECRET
        house.server.open_takes = 5.0
        house.add_with_secret_file(secret)
        await until(lambda: len(house.server.opens) == 2)
        secret.write_text("right, at last")
        await house.until(Phase.BLOCKED)
        house.server.open = None
        await house.until(Phase.UP, within=40)


async def test_a_secret_that_changes_every_minute_is_remembered_once(tmp_path):
    secret = tmp_path / "secret"
    async with House() as house:
        secret.write_text("x")
        house.add_with_secret_file(secret)
        for length in range(2, 20):
            await house.until(Phase.UP)
            secret.write_text("x" * length)
            await house.manager.force_reconnection("one")
        credentials = house.manager._registry.supervisors["one"]._life._credentials
        assert len(credentials._accepted) == 1


async def test_a_changed_secret_that_finds_the_budget_used_up_waits_for_a_slot(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("wrong")
    async with House() as house:
        await budget_used_up(house)
        house.add_with_secret_file(secret)
        await house.until(Phase.BLOCKED)
        secret.write_text("right, at last")
        await asyncio.sleep(300)
        assert len(house.of(LoginWithheld, "one")) == 2
        house.server.open = None
        await house.until(Phase.UP, within=400)
