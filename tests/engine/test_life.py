"""One connection's life, in virtual time with the default numbers and no jitter unless a test says so."""

from __future__ import annotations

import asyncio

import pytest

from manager.events import MaxAttemptsReached, ProbeFailed, Recovered, Stable, StateChanged, replay
from manager.model import FailureClass, Phase, Stage
from tests.engine.fakes import LOST, REFUSED, FakeServer, House, failure, until

SCHEDULE = [1, 2, 4, 8, 16, *[30] * 10]


def phases(house: House, name: str = "one") -> list[Phase]:
    return [event.phase for event in house.of(StateChanged, name)]


async def test_the_first_open_is_immediate_and_has_no_number():
    async with House() as house:
        house.add()
        await house.until(Phase.UP)
        assert house.server.opens == [0.0]
        assert house.status().attempt == 0


async def test_a_server_that_refuses_is_tried_on_the_exact_schedule_and_then_parked():
    async with House() as house:
        house.server.open = REFUSED
        house.add()
        await house.until(Phase.PARKED)
        waits = [event.status for event in house.of(StateChanged) if event.phase is Phase.WAITING]
        assert [status.wait for status in waits] == SCHEDULE
        assert [status.attempt for status in waits] == list(range(1, 16))
        assert house.server.opens == [float(sum(SCHEDULE[:n])) for n in range(16)]
        assert house.server.opens[-1] == 331.0


async def test_the_last_attempt_is_announced_once_then_probed_slowly_until_it_recovers_by_itself():
    async with House() as house:
        house.server.open = REFUSED
        house.add()
        await house.until(Phase.PARKED)
        await asyncio.sleep(3 * 300 + 1)
        assert house.server.opens[16:] == [631.0, 931.0, 1231.0]
        assert len(house.of(MaxAttemptsReached)) == 1
        assert house.status().attempt == 0
        house.server.open = None
        await house.until(Phase.UP)
        await until(lambda: house.status().stable)
        assert len(house.of(MaxAttemptsReached)) == 1


async def test_without_a_cooldown_a_parked_connection_waits_for_a_person():
    async with House() as house:
        house.server.open = REFUSED
        house.add(max_attempts=2, cooldown=0.0)
        await house.until(Phase.PARKED)
        assert house.status().deadline is None
        await asyncio.sleep(100_000)
        assert len(house.server.opens) == 3


async def test_a_server_that_accepts_and_drops_still_reaches_the_last_attempt():
    async with House() as house:
        house.add()
        async with asyncio.timeout(5000):
            while house.status().phase is not Phase.PARKED:
                await asyncio.sleep(0.05)
                house.server.drop_all()
        assert [e.status.attempt for e in house.of(StateChanged) if e.phase is Phase.WAITING] == list(
            range(1, 16)
        )
        assert len(house.of(MaxAttemptsReached)) == 1


async def test_a_server_that_hangs_after_the_login_still_reaches_the_last_attempt():
    async with House() as house:
        house.server.heartbeat = FakeServer.HANG
        house.add()
        await house.until(Phase.PARKED)
        assert len(house.server.opens) == 16
        assert not house.of(Stable)


async def test_attempts_count_from_nothing_again_once_a_session_is_stable():
    async with House() as house:
        house.server.open = REFUSED
        house.add()
        await until(lambda: house.status().attempt == 5)
        house.server.open = None
        await house.until(Phase.UP)
        assert house.status().attempt == 5
        await until(lambda: house.status().stable)
        assert house.status().attempt == 0
        house.server.drop_all()
        await house.until(Phase.WAITING)
        assert (house.status().attempt, house.status().wait) == (1, 1.0)


async def test_a_session_is_stable_after_thirty_seconds_with_a_heartbeat_answered():
    async with House() as house:
        house.add()
        await house.until(Phase.UP)
        await asyncio.sleep(29.9)
        assert not house.status().stable
        await asyncio.sleep(0.2)
        assert house.status().stable


async def test_a_session_is_not_stable_before_its_first_heartbeat_is_answered():
    async with House() as house:
        house.add(heartbeat_interval=60.0)
        await house.until(Phase.UP)
        await asyncio.sleep(59)
        assert not house.status().stable
        await asyncio.sleep(2)
        assert house.status().stable


async def test_a_hung_peer_is_suspect_after_35_seconds_and_given_up_after_41():
    async with House() as house:
        house.add()
        await until(lambda: house.status().stable)
        beats = house.server.sessions[0].heartbeats
        await until(lambda: house.server.sessions[0].heartbeats > beats)
        start = asyncio.get_running_loop().time()
        house.server.heartbeat = house.server.check = FakeServer.HANG
        await house.until(Phase.SUSPECT)
        suspect = asyncio.get_running_loop().time() - start
        await house.until(Phase.WAITING)
        given_up = asyncio.get_running_loop().time() - start
        assert suspect <= 35.1
        assert given_up <= 41.1
        assert house.server.sessions[0].closed == [False]


async def test_a_refresh_of_a_hung_peer_does_not_put_off_that_it_is_given_up():
    async with House() as house:
        house.add()
        await house.until(Phase.UP)
        house.server.heartbeat = FakeServer.HANG
        await asyncio.sleep(26)
        refresh = asyncio.create_task(house.manager.refresh_status("one"))
        await house.until(Phase.WAITING)
        assert asyncio.get_running_loop().time() <= 41.1
        await refresh


async def test_the_first_heartbeat_that_fails_names_the_silence():
    async with House() as house:
        house.server.heartbeat = FakeServer.HANG
        house.add()
        await house.until(Phase.SUSPECT)
        assert house.status().failure.reason == "no answer to a heartbeat in 10 s"
        assert (house.status().failures, house.status().score) == (1, 67)


async def test_heartbeats_that_fail_at_once_are_paced_by_the_short_deadline():
    async with House() as house:
        house.server.heartbeat = failure(reason="not well", stage=Stage.HEARTBEAT)
        house.add()
        await house.until(Phase.WAITING)
        times = [event.time - house.events[0].time for event in house.of(ProbeFailed)]
        assert times == pytest.approx([25.0, 28.0, 31.0])


async def test_a_suspect_that_answers_is_up_again_with_its_points_back():
    async with House() as house:
        house.server.heartbeat = FakeServer.HANG
        house.add()
        await house.until(Phase.SUSPECT)
        house.server.heartbeat = None
        await house.until(Phase.UP)
        assert (house.status().failures, house.status().score) == (0, 100)
        assert len(house.server.opens) == 1


async def test_a_check_that_never_works_is_not_hidden_by_heartbeats_that_do():
    async with House() as house:
        house.server.check = failure(reason="no binding", stage=Stage.CHECK)
        house.add()
        await house.until(Phase.SUSPECT)
        assert asyncio.get_running_loop().time() == pytest.approx(30.0)
        await house.until(Phase.WAITING)
        assert asyncio.get_running_loop().time() == pytest.approx(90.0)
        assert house.status().failure.reason == "no binding"


async def test_a_failed_check_sends_a_heartbeat_at_once():
    async with House() as house:
        house.server.check = failure(reason="no binding", stage=Stage.CHECK)
        house.add()
        await house.until(Phase.SUSPECT)
        await asyncio.sleep(0.1)
        assert house.server.sessions[0].heartbeats == 2


async def test_refreshes_are_counted_apart_and_end_the_session_at_the_threshold():
    async with House() as house:
        house.add()
        await house.until(Phase.UP)
        session = house.server.sessions[0]
        session.listener.refreshed(failure(stage=Stage.REFRESH))
        assert house.status().phase is Phase.SUSPECT
        session.listener.refreshed(None)
        assert house.status().phase is Phase.UP
        for _ in range(3):
            session.listener.refreshed(failure(stage=Stage.REFRESH))
        await house.until(Phase.WAITING)


async def test_a_probe_that_says_the_credentials_are_no_longer_good_ends_the_session_at_once():
    async with House() as house:
        house.server.heartbeat = failure(FailureClass.CREDENTIALS, "forbidden", stage=Stage.HEARTBEAT)
        house.add()
        await house.until(Phase.WAITING)
        assert len(house.of(ProbeFailed)) == 1


async def test_a_session_that_dies_by_itself_waits_for_its_next_attempt_at_once():
    async with House() as house:
        house.add()
        await house.until(Phase.UP)
        house.server.drop_all()
        await house.until(Phase.WAITING)
        assert house.status().failure == LOST
        assert phases(house) == [Phase.CONNECTING, Phase.UP, Phase.WAITING]
        assert house.status().drops == 1


async def test_opening_has_one_deadline_and_the_failure_names_the_stage_it_struck_in():
    async with House() as house:
        house.server.open, house.server.stage = FakeServer.HANG, Stage.LOGIN
        house.add()
        await house.until(Phase.WAITING)
        assert asyncio.get_running_loop().time() == pytest.approx(15.0)
        assert house.status().failure.reason == "no answer in 15 s (login)"
        assert house.status().failure.hint


async def test_the_attempt_starts_at_its_deadline_and_the_row_turns_to_connecting_on_that_event():
    async with House() as house:
        house.server.open = REFUSED
        house.add()
        await until(lambda: house.status().attempt == 4)
        deadline = house.status().deadline
        await house.until(Phase.CONNECTING)
        assert house.server.opens[-1] == pytest.approx(deadline)


async def test_jitter_only_ever_shortens_a_wait():
    async with House(chance=lambda: 1.0) as house:
        house.server.open = REFUSED
        house.add(jitter=0.2)
        await house.until(Phase.PARKED)
        waits = [event.status.wait for event in house.of(StateChanged) if event.phase is Phase.WAITING]
        assert waits == pytest.approx([0.8 * seconds for seconds in SCHEDULE])


@pytest.mark.parametrize("kind", [FailureClass.PERMANENT, FailureClass.CONFIGURATION])
async def test_a_refusal_that_trying_again_will_not_change_blocks_and_is_tried_once_in_a_long_while(kind):
    async with House() as house:
        house.server.open = failure(kind, "forbidden")
        house.add()
        await house.until(Phase.BLOCKED)
        await asyncio.sleep(1801)
        assert house.server.opens == [0.0, 1800.0]
        house.server.open = None
        await house.until(Phase.UP)


async def test_a_blocked_connection_that_finds_the_server_down_walks_the_schedule_from_its_start():
    async with House() as house:
        house.server.open = failure(FailureClass.PERMANENT)
        house.add()
        await house.until(Phase.BLOCKED)
        house.server.open = REFUSED
        await house.until(Phase.WAITING)
        assert (house.status().attempt, house.status().wait) == (1, 1.0)


async def test_a_server_that_asks_for_patience_gets_it_up_to_the_longest_wait_of_the_policy():
    async with House() as house:
        house.server.open = failure(FailureClass.OVERLOAD, retry_after=90.0)
        house.add()
        await house.until(Phase.WAITING)
        assert house.status().wait == 90.0
        house.server.open = failure(FailureClass.OVERLOAD, retry_after=1e9)
        await until(lambda: house.status().attempt == 2 and house.status().phase is Phase.WAITING)
        assert house.status().wait == 1800.0


@pytest.mark.parametrize("where", ["open", "heartbeat", "check"])
async def test_a_driver_that_raises_what_it_must_not_costs_an_attempt_and_nothing_more(where, caplog):
    async with House() as house:
        setattr(house.server, where, KeyError("canary-in-the-text"))
        house.add()
        house.add("two")
        await house.until(Phase.WAITING)
        assert house.status().failure.reason == "unexpected KeyError"
        setattr(house.server, where, None)
        await house.until(Phase.UP)
        await house.until(Phase.UP, "two")
    assert "canary-in-the-text" not in caplog.text
    assert "fakes.py" in caplog.text


async def test_recovery_tells_how_long_the_outage_was_and_how_many_attempts_it_took():
    async with House() as house:
        house.add()
        await until(lambda: house.status().stable)
        house.server.open = REFUSED
        house.server.drop_all()
        await until(lambda: house.status().attempt == 4)
        house.server.open = None
        await until(lambda: house.status().stable)
        (recovered,) = house.of(Recovered)
        assert recovered.downtime == pytest.approx(15.0)
        assert recovered.attempts == 4
        assert recovered.status.down_since is None


async def test_a_connection_that_comes_up_for_the_first_time_has_nothing_to_recover_from():
    async with House() as house:
        house.server.open = REFUSED
        house.add()
        await until(lambda: house.status().attempt == 3)
        house.server.open = None
        await until(lambda: house.status().stable)
        assert not house.of(Recovered)


async def test_replaying_the_events_gives_exactly_the_snapshot_at_every_moment():
    async with House() as house:
        for name in ("one", "two"):
            house.add(name)
        steps = [None, REFUSED, FakeServer.HANG, None, failure(FailureClass.PERMANENT), None]
        for step in steps:
            house.server.open = house.server.heartbeat = step
            house.server.drop_all()
            for _ in range(40):
                await asyncio.sleep(1.7)
                snapshot = house.manager.snapshot()
                assert replay(house.events) == {status.name: status for status in snapshot.statuses}
                assert house.events[-1].health == snapshot.health
        await house.manager.remove("two")
        await asyncio.sleep(0)
        assert set(replay(house.events)) == {"one"}


async def test_event_numbers_have_no_gaps():
    async with House() as house:
        house.server.open = REFUSED
        house.add()
        await house.until(Phase.PARKED)
        assert [event.seq for event in house.events] == list(range(1, len(house.events) + 1))


async def test_there_is_never_more_than_one_session():
    async with House() as house:
        house.server.close_takes = 1.5
        house.add()
        for _ in range(5):
            await house.until(Phase.UP)
            await house.manager.force_reconnection("one")
            house.server.drop_all()
        assert house.server.most_open == 1


async def test_what_is_being_brought_back_is_told_with_where_its_reconnection_stands():
    async with House() as house:
        house.servers["lost"] = FakeServer()
        house.servers["lost"].open = REFUSED
        for name in ("well", "lost", "paused"):
            house.add(name)
        await house.until(Phase.UP, "well")
        await house.manager.pause("paused")
        await until(lambda: house.status("lost").attempt == 3)
        (lost,) = house.manager.reconnect_state.values()
        assert (lost.name, lost.attempt, lost.max_attempts, lost.wait) == ("lost", 3, 15, 4.0)
