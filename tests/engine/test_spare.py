"""A second session on another endpoint: when it is opened, what it takes over, and what it leaves alone."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from manager.endpoint import parse_endpoint
from manager.engine.homing import WELL_FOR
from manager.events import (
    EndpointChanged,
    Event,
    FailedOver,
    Recovered,
    SpareChanged,
    StateChanged,
    replay,
)
from manager.model import FailureClass, Phase, Stage, Status
from manager.secret import Secret, SecretSource
from manager.settings import Policy, Strategy
from manager.wire import WireKind
from tests.engine.fakes import CANARY, LOST, REFUSED, WRONG_SECRET, FakeServer, FakeSettings, failure, until
from tests.engine.site import Driver, Site, StandbyDriver
from tests.engine.test_cancellation import give_up, timers, turns


def now() -> float:
    return asyncio.get_running_loop().time()


class Pair(Site):
    """A connection with a spare on two hosts, or more."""

    def __init__(self, driver: type[Driver] = StandbyDriver, hosts: str = "ab", **settings) -> None:
        super().__init__(driver, hosts=hosts, spare=True, **settings)

    async def __aexit__(self, *_: object) -> None:
        await super().__aexit__()
        assert self.most_open <= 2, "more than one spare"
        assert replay(self.house.events) == self.house.manager.get_connection_status()

    async def warm(self, host: str = "b") -> None:
        """Wait until a spare stands by that is stable itself."""
        await until(lambda: self.spare_is(Phase.UP, host))
        await asyncio.sleep(40)
        assert self.spare_is(Phase.UP, host)

    def spare_is(self, phase: Phase, host: str = "") -> bool:
        spare = self.status.spare
        return spare is not None and spare.phase is phase and spare.endpoint.startswith(host)

    @property
    def spares(self) -> list[Phase]:
        return [event.status.spare.phase for event in self.of(SpareChanged) if event.status.spare]

    def of(self, kind: type[Event]) -> list:
        return self.house.of(kind)


def untouched(status: Status) -> tuple[object, ...]:
    return (status.phase, status.attempt, status.drops, status.generation, status.score, status.failure)


# --- when there is one ----------------------------------------------------------------------------------


async def test_it_is_opened_on_another_endpoint_once_the_connection_is_stable_and_not_before():
    async with Pair() as site:
        await site.house.until(Phase.UP)
        await asyncio.sleep(29)
        assert site.opened == [("a", 0)]
        assert site.status.spare is None
        await site.stable()
        await until(lambda: site.spare_is(Phase.UP, "b"), within=1)
        assert site.opened == [("a", 0), ("b", None)]
        assert site.spares == [Phase.CONNECTING, Phase.UP]


async def test_a_connection_without_the_wish_has_none():
    async with Site(hosts="ab") as site:
        await site.stable()
        await asyncio.sleep(1000)
        assert (site.opened, site.status.spare) == ([("a", 0)], None)


def test_a_spare_needs_a_second_endpoint():
    with pytest.raises(ValueError, match="second endpoint"):
        FakeSettings(name="one", endpoints=(parse_endpoint("ami://a"),), spare=True)


async def test_it_is_asked_for_signs_of_life_of_its_own():
    async with Pair() as site:
        await site.warm()
        await asyncio.sleep(200)
        (spare,) = site.servers["b"].open_sessions
        assert spare.heartbeats >= 8
        assert spare.checks >= 6


async def test_what_it_receives_is_dropped_until_it_takes_over():
    async with Pair() as site:
        await site.warm()
        (spare,) = site.servers["b"].open_sessions
        messages = site.house.manager.messages("one")
        spare.listener.received("as a spare")
        site.servers["a"].drop_all()
        await site.up_on("b")
        spare.listener.received("in use")
        assert await anext(messages) == "in use"


async def test_what_goes_over_its_wire_is_kept_and_bears_a_number_once_it_has_taken_over():
    async with Pair() as site:
        await site.warm()
        (spare,) = site.servers["b"].open_sessions
        spare.listener.wire(WireKind.AMI, b"as a spare", sent=True)
        site.servers["a"].drop_all()
        await site.up_on("b")
        spare.listener.wire(WireKind.AMI, b"in use", sent=True)
        kept = site.house.manager.wire("one")
        told = [await anext(kept), await anext(kept)]
        await kept.aclose()
        assert [(each.generation, each.endpoint) for each in told] == [(0, "b:5038"), (2, "b:5038")]


# --- taking over ----------------------------------------------------------------------------------------


async def test_it_takes_over_in_a_turn_of_the_loop_without_a_connect_and_without_a_wait():
    async with Pair() as site:
        await site.warm()
        (spare,) = site.servers["b"].open_sessions
        site.house.events.clear()
        opened, generation, lost = len(site.opened), site.status.generation, now()
        site.refuse("a", why=LOST)
        await turns(8)
        assert now() == lost
        assert site.status.phase is Phase.UP
        assert site.host == "b"
        assert site.house.manager.session("one") is spare
        assert spare.promotions == 1
        assert len(site.opened) == opened
        assert (site.status.generation, site.status.drops) == (generation + 1, 1)
        (told,) = site.of(FailedOver)
        assert (told.previous, told.status.endpoint, told.failure) == ("a:5038", "b:5038", LOST)
        assert [event.previous for event in site.of(EndpointChanged)] == ["a:5038"]
        assert [event.downtime for event in site.of(Recovered)] == [0.0]
        assert site.of(StateChanged) == []
        assert {event.health for event in site.house.events} == {100}


async def test_one_that_was_stable_is_stable_at_once_and_another_is_not_before_its_time():
    async with Pair() as site:
        await site.warm()
        site.servers["a"].drop_all()
        await turns(8)
        assert (site.status.stable, site.status.failure) == (True, None)
    async with Pair() as site:
        await until(lambda: site.spare_is(Phase.UP))
        opened = now()
        site.servers["a"].drop_all()
        await turns(8)
        assert (site.host, site.status.stable, site.status.failure) == ("b", False, LOST)
        assert site.status.down_since is not None
        await site.stable()
        assert now() - opened == pytest.approx(30, abs=1)


async def test_the_endpoint_that_failed_is_not_opened_before_it_is_no_longer_set_aside():
    async with Pair(strategy=Strategy.ROUND_ROBIN) as site:
        await site.warm()
        site.opened.clear()
        lost = now()
        site.servers["a"].drop_all()
        await until(lambda: bool(site.opened))
        assert now() - lost == pytest.approx(30, abs=1)
        assert site.opened == [("a", None)]
        assert Phase.WAITING in site.spares


async def test_the_next_spare_is_opened_on_a_third_endpoint_at_once():
    async with Pair(hosts="abc", strategy=Strategy.ROUND_ROBIN) as site:
        await site.warm()
        site.refuse("a")
        await until(lambda: site.spare_is(Phase.UP, "c"), within=1)
        assert site.host == "b"


async def test_a_hung_session_is_replaced_when_it_is_given_up():
    async with Pair() as site:
        await site.warm()
        site.servers["a"].heartbeat = site.servers["a"].check = FakeServer.HANG
        await site.up_on("b")
        phases = [event.phase for event in site.of(StateChanged)]
        assert phases[-2:] == [Phase.SUSPECT, Phase.UP]
        assert len(site.of(FailedOver)) == 1
        assert site.status.failures == 0


async def test_a_dead_session_that_takes_its_time_to_close_holds_nobody_up_and_no_third_is_opened():
    async with Pair() as site:
        await site.warm()
        site.servers["a"].abort_takes = 2.0
        site.servers["a"].drop_all()
        await turns(8)
        assert (site.host, site.status.stable) == ("b", True)
        await asyncio.sleep(100)


async def test_a_promotion_that_hangs_ends_the_session_in_time_and_reconnects():
    async with Pair() as site:
        await site.warm()
        site.servers["b"].promote = FakeServer.HANG
        lost = now()
        site.refuse("a")
        await until(lambda: site.status.phase is not Phase.UP)
        assert now() - lost == pytest.approx(3, abs=0.2)
        why = [event.status.failure.stage for event in site.of(StateChanged) if event.phase is Phase.WAITING]
        assert why[0] is Stage.TAKEOVER
        assert site.status.drops == 2
        site.servers["b"].promote = None
        await site.up_on("b")


@pytest.mark.parametrize("answers", [True, False])
async def test_a_promotion_that_nobody_answers_is_followed_by_a_heartbeat_at_once(answers):
    async with Pair() as site:
        await site.warm()
        site.servers["b"].answers_promotions = answers
        (spare,) = site.servers["b"].open_sessions
        before = spare.heartbeats
        site.servers["a"].drop_all()
        await asyncio.sleep(0.1)
        assert spare.heartbeats == before + (not answers)


async def test_a_type_that_knows_no_spares_takes_over_all_the_same_with_a_heartbeat_as_its_one_message():
    async with Pair(Driver) as site:
        await site.warm()
        (spare,) = site.servers["b"].open_sessions
        before = spare.heartbeats
        site.servers["a"].drop_all()
        await asyncio.sleep(0.1)
        assert (site.host, spare.heartbeats) == ("b", before + 1)


async def test_a_suspect_takes_nothing_over():
    async with Pair() as site:
        await site.warm()
        site.servers["b"].heartbeat = FakeServer.HANG
        await until(lambda: site.spare_is(Phase.SUSPECT))
        site.servers["b"].heartbeat = None
        site.refuse("a")
        await turns(8)
        assert site.of(FailedOver) == []
        await site.up_on("b")
        assert len(site.servers["b"].sessions) == 2


async def test_a_spare_that_becomes_well_again_says_so():
    async with Pair() as site:
        await site.warm()
        site.servers["b"].heartbeat = REFUSED
        await until(lambda: site.spare_is(Phase.SUSPECT))
        site.servers["b"].heartbeat = None
        await until(lambda: site.spare_is(Phase.UP))
        assert len(site.servers["b"].sessions) == 1


async def test_when_both_die_the_connection_reconnects_by_its_rules():
    async with Pair(policy={"peek": False}) as site:
        await site.warm()
        site.opened.clear()
        site.refuse("a", "b")
        await until(lambda: site.status.attempt == 3)
        assert site.status.spare is None
        waits = [event.status.wait for event in site.of(StateChanged) if event.phase is Phase.WAITING]
        assert [wait for wait in waits if wait] == [1.0, 2.0, 4.0]
        site.mend("b")
        await site.up_on("b")


async def test_a_spare_that_dies_once_it_is_in_use_walks_the_schedule():
    async with Pair(policy={"peek": False, "max_attempts": 3, "cooldown": 0.0}) as site:
        await until(lambda: site.spare_is(Phase.UP))
        site.refuse("a")
        await turns(8)
        site.refuse("b")
        await site.house.until(Phase.PARKED)
        numbers = [number for _, number in site.opened if number]
        assert numbers == [1, 2, 3]


async def test_no_dead_session_is_held_after_it_took_over_and_died():
    async with Pair() as site:
        await site.warm()
        dead = weakref.ref(next(iter(site.servers["b"].open_sessions)))
        site.servers["b"].sessions.clear()
        site.refuse("a")
        await turns(8)
        gc.collect()
        gc.disable()
        try:
            site.refuse("b")
            await until(lambda: site.status.phase is Phase.WAITING and site.status.wait > 0)
            await turns(8)
            assert dead() is None
        finally:
            gc.enable()


# --- a spare that fails alone ---------------------------------------------------------------------------


async def test_a_spare_that_dies_alone_touches_nothing_and_is_opened_again_by_the_waits_of_the_policy():
    async with Pair() as site:
        await site.warm()
        before = untouched(site.status)
        site.servers["b"].opens.clear()
        site.servers["b"].open = REFUSED
        died = now()
        site.servers["b"].drop_all()
        await asyncio.sleep(3000)
        assert untouched(site.status) == before
        gaps = [opened - died for opened in site.servers["b"].opens]
        assert gaps[0] == pytest.approx(30, abs=1)
        assert len(gaps) < 15
        assert site.of(FailedOver) == []
        site.servers["b"].open = None
        await until(lambda: site.spare_is(Phase.UP), within=301)
        assert untouched(site.status) == before


async def test_a_spare_that_cannot_be_opened_anywhere_waits_longer_each_time():
    async with Pair(hosts="abcdef", policy={"peek": False}) as site:
        for host in "bcdef":
            site.servers[host].open = REFUSED
        await site.stable()
        began = now()
        await asyncio.sleep(20)
        opened = sorted(at - began for host in "bcdef" for at in site.servers[host].opens)
        assert opened == pytest.approx([0, 1, 3, 7, 15], abs=0.2)


async def test_a_refused_login_of_the_spare_blocks_the_spare_alone():
    site = Pair(password=SecretSource(plain=Secret(CANARY)))
    site.servers["b"].open = WRONG_SECRET
    async with site:
        await until(lambda: site.spare_is(Phase.BLOCKED))
        assert len(site.servers["b"].opens) == 2
        await asyncio.sleep(1700)
        assert len(site.servers["b"].opens) == 2
        assert (site.status.phase, site.status.failure) == (Phase.UP, None)
        site.servers["a"].open = WRONG_SECRET
        site.servers["a"].drop_all()
        await until(lambda: site.status.phase is Phase.WAITING)
        assert site.status.attempt == 1


async def test_a_blocked_spare_is_tried_again_when_the_secret_has_changed(monkeypatch):
    monkeypatch.setenv("SECRET", CANARY)
    site = Pair(password=SecretSource(env="SECRET"))
    site.servers["b"].open = WRONG_SECRET
    async with site:
        await until(lambda: site.spare_is(Phase.BLOCKED))
        site.servers["b"].open = None
        monkeypatch.setenv("SECRET", f"{CANARY}2")
        await until(lambda: site.spare_is(Phase.UP), within=100)


async def test_a_withheld_login_leaves_it_closed_until_a_slot_is_free():
    site = Pair(password=SecretSource(plain=Secret(CANARY)), policy={"login_budget": 1})
    site.servers["b"].open = WRONG_SECRET
    async with site:
        await until(lambda: site.spare_is(Phase.WAITING))
        refused = now()
        site.servers["b"].open = None
        await until(lambda: site.spare_is(Phase.BLOCKED))
        assert len(site.servers["b"].opens) == 1
        await until(lambda: site.spare_is(Phase.UP))
        assert now() - refused >= 600
        assert site.status.drops == 0


async def test_what_the_spare_costs_a_session_that_may_not_have_a_second_is_not_asked_again_at_once():
    """One that takes the other's place (an ARI application, say) must not go on doing so."""
    replaced = failure(FailureClass.PERMANENT, "replaced", stage=Stage.SESSION)
    async with Pair() as site:
        await until(lambda: site.spare_is(Phase.UP, "b"))
        site.servers["a"].drop_all(replaced)
        await site.up_on("b")
        await site.stable()
        site.opened.clear()
        await asyncio.sleep(1700)
        assert site.opened == []
        assert site.spare_is(Phase.BLOCKED)


async def test_a_driver_that_raises_costs_the_spare_alone():
    async with Pair() as site:
        site.servers["b"].open = KeyError("foreign")
        await until(lambda: site.spare_is(Phase.WAITING))
        assert "KeyError" in site.status.spare.failure.reason
        site.servers["b"].open = None
        await site.warm()
        site.servers["b"].heartbeat = site.servers["b"].check = KeyError("foreign")
        await asyncio.sleep(100)
        assert site.status.drops == 0


# --- operators, time and siblings -----------------------------------------------------------------------


async def test_forcing_a_reconnection_opens_anew_on_the_same_rules_and_keeps_the_spare():
    async with Pair() as site:
        await site.warm()
        (spare,) = site.servers["b"].open_sessions
        (result,) = await site.house.manager.force_reconnection("one")
        assert result.ok
        assert site.host == "a"
        assert site.of(FailedOver) == []
        assert site.servers["b"].open_sessions == {spare}
        assert spare.closed == []


async def test_forcing_never_opens_a_second_session_on_the_endpoint_of_the_spare():
    async with Pair(policy={"peek": False}) as site:
        await site.warm()
        site.servers["a"].drop_all()
        await site.up_on("b")
        await site.warm("a")
        (result,) = await site.house.manager.force_reconnection("one")
        assert result.ok
        assert site.host == "b"
        assert site.servers["a"].most_open == 1


async def test_a_forced_reconnection_that_fails_is_taken_over_by_the_spare():
    async with Pair() as site:
        await site.warm()
        site.servers["a"].open = REFUSED
        (result,) = await site.house.manager.force_reconnection("one")
        assert result.ok
        assert site.host == "b"
        (told,) = site.of(FailedOver)
        assert told.failure == REFUSED
        assert site.status.attempt == 0


@pytest.mark.parametrize("how", ["pause", "remove"])
async def test_pausing_and_removing_end_the_spare_politely(how):
    async with Pair() as site:
        await site.warm()
        (spare,) = site.servers["b"].open_sessions
        await getattr(site.house.manager, how)("one")
        assert spare.closed == [True]
        assert site.sessions == []
        if how == "pause":
            assert site.status.spare is None
            await asyncio.sleep(1000)
            assert site.sessions == []
            site.house.manager.resume("one")
            await site.warm()


async def test_the_session_and_its_spare_are_closed_side_by_side():
    async with Pair() as site:
        await site.warm()
        for server in site.servers.values():
            server.close_takes = 2.0
        began = now()
        await site.house.manager.pause("one")
        assert now() - began == pytest.approx(2.0)


async def test_a_reload_ends_the_spare_of_a_changed_connection_and_leaves_the_others():
    async with Pair() as site:
        await site.warm()
        (spare,) = site.servers["b"].open_sessions
        await site.house.manager.reload([site.settings])
        assert site.servers["b"].open_sessions == {spare}
        without = FakeSettings(name="one", endpoints=site.settings.endpoints, policy=Policy(jitter=0.0))
        await site.house.manager.reload([without])
        await site.house.until(Phase.UP)
        assert spare.closed == [True]
        await asyncio.sleep(1000)
        assert [session.server for session in site.sessions] == [site.servers["a"]]


async def test_after_a_suspend_the_spare_is_asked_too():
    async with Pair() as site:
        await site.warm()
        (spare,) = site.servers["b"].open_sessions
        before = spare.heartbeats
        site.house.clock.suspended += 3600
        await asyncio.sleep(8)
        assert spare.heartbeats == before + 1


async def test_a_clock_that_was_set_moves_what_the_spare_is_told_of():
    async with Pair() as site:
        await site.stable()
        site.servers["b"].open = REFUSED
        site.servers["b"].drop_all()
        await until(lambda: site.spare_is(Phase.WAITING))
        before = site.status.spare
        site.house.clock.step += 500.0
        await asyncio.sleep(8)
        after = site.status.spare
        assert (after.since - before.since, after.next_attempt - before.next_attempt) == (500.0, 500.0)


async def test_a_death_on_its_host_makes_the_spare_send_a_heartbeat_at_once_and_its_own_the_others():
    async with Pair() as site:
        other = FakeSettings(name="two", endpoints=(parse_endpoint("ami://b"),), policy=Policy(jitter=0.0))
        site.house.manager.add(other)
        await site.warm()
        two, spare = site.servers["b"].sessions
        before = spare.heartbeats
        two.drop()
        await asyncio.sleep(0.2)
        assert spare.heartbeats == before + 1
        await asyncio.sleep(60)
        (two,) = site.servers["b"].open_sessions - {spare}
        before = two.heartbeats
        spare.drop()
        await asyncio.sleep(0.2)
        assert two.heartbeats == before + 1
        site.most_open -= 1


async def test_the_way_home_is_a_promotion_where_the_spare_is_there():
    async with Pair() as site:
        await site.warm()
        site.servers["a"].drop_all()
        await site.up_on("b")
        await until(lambda: site.spare_is(Phase.UP, "a"))
        warm = now()
        site.house.events.clear()
        opened = len(site.servers["a"].opens)
        (old,) = site.servers["b"].open_sessions
        await site.up_on("a")
        assert WELL_FOR - 1 <= now() - warm <= WELL_FOR + 40
        assert len(site.servers["a"].opens) == opened
        (told,) = site.of(FailedOver)
        assert (told.previous, told.failure) == ("b:5038", None)
        assert (told.status.drops, site.of(StateChanged)) == (1, [])
        await until(lambda: old.closed == [True])
        await until(lambda: site.spare_is(Phase.UP, "b"), within=5)
        await asyncio.sleep(3600)
        assert site.host == "a"


async def test_the_way_home_waits_for_the_old_session_to_close_before_a_new_spare():
    async with Pair() as site:
        await site.warm()
        site.servers["a"].drop_all()
        await site.up_on("b")
        site.servers["b"].close_takes = 2.0
        await site.up_on("a")
        await until(lambda: site.spare_is(Phase.UP, "b"), within=5)
        assert site.servers["b"].most_open == 1


async def test_nobody_leaves_a_session_that_works_for_an_endpoint_where_the_spare_fails():
    async with Pair() as site:
        await site.warm()
        site.refuse("a", why=failure(stage=Stage.LOGIN))
        site.servers["a"].peek = None
        await site.up_on("b")
        await asyncio.sleep(2 * 3600)
        assert (site.host, site.status.drops, len(site.servers["b"].sessions)) == ("b", 1, 1)


async def test_addresses_of_a_name_count_for_the_spare_too():
    site = Pair(Driver, hosts="ab")
    site.servers |= {"b1": FakeServer(), "b2": FakeServer()}
    site.addresses["b"] = ["b1", "b2"]
    async with site:
        await site.warm()
        site.servers["b1"].open = failure(stage=Stage.LOGIN)
        site.servers["b1"].drop_all()
        await until(lambda: len(site.servers["b2"].open_sessions) == 1)
        await site.warm()
        site.servers["a"].drop_all()
        await turns(8)
        assert (site.status.address, site.host) == ("b2", "b")


# --- whoever gives up, at whatever step -----------------------------------------------------------------

STEPS = [*range(16), 25, 60]


async def _act(site: Pair, what: str) -> None:
    if what == "session dies":
        site.refuse("a", why=LOST)
    elif what == "spare dies":
        site.refuse("b", why=LOST)
    elif what == "both die":
        site.refuse("a", "b")
    elif what == "spare opens":
        site.mend("b")


@pytest.mark.parametrize("slow", [False, True], ids=["quick", "slow"])
@pytest.mark.parametrize("what", ["session dies", "spare dies", "both die", "nothing"])
async def test_a_stop_at_any_step_leaves_nothing(what, slow):
    own = asyncio.all_tasks()
    for count in STEPS:
        async with Pair() as site:
            await until(lambda site=site: site.spare_is(Phase.UP))
            if slow:
                for server in site.servers.values():
                    server.abort_takes = server.close_takes = server.open_takes = 0.5
                site.servers["b"].promote = FakeServer.HANG
            await _act(site, what)
            await turns(count)
            await site.house.manager.stop()
            assert asyncio.all_tasks() == own
            assert not timers()
            assert not site.sessions
            assert site.status.phase is Phase.STOPPED
            assert site.status.spare is None


@pytest.mark.parametrize("fault", [None, REFUSED, FakeServer.HANG], ids=["well", "refused", "hangs"])
async def test_a_stop_at_any_step_of_the_opening_of_a_spare_leaves_nothing(fault):
    own = asyncio.all_tasks()
    for count in STEPS:
        site = Pair(password=SecretSource(plain=Secret(CANARY)))
        site.servers["b"].open = fault
        async with site:
            await site.stable()
            await turns(count)
            await site.house.manager.stop()
            assert asyncio.all_tasks() == own
            assert not timers()
            assert not site.sessions


@pytest.mark.parametrize("what", ["session dies", "both die", "nothing"])
async def test_a_pause_that_is_given_up_at_any_step_leaves_nothing_by_itself(what):
    for count in STEPS:
        async with Pair() as site:
            await until(lambda site=site: site.spare_is(Phase.UP))
            for server in site.servers.values():
                server.close_takes, server.abort_takes = 2.0, 0.2
            await _act(site, what)
            await turns(count // 2)
            pausing = asyncio.create_task(site.house.manager.pause("one"))
            await turns(2 + count)
            began = now()
            await give_up(pausing)
            assert now() - began <= 0.5
            assert not site.sessions
            assert not [task.get_name() for task in asyncio.all_tasks() if "one" in task.get_name()]


@pytest.mark.parametrize("what", ["session dies", "both die", "nothing"])
async def test_a_reconnection_that_is_given_up_at_any_step_leaves_one_session_and_one_spare(what):
    for count in STEPS:
        async with Pair() as site:
            await until(lambda site=site: site.spare_is(Phase.UP))
            forcing = asyncio.create_task(site.house.manager.force_reconnection("one"))
            await turns(count // 2)
            await _act(site, what)
            await turns(count)
            await give_up(forcing)
            site.mend("a", "b")
            await until(lambda site=site: site.status.stable and site.spare_is(Phase.UP))
            assert len(site.sessions) == 2


async def test_a_stop_waits_for_the_spare_of_a_supervisor_that_has_failed(caplog):
    async with Site(spare=True) as site:
        await until(lambda: site.status.spare is not None and site.status.spare.phase is Phase.UP)
        site.servers["b"].heartbeat, site.servers["b"].abort_takes = REFUSED, 2.0
        await until(lambda: site.status.spare.phase is Phase.SUSPECT)
        supervisor = site.house.manager._registry.supervisors["one"]
        supervisor._life._chance = None
        site.servers["a"].drop_all(WRONG_SECRET)
        await until(lambda: site.status.phase is Phase.STOPPED)
        await site.house.manager.stop()
        assert not site.sessions
    assert "the supervisor raised TypeError" in caplog.text
