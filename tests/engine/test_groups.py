"""What connections of one host learn from each other, and how fast they are opened there."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from manager.endpoint import parse_endpoint
from manager.engine.pacing import Pacing
from manager.events import DoubtedBySibling, StateChanged, WokenBySibling
from manager.model import Failure, FailureClass, Phase, Stage
from manager.settings import Policy
from tests.engine.fakes import (
    LOST,
    REFUSED,
    WRONG_SECRET,
    FakeServer,
    FakeSettings,
    House,
    failure,
    until,
)
from tests.engine.virtual import VirtualClock

GAP = 1 / 80


def now() -> float:
    return asyncio.get_running_loop().time()


def own_server(house: House, name: str, opening: Failure | str | None = None, **settings) -> FakeServer:
    """Add a connection with a server of its own on the same host, which does `opening`."""
    server = house.servers[name] = FakeServer()
    server.open = opening
    house.add(name, **settings)
    return server


def scout(house: House, name: str = "first", **settings) -> FakeServer:
    """Add a connection that is refused, and is tried every two seconds without end."""
    return own_server(house, name, REFUSED, max_delay=2.0, max_attempts=1000, **settings)


def wakes(house: House, name: str) -> list[tuple[str, float]]:
    return [(event.sibling, event.status.deadline) for event in house.of(WokenBySibling, name)]


def gaps(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(times)]


# --- sibling wake ---------------------------------------------------------------------------------------


async def test_the_first_one_back_wakes_the_others_of_its_host_and_they_keep_their_numbers():
    async with House() as house:
        house.server.open = REFUSED
        house.add("first", max_delay=2.0, max_attempts=1000)
        house.add("one")
        house.add("two")
        await until(lambda: house.status("one").attempt == 7)
        left = house.status("one").deadline - now()
        house.server.open = None
        await house.until(Phase.UP, "first")
        back = now()
        await house.until(Phase.UP, "two")
        assert left > 20
        assert now() - back <= 3 * GAP
        assert (house.status("one").attempt, house.status("two").attempt) == (7, 7)
        assert [event.sibling for event in house.of(WokenBySibling)] == ["first", "first"]


async def test_a_sibling_is_up_before_those_that_it_wakes_are_told():
    async with House() as house:
        server = scout(house)
        own_server(house, "one", REFUSED)
        await until(lambda: house.status("one").attempt == 6)
        server.open = None
        await until(lambda: house.of(WokenBySibling))
        before = house.events[house.events.index(house.of(WokenBySibling)[0]) - 1]
        assert (before.connection, before.phase) == ("first", Phase.UP)


async def test_a_parked_connection_is_woken_and_still_has_no_number():
    async with House() as house:
        first = scout(house)
        parked = own_server(house, "parked", REFUSED, max_attempts=2, cooldown=0.0)
        await house.until(Phase.PARKED, "parked")
        first.open = parked.open = None
        await house.until(Phase.UP, "parked", within=3)
        assert house.status("parked").attempt == 0


async def test_a_parked_connection_that_is_woken_in_vain_is_parked_again():
    async with House() as house:
        first = scout(house)
        parked = own_server(house, "parked", REFUSED, max_attempts=2)
        await house.until(Phase.PARKED, "parked")
        first.open = None
        await until(lambda: len(parked.opens) == 4)
        assert house.status("parked").phase is Phase.PARKED
        assert house.status("parked").wait == 300.0


async def test_a_woken_attempt_that_fails_goes_on_with_the_schedule_as_if_its_time_had_come():
    async with House() as house:
        first = scout(house)
        own_server(house, "one", REFUSED)
        await until(lambda: house.status("one").attempt == 4)
        first.open = None
        await until(lambda: house.status("one").attempt == 5)
        assert len(wakes(house, "one")) == 1
        assert house.status("one").wait == 16.0
        await asyncio.sleep(15)
        assert house.status("one").attempt == 5


async def test_other_hosts_are_not_woken_unless_they_are_of_the_same_group():
    for group, woken in ((None, False), ("site", True)):
        async with House() as house:
            first = scout(house, group=group)
            own_server(house, "far", REFUSED, host="pbx2", group=group)
            await until(lambda house=house: house.status("far").attempt == 6)
            first.open = None
            await house.until(Phase.UP, "first")
            assert bool(wakes(house, "far")) is woken


async def test_a_connection_waits_in_the_group_of_the_endpoint_that_it_tries_next():
    async with House() as house:
        near = scout(house, "near")
        far = scout(house, "far", host="pbx2")
        mover = house.servers["mover"] = FakeServer()
        mover.open = REFUSED
        endpoints = (parse_endpoint("ami://pbx1"), parse_endpoint("ami://pbx2"))
        house.manager.add(FakeSettings(name="mover", endpoints=endpoints, policy=Policy(jitter=0.0)))
        await until(lambda: house.status("mover").attempt == 6)
        near.open = None
        await house.until(Phase.UP, "near")
        # Both were opened at once, then five attempts went from one to the other: the next is on the second.
        assert len(mover.opens) == 7
        assert not wakes(house, "mover")
        far.open = None
        await house.until(Phase.UP, "far")
        assert [sibling for sibling, _ in wakes(house, "mover")] == ["far"]


@pytest.mark.parametrize("kind", [FailureClass.PERMANENT, FailureClass.CONFIGURATION])
async def test_a_blocked_connection_is_not_woken(kind):
    async with House() as house:
        first = scout(house)
        blocked = own_server(house, "blocked", failure(kind))
        await house.until(Phase.BLOCKED, "blocked")
        first.open = None
        await until(lambda: house.status("first").stable)
        assert len(blocked.opens) == 1
        assert not house.of(WokenBySibling)


async def test_one_whose_credentials_were_refused_is_not_woken_to_be_refused_again():
    async with House() as house:
        first = own_server(house, "first", REFUSED, base_delay=0.5)
        refused = own_server(house, "refused", WRONG_SECRET, secret=True, base_delay=5.0)
        await house.until(Phase.WAITING, "refused")
        first.open = None
        await house.until(Phase.UP, "first")
        assert len(refused.opens) == 1
        assert not house.of(WokenBySibling)


async def test_one_that_the_login_budget_holds_back_is_not_woken():
    async with House() as house:
        first = scout(house)
        own_server(house, "late", REFUSED, secret=True)
        await until(lambda: house.status("late").attempt == 5)
        for number in range(4):
            own_server(house, f"c{number}", WRONG_SECRET, secret=True)
        await asyncio.sleep(2)
        assert house.manager.snapshot().budgets[0].next_free is not None
        first.open = None
        await house.until(Phase.UP, "first")
        assert house.status("late").phase is Phase.WAITING
        assert not house.of(WokenBySibling)


async def test_no_sibling_shortens_the_wait_that_a_server_asked_for():
    async with House() as house:
        first = scout(house)
        busy = own_server(house, "busy", REFUSED)
        await until(lambda: house.status("busy").attempt == 5)
        busy.open = failure(FailureClass.OVERLOAD, retry_after=10.0)
        await until(lambda: house.status("busy").attempt == 6)
        refused_at = busy.opens[-1]
        first.open = None
        await house.until(Phase.UP, "first")
        assert [at - refused_at for _, at in wakes(house, "busy")] == [pytest.approx(10.0)]
        assert house.status("busy").deadline - refused_at == pytest.approx(10.0)
        await until(lambda: len(busy.opens) == 7)
        assert busy.opens[-1] - refused_at == pytest.approx(10.0)


async def test_one_that_is_refused_while_sixty_come_back_again_and_again_is_not_hammered():
    async with House() as house:
        for number in range(60):
            house.add(f"c{number}")
        odd = own_server(house, "odd")
        await until(lambda: house.status("c59").stable)
        odd.open = REFUSED
        odd.drop_all()
        for _ in range(10):
            for session in list(house.server.open_sessions):
                session.drop()
                await asyncio.sleep(0.7)
        returns = [event for event in house.of(StateChanged) if event.phase is Phase.UP]
        assert len(returns) > 600
        assert 10 < len(wakes(house, "odd")) < 20
        early, *steps = gaps(odd.opens[1:])
        assert early < 1.0
        assert all(step >= min(2.0**n, 30.0) - 1e-6 for n, step in enumerate(steps))


async def test_a_sibling_that_comes_and_goes_wakes_the_others_once_until_it_is_stable():
    async with House() as house:
        flapping = own_server(house, "flapping", None, base_delay=0.5, max_delay=0.5, max_attempts=1000)
        own_server(house, "one", REFUSED)
        await until(lambda: house.status("flapping").stable)
        await until(lambda: house.status("one").attempt == 6)
        for _ in range(40):
            await house.until(Phase.UP, "flapping")
            flapping.drop_all()
            await house.until(Phase.WAITING, "flapping")
        assert len(flapping.opens) == 40
        assert len(wakes(house, "one")) == 1


async def test_a_return_that_nobody_waited_for_leaves_the_next_one_its_word():
    async with House() as house:
        first, one = own_server(house, "first"), own_server(house, "one")
        await house.until(Phase.UP, "one")
        first.open = one.open = REFUSED
        first.drop_all()
        one.drop_all()
        await until(lambda: house.status("first").attempt == 5)
        first.open = one.open = None
        await house.manager.force_reconnection("first")
        await asyncio.sleep(0.1)
        assert house.status("one").phase is Phase.UP


async def test_after_a_crash_loop_the_one_that_holds_wakes_the_parked_as_soon_as_it_is_stable():
    async with House() as house:
        looping = own_server(house, "looping", None, max_delay=2.0, max_attempts=1000)
        parked = own_server(house, "parked", REFUSED, max_attempts=2, cooldown=0.0)
        for _ in range(20):
            await house.until(Phase.UP, "looping")
            looping.drop_all()
            await house.until(Phase.WAITING, "looping")
        assert house.status("parked").phase is Phase.PARKED
        parked.open = None
        await house.until(Phase.UP, "looping")
        back = now()
        await house.until(Phase.UP, "parked", within=100)
        assert now() - back == pytest.approx(30, abs=0.1)


async def test_a_return_during_an_attempt_counts_as_soon_as_the_attempt_has_failed():
    async with House() as house:
        first = scout(house)
        late = own_server(house, "late", REFUSED)
        await until(lambda: house.status("late").attempt == 6)
        late.open = FakeServer.HANG
        await house.until(Phase.CONNECTING, "late")
        await asyncio.sleep(3)
        first.open = None
        await house.until(Phase.UP, "first")
        assert house.status("late").phase is Phase.CONNECTING
        late.open = None
        gives_up = late.opens[-1] + 15.0
        await house.until(Phase.UP, "late")
        assert now() == pytest.approx(gives_up, abs=GAP)
        assert house.status("late").attempt == 7


async def test_who_came_back_and_has_gone_since_wakes_nobody():
    async with House() as house:
        own_server(house, "late", FakeServer.HANG)
        await asyncio.sleep(1)
        house.add("gone")
        await house.until(Phase.UP, "gone")
        await house.manager.pause("gone")
        await house.until(Phase.WAITING, "late")
        await asyncio.sleep(0.1)
        assert not house.of(WokenBySibling)


async def test_a_return_before_an_attempt_or_a_loss_is_no_news_to_it():
    async with House() as house:
        first = scout(house)
        other = own_server(house, "other", None)
        await asyncio.sleep(40)
        first.open = None
        await house.until(Phase.UP, "first")
        other.open = REFUSED
        other.drop_all()
        await until(lambda: house.status("other").attempt == 3)
        assert not house.of(WokenBySibling, "other")


async def test_a_reconnection_that_was_asked_for_of_one_that_was_well_is_no_news():
    async with House() as house:
        house.add("well")
        own_server(house, "one", REFUSED)
        await until(lambda: house.status("well").stable and house.status("one").attempt == 6)
        told = len(wakes(house, "one"))
        await house.manager.force_reconnection("well")
        await until(lambda: house.status("well").stable)
        assert len(wakes(house, "one")) == told


async def test_sibling_wake_can_be_switched_off():
    async with House() as house:
        first = scout(house)
        own_server(house, "one", REFUSED, sibling_wake=False)
        await until(lambda: house.status("one").attempt == 6)
        first.open = None
        await until(lambda: house.status("first").stable)
        assert not house.of(WokenBySibling)


async def test_one_that_is_paused_as_its_sibling_comes_back_stays_paused():
    async with House() as house:
        first = scout(house)
        own_server(house, "one", REFUSED)
        await until(lambda: house.status("one").attempt == 6)
        first.open = None
        pausing = []

        def pause(event: StateChanged) -> None:
            if (event.connection, event.phase) == ("first", Phase.UP):
                pausing.append(asyncio.create_task(house.manager.pause("one")))

        house.manager.on("connection:stateChanged", pause)
        await asyncio.sleep(60)
        assert pausing
        assert house.status("one").phase is Phase.PAUSED
        assert house.status("one").deadline is None


async def test_those_that_are_woken_together_are_opened_one_after_the_other():
    async with House() as house:
        first = scout(house)
        house.server.open = REFUSED
        for number in range(100):
            house.add(f"c{number}", max_attempts=1, cooldown=10_000.0)
        await house.until(Phase.PARKED, "c99")
        house.server.open = first.open = None
        house.server.opens.clear()
        await house.until(Phase.UP, "c99", within=10)
        assert len(house.server.opens) == 100
        assert min(gaps(house.server.opens)) >= GAP - 1e-6


# --- sibling doubt --------------------------------------------------------------------------------------


async def test_one_that_dies_makes_the_others_of_its_host_send_a_heartbeat_now():
    async with House() as house:
        server = own_server(house, "tcp")
        other, far = own_server(house, "udp"), own_server(house, "far", host="pbx2")
        await asyncio.sleep(60)
        beats = other.sessions[0].heartbeats, far.sessions[0].heartbeats
        server.drop_all()
        await asyncio.sleep(0.1)
        assert (other.sessions[0].heartbeats, far.sessions[0].heartbeats) == (beats[0] + 1, beats[1])
        assert [(event.connection, event.sibling) for event in house.of(DoubtedBySibling)] == [("udp", "tcp")]


async def test_a_kill_is_noticed_over_udp_through_a_sibling_over_tcp():
    async with House() as house:
        tcp, udp = own_server(house, "tcp", None), own_server(house, "udp", None)
        await asyncio.sleep(60)
        udp.heartbeat = udp.check = udp.open = FakeServer.HANG
        tcp.open = REFUSED
        tcp.drop_all()
        killed = now()
        await house.until(Phase.SUSPECT, "udp")
        assert now() - killed <= 10.1
        await house.until(Phase.WAITING, "udp")
        assert now() - killed <= 16.1


async def test_a_doubt_that_arises_while_a_heartbeat_is_on_its_way_is_not_lost():
    async with House() as house:
        tcp, udp = own_server(house, "tcp"), own_server(house, "udp")
        await asyncio.sleep(60)
        asked = []

        async def heartbeat() -> float:
            asked.append(now())
            await asyncio.sleep(1)
            return 1.0

        udp.sessions[0].heartbeat = heartbeat
        await until(lambda: asked)
        tcp.drop_all()
        await asyncio.sleep(1.5)
        assert gaps(asked) == [pytest.approx(1.0)]


@pytest.mark.parametrize("why", [WRONG_SECRET, failure(FailureClass.PERMANENT, stage=Stage.SESSION)])
async def test_an_end_that_is_not_the_hosts_fault_casts_no_doubt(why):
    async with House() as house:
        server = own_server(house, "one")
        own_server(house, "other")
        await asyncio.sleep(60)
        server.open = REFUSED
        server.drop_all(why)
        await asyncio.sleep(10)
        assert not house.of(DoubtedBySibling)


async def test_an_end_that_was_asked_for_casts_no_doubt():
    async with House() as house:
        for name in ("one", "other", "third"):
            house.add(name)
        await asyncio.sleep(60)
        await house.manager.force_reconnection("one")
        await house.manager.pause("one")
        await house.manager.remove("other")
        await asyncio.sleep(10)
        assert not house.of(DoubtedBySibling)


async def test_fifty_deaths_doubt_the_others_once_in_five_seconds():
    async with House() as house:
        for number in range(50):
            own_server(house, f"c{number}")
        own_server(house, "well")
        await asyncio.sleep(60)
        for number in range(50):
            house.servers[f"c{number}"].open = REFUSED
            house.servers[f"c{number}"].drop_all()
            await asyncio.sleep(0.2)
        await asyncio.sleep(20)
        times = [event.time - house.events[0].time for event in house.of(DoubtedBySibling, "well")]
        assert len(times) == 3
        assert min(gaps(times)) > 4


async def test_a_death_soon_after_a_doubt_is_followed_by_another_doubt():
    async with House() as house:
        first, second = own_server(house, "first"), own_server(house, "second")
        own_server(house, "udp")
        await asyncio.sleep(60)
        first.open = second.open = REFUSED
        first.drop_all()
        await asyncio.sleep(2)
        second.drop_all()
        await asyncio.sleep(4)
        doubts = house.of(DoubtedBySibling, "udp")
        assert [event.sibling for event in doubts] == ["first", "second"]
        assert doubts[1].time - doubts[0].time == pytest.approx(5.0, abs=2 * GAP)


async def test_doubts_are_paced_like_opens():
    async with House() as house:
        for number in range(100):
            house.add(f"c{number}")
        own_server(house, "dies")
        await asyncio.sleep(60)
        house.servers["dies"].open = REFUSED
        house.servers["dies"].drop_all()
        await asyncio.sleep(3)
        times = [event.time - house.events[0].time for event in house.of(DoubtedBySibling)]
        assert len(times) == 100
        assert min(gaps(times)) >= GAP - 1e-6


async def test_a_suspect_is_asked_already():
    async with House() as house:
        dies, suspect = own_server(house, "dies"), own_server(house, "suspect")
        await asyncio.sleep(60)
        suspect.heartbeat = FakeServer.HANG
        await house.until(Phase.SUSPECT, "suspect")
        dies.open = REFUSED
        dies.drop_all()
        await asyncio.sleep(0.1)
        assert not house.of(DoubtedBySibling)


async def test_sibling_doubt_can_be_switched_off():
    async with House() as house:
        own_server(house, "calm", sibling_doubt=False)
        own_server(house, "dies").drop_all()
        await house.until(Phase.UP, "dies")
        house.servers["dies"].drop_all()
        await asyncio.sleep(10)
        assert not house.of(DoubtedBySibling)


@pytest.mark.parametrize("after", [0.0, 0.01, 0.3, 2.0])
async def test_a_round_of_doubt_ends_with_the_sessions_that_it_is_about(after):
    async with House() as house:
        for number in range(60):
            house.add(f"c{number}")
        first, second = own_server(house, "first"), own_server(house, "second")
        await asyncio.sleep(60)
        first.drop_all(LOST)
        await asyncio.sleep(after)
        second.drop_all(LOST)
        await asyncio.sleep(0)
        await house.manager.stop()
        timers = asyncio.get_running_loop()._scheduled
        assert not [timer for timer in timers if not timer.cancelled() and "Group" in repr(timer)]


# --- pacing ---------------------------------------------------------------------------------------------


async def test_first_starts_on_a_host_are_opened_eighty_a_second_in_their_order():
    async with House() as house:
        house.server.open = FakeServer.HANG
        for number in range(200):
            house.add(f"c{number}")
        house.add("far", host="pbx2")
        await asyncio.sleep(3)
        opens = sorted(house.server.opens)
        assert opens[:2] == [0.0, 0.0], "the other host does not wait"
        assert gaps(opens[1:]) == pytest.approx([GAP] * 199)


async def test_eight_waits_that_end_together_are_over_within_a_tenth_of_a_second_of_their_deadline():
    async with House() as house:
        for number in range(8):
            house.add(f"c{number}")
        await house.until(Phase.UP, "c7")
        house.server.open = REFUSED
        house.server.drop_all()
        await asyncio.sleep(0.1)
        deadlines = [house.status(f"c{number}").deadline for number in range(8)]
        house.server.opens.clear()
        await until(lambda: len(house.server.opens) == 8)
        assert len(set(deadlines)) == 1
        assert max(house.server.opens) - deadlines[0] <= 0.1
        assert min(gaps(house.server.opens)) >= GAP - 1e-6


async def test_what_operators_force_is_paced_too():
    async with House() as house:
        for number in range(100):
            house.add(f"c{number}")
        await house.until(Phase.UP, "c99")
        house.server.opens.clear()
        results = await house.manager.force_reconnection()
        assert all(result.ok for result in results)
        assert min(gaps(house.server.opens)) >= GAP - 1e-6


async def test_a_rate_of_nothing_is_no_bound():
    async with House() as house:
        house.server.open = FakeServer.HANG
        for number in range(200):
            house.add(f"c{number}", start_rate=0)
        await asyncio.sleep(0.001)
        assert house.server.opens == [0.0] * 200


async def test_who_leaves_the_line_costs_the_others_nothing():
    async with House() as house:
        house.server.open = FakeServer.HANG
        for number in range(100):
            house.add(f"c{number}")
        await asyncio.sleep(0.001)
        await asyncio.gather(*(house.manager.pause(f"c{number}") for number in range(1, 99)))
        await asyncio.sleep(1)
        assert house.server.opens == pytest.approx([0.0, GAP])


async def test_timers_that_are_late_do_not_add_up(monkeypatch):
    on_time = asyncio.sleep

    async def late(seconds: float) -> None:
        await on_time(seconds + 0.002)

    monkeypatch.setattr(asyncio, "sleep", late)
    pacing = Pacing(VirtualClock())
    for _ in range(8):
        await pacing.turn("pbx1", 80)
    assert now() == pytest.approx(7 * GAP + 0.002)


async def test_a_connect_that_stood_in_line_has_its_whole_deadline():
    async with House() as house:
        house.server.open = FakeServer.HANG
        for number in range(100):
            house.add(f"c{number}", connect_timeout=0.5)
        await house.until(Phase.WAITING, "c99")
        assert now() == pytest.approx(99 * GAP + 0.5)
