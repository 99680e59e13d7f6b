"""What is remembered of a connection: read from the events, bounded, and true to them."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.chronicle import CHANGES, FAILURES, SAMPLES, WINDOW, Chronicle
from manager.errors import UnknownConnectionError
from manager.events import ProbeAnswered, ProbeFailed, StateChanged
from manager.model import Phase, Status
from tests.engine.fakes import LOST, REFUSED, House, until
from tests.engine.virtual import WALL_START


async def test_the_timeline_is_that_of_the_events():
    async with House() as house:
        house.server.open = REFUSED
        house.add()
        await house.until(Phase.WAITING)
        house.server.open = None
        await house.until(Phase.UP)
        history = house.manager.history("one")
        changes = house.of(StateChanged)
        assert [(each.time, each.phase, each.previous) for each in history.phases] == [
            (event.time, event.phase, event.previous) for event in changes
        ]
        assert [each.phase for each in history.phases] == ["connecting", "waiting", "connecting", "up"]
        assert (history.phases[1].wait, history.phases[1].failure) == (1.0, REFUSED)


async def test_attempts_say_when_they_began_and_ended_and_why_they_failed():
    async with House() as house:
        house.server.open = REFUSED
        house.server.open_takes = 2.0
        house.add()
        await house.until(Phase.WAITING)
        house.server.open = None
        await house.until(Phase.UP)
        first, second = house.manager.history("one").attempts
        assert (first.generation, first.number, first.succeeded, first.failure) == (1, 0, False, REFUSED)
        assert (first.started, first.duration) == (WALL_START, 2.0)
        assert (second.generation, second.number, second.succeeded, second.failure) == (2, 1, True, None)
        assert (second.started, second.duration) == (WALL_START + 3.0, 2.0)


async def test_an_attempt_under_way_has_no_end():
    async with House() as house:
        house.server.open_takes = 5.0
        house.add()
        await house.until(Phase.CONNECTING)
        (attempt,) = house.manager.history("one").attempts
        assert (attempt.ended, attempt.duration, attempt.succeeded) == (None, None, False)


async def test_an_attempt_that_was_stopped_did_not_fail():
    async with House() as house:
        house.server.open_takes = 5.0
        house.add()
        await house.until(Phase.CONNECTING)
        await house.manager.pause("one")
        (attempt,) = house.manager.history("one").attempts
        assert (attempt.succeeded, attempt.failure) == (False, None)
        assert attempt.ended is not None


async def test_a_session_says_until_when_it_was_up_and_what_ended_it():
    async with House() as house:
        house.add()
        await house.until(Phase.UP)
        await asyncio.sleep(100)
        house.server.drop_all()
        await house.until(Phase.WAITING)
        await house.until(Phase.UP)
        await house.manager.force_reconnection("one")
        await house.manager.pause("one")
        lost, reopened, paused = house.manager.history("one").sessions
        assert lost.until is not None
        assert (lost.until - lost.since, lost.failure, lost.followed_by) == (100.0, LOST, Phase.WAITING)
        assert (reopened.failure, reopened.followed_by) == (None, Phase.CONNECTING)
        assert (paused.failure, paused.followed_by) == (None, Phase.PAUSED)
        assert [each.generation for each in (lost, reopened, paused)] == [1, 2, 3]


async def test_a_suspect_is_the_same_session():
    async with House() as house:
        house.add()
        await house.until(Phase.UP)
        house.server.heartbeat = LOST
        await house.until(Phase.SUSPECT)
        house.server.heartbeat = None
        await house.until(Phase.UP)
        (session,) = house.manager.history("one").sessions
        assert session.until is None


async def test_heartbeats_of_the_last_hour_are_held_and_lost_ones_are_marked():
    async with House() as house:
        house.add()
        await house.until(Phase.UP)
        await asyncio.sleep(3 * WINDOW)
        house.server.heartbeat = LOST
        await house.until(Phase.SUSPECT)
        history = house.manager.history("one")
        now = house.clock.wall()
        answered = [sample.latency for sample in history.samples[:-1]]
        assert answered == pytest.approx([0.01] * (int(WINDOW) // 25), abs=1e-6)
        assert history.samples[-1].latency is None
        assert all(now - WINDOW <= sample.time <= now for sample in history.samples)
        assert [(seen.probe, seen.failure) for seen in history.failures] == [("heartbeat", LOST)]


async def test_failures_of_probes_and_of_sessions_stand_in_one_order():
    async with House() as house:
        house.add()
        await house.until(Phase.UP)
        house.server.check = LOST
        await until(lambda: house.status().phase is Phase.SUSPECT)
        house.server.open = REFUSED
        house.server.drop_all()
        await house.until(Phase.WAITING)
        probes = [seen.probe for seen in house.manager.history("one").failures]
        assert probes == ["check", ""]


async def test_what_is_held_is_bounded_and_what_is_dropped_is_counted():
    async with House() as house:
        house.server.open = REFUSED
        house.add(max_attempts=1, cooldown=1.0, peek=False)
        await until(lambda: house.status().generation > CHANGES)
        history = house.manager.history("one")
        assert len(history.phases) == CHANGES
        assert history.dropped == len(house.of(StateChanged)) - CHANGES
        assert len(history.failures) == FAILURES
        assert history.attempts[-1].generation == house.status().generation


async def test_a_removed_connection_has_no_history_and_a_new_one_of_its_name_begins_anew():
    async with House() as house:
        house.add()
        await house.until(Phase.UP)
        await house.manager.remove("one")
        with pytest.raises(UnknownConnectionError):
            house.manager.history("one")
        house.server.open = REFUSED
        house.add()
        await house.until(Phase.WAITING)
        assert [each.phase for each in house.manager.history("one").phases] == ["connecting", "waiting"]


@given(st.lists(st.tuples(st.floats(0, 30), st.sampled_from(["answered", "failed"])), max_size=1500))
def test_no_more_heartbeats_are_held_than_the_bound(steps: list[tuple[float, str]]):
    chronicle, now = Chronicle(), WALL_START
    status = Status(name="one", type="fake", group="g", phase=Phase.UP, since=now, latency=0.5)
    for number, (step, outcome) in enumerate(steps, start=1):
        now += step
        common = {"seq": number, "time": now, "health": 100, "status": status, "probe": "heartbeat"}
        chronicle.note(
            ProbeAnswered(**common) if outcome == "answered" else ProbeFailed(**common, failure=LOST)
        )
    history = chronicle.history("one", now)
    recent = [now_ for now_ in _times(steps) if now_ >= now - WINDOW][-SAMPLES:]
    assert [sample.time for sample in history.samples] == recent
    assert len(history.failures) <= FAILURES


def _times(steps: list[tuple[float, str]]) -> list[float]:
    found, now = [], WALL_START
    for step, _ in steps:
        now += step
        found.append(now)
    return found
