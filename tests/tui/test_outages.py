"""What is kept of outages: of an engine in virtual time, whatever befalls it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manager.events import Commanded, Recovered, Removed, StateChanged
from manager.listeners import EVENT_NAMES
from manager.model import Phase
from tests.engine.fakes import LOST, REFUSED, WRONG_SECRET, FakeServer, House, until
from tests.engine.virtual import VirtualLoop
from tests.tui.fake_client import connection, waiting
from tui import outages
from tui.outages import Loss, Outage, Outages, What


class Watched(House):
    """A house whose outages are followed; each connection has a server of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.outages = Outages()

    async def __aenter__(self) -> Watched:
        for name in EVENT_NAMES:
            self.manager.on(name, self.outages.told)
        await super().__aenter__()
        return self

    def host(self, *names: str, host: str = "pbx1", secret: bool = False, **policy: float) -> None:
        for name in names:
            self.servers[name] = FakeServer()
            self.add(name, host=host, secret=secret, **policy)

    def lose(self, *names: str) -> None:
        for name in names:
            self.servers[name].open = REFUSED
            self.servers[name].drop_all(LOST)

    def mend(self, *names: str) -> None:
        for name in names:
            self.servers[name].open = None

    def all(self) -> list[Outage]:
        self.outages.settle(self.manager.get_connection_status(), self.clock.wall())
        return list(self.outages)

    def one(self) -> Outage:
        (outage,) = self.all()
        return outage

    def loss(self, name: str = "a") -> Loss:
        return self.one().losses[name]


def in_virtual_time(test: Callable[[Watched], Awaitable[None]]) -> None:
    async def run() -> None:
        async with Watched() as house:
            await test(house)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(run())


def told(outage: Outage, name: str = "a") -> list[tuple[What, str]]:
    return [(entry.what, entry.text) for entry in outage.entries if entry.connection == name]


def test_an_outage_begins_with_the_first_loss_in_a_group_and_ends_when_all_are_back():
    async def test(house: Watched) -> None:
        house.host("a", "b")
        house.host("c", host="pbx2")
        await asyncio.sleep(60)
        began = house.clock.wall()
        house.lose("a")
        await asyncio.sleep(10)
        house.lose("b", "c")
        await asyncio.sleep(100)
        house.mend("a", "c")
        await asyncio.sleep(100)
        here, there = sorted(house.all(), key=lambda outage: outage.group)
        assert (here.group, here.over, there.over) == ("pbx1", False, True)
        assert here.began == pytest.approx(began)
        assert here.losses["a"].down_since is None
        house.mend("b")
        await asyncio.sleep(100)
        assert here.over
        assert not here.partial
        assert set(here.losses) == {"a", "b"}
        assert here.ended == house.status("b").up_since

    in_virtual_time(test)


def test_the_downtime_is_that_of_the_engine():
    async def test(house: Watched) -> None:
        house.host("a")
        await asyncio.sleep(60)
        house.lose("a")
        await until(lambda: house.status("a").attempt == 5)
        house.mend("a")
        await until(lambda: bool(house.of(Recovered)))
        (recovered,) = house.of(Recovered)
        loss = house.loss()
        assert loss.downtime == pytest.approx(recovered.downtime)
        assert loss.attempts == recovered.attempts == 5
        assert (loss.times, loss.how) == (1, "back")

    in_virtual_time(test)


def test_attempts_that_fail_alike_are_one_entry_and_those_after_another_count_begin_anew():
    async def test(house: Watched) -> None:
        house.host("a")
        await asyncio.sleep(60)
        house.lose("a")
        await until(lambda: house.status("a").attempt == 8)
        await house.manager.force_reconnection("a")
        await until(lambda: house.status("a").attempt == 4)
        failed = [entry for entry in house.one().entries if entry.what is What.FAILED]
        assert [(entry.first, entry.last, entry.count) for entry in failed] == [(1, 7, 7), (1, 3, 3)]
        assert failed[0].until < failed[1].time

    in_virtual_time(test)


def test_slow_probes_after_the_last_attempt_are_told_as_such():
    async def test(house: Watched) -> None:
        house.host("a", max_attempts=2)
        await asyncio.sleep(60)
        house.lose("a")
        await asyncio.sleep(1000)
        found = [(entry.what, entry.count) for entry in house.one().entries]
        assert found == [(What.LOST, 1), (What.FAILED, 2), (What.EXHAUSTED, 1), (What.FAILED, 3)]

    in_virtual_time(test)


def test_a_hung_server_is_told_with_the_doubt_before_the_loss():
    async def test(house: Watched) -> None:
        house.host("a")
        await asyncio.sleep(60)
        house.servers["a"].heartbeat = house.servers["a"].check = FakeServer.HANG
        await until(lambda: house.status("a").phase is Phase.WAITING)
        kinds = [what for what, _ in told(house.one())]
        assert kinds == [What.SUSPECT, What.LOST]

    in_virtual_time(test)


def test_a_doubt_that_passes_is_no_outage():
    async def test(house: Watched) -> None:
        house.host("a")
        await asyncio.sleep(60)
        house.servers["a"].heartbeat = REFUSED
        await house.until(Phase.SUSPECT, "a")
        house.servers["a"].heartbeat = None
        await asyncio.sleep(100)
        assert not house.all()
        house.lose("a")
        await asyncio.sleep(10)
        assert told(house.one())[0][0] is What.LOST

    in_virtual_time(test)


def test_one_that_is_refused_from_the_start_never_came_up_and_shows_the_budget():
    async def test(house: Watched) -> None:
        house.host("a", secret=True)
        house.servers["a"].open = WRONG_SECRET
        await house.until(Phase.BLOCKED, "a")
        outage = house.one()
        assert told(outage)[0] == (What.NEVER_UP, "wrong secret")
        assert (What.BLOCKED, "wrong secret") in told(outage)
        assert [budget.used for _, budget in house.outages.budgets] == [1, 2]

    in_virtual_time(test)


def test_a_login_that_the_budget_withholds_is_told():
    async def test(house: Watched) -> None:
        house.host("a", "b", "c", "d", "e", secret=True)
        for server in house.servers.values():
            server.open = WRONG_SECRET
        await asyncio.sleep(100)
        withheld = {entry.connection for entry in house.one().entries if entry.what is What.WITHHELD}
        assert withheld
        assert all(entry.text == "pbx1" for entry in house.one().entries if entry.what is What.WITHHELD)

    in_virtual_time(test)


def test_one_that_drops_before_it_is_stable_is_in_the_same_outage():
    async def test(house: Watched) -> None:
        house.host("a")
        await asyncio.sleep(60)
        house.lose("a")
        await asyncio.sleep(10)
        house.mend("a")
        await house.until(Phase.UP, "a")
        house.lose("a")
        await asyncio.sleep(10)
        house.mend("a")
        await asyncio.sleep(100)
        outage = house.one()
        assert [what for what, _ in told(outage)].count(What.AGAIN) == 1
        assert [what for what, _ in told(outage)].count(What.UP) == 2
        assert outage.losses["a"].times == 1

    in_virtual_time(test)


def test_one_that_is_lost_again_while_others_still_are_has_one_record_and_both_times():
    async def test(house: Watched) -> None:
        house.host("a", "b")
        await asyncio.sleep(60)
        house.lose("a", "b")
        await asyncio.sleep(10)
        house.mend("a")
        await asyncio.sleep(100)
        first = house.loss().downtime
        house.lose("a")
        await asyncio.sleep(50)
        assert house.loss().times == 2
        assert house.loss().downtime == first
        house.mend("a")
        await asyncio.sleep(100)
        assert house.loss().downtime > first
        assert not house.one().over

    in_virtual_time(test)


@pytest.mark.parametrize("how", ["paused", "stopped"])
def test_one_that_is_paused_or_removed_is_no_longer_lost_but_not_back(how):
    async def test(house: Watched) -> None:
        house.host("a")
        await asyncio.sleep(60)
        house.lose("a")
        await asyncio.sleep(10)
        await (house.manager.pause("a") if how == "paused" else house.manager.remove("a"))
        assert house.one().over
        assert house.loss().how == how
        assert told(house.one())[-1] == (What.ENDED, how)

    in_virtual_time(test)


def test_a_clock_that_is_set_during_an_outage_does_not_change_its_length():
    async def test(house: Watched) -> None:
        house.host("a")
        await asyncio.sleep(60)
        house.lose("a")
        await asyncio.sleep(20)
        house.clock.step = 3600.0
        await asyncio.sleep(60)
        house.mend("a")
        await until(lambda: bool(house.of(Recovered)))
        (recovered,) = house.of(Recovered)
        assert house.loss().downtime == pytest.approx(recovered.downtime, abs=0.01)
        assert house.one().ended - house.one().began == pytest.approx(recovered.downtime, abs=0.01)

    in_virtual_time(test)


def test_the_outage_of_a_connection_goes_before_that_of_its_group_and_that_before_the_last():
    async def test(house: Watched) -> None:
        house.host("a", "b")
        house.host("c", host="pbx2")
        house.host("d", host="pbx3")
        await asyncio.sleep(60)
        for name in "abc":
            house.lose(name)
            await asyncio.sleep(10)
            house.mend(name)
            await asyncio.sleep(100)
        first, second, third = house.all()
        find = house.outages.find
        assert find("a", "pbx1") is first
        assert find("b", "pbx1") is second
        assert find("nobody", "pbx1") is second
        assert find("d", "pbx3") is find() is third
        house.lose("a")
        await asyncio.sleep(10)
        assert find().losses["a"].down_since is not None

    in_virtual_time(test)


def test_without_any_outage_there_is_none_to_find():
    assert Outages().find("a", "pbx1") is None


# --- what was not seen ---------------------------------------------------------------------------------


def changed(name: str, phase: Phase, previous: Phase = Phase.UP, seq: int = 1, **fields):
    status = connection(name, phase=phase, **fields)
    return StateChanged(seq=seq, time=status.since, health=100, status=status, previous=previous)


def test_a_return_that_was_missed_is_taken_from_how_things_stand():
    kept = Outages()
    kept.told(changed("a", Phase.WAITING, down_since=100.0))
    kept.settle({"a": connection("a", up_since=160.0)}, 500.0)
    (outage,) = kept
    assert (outage.over, outage.ended, outage.partial) == (True, 160.0, True)
    assert outage.losses["a"].downtime == 60.0


def test_a_loss_that_was_missed_is_taken_from_how_things_stand():
    kept = Outages()
    lost = {
        "a": connection("a", phase=Phase.WAITING, down_since=100.0, attempt=4),
        "b": connection("b", phase=Phase.CONNECTING, down_since=110.0),
        "c": connection("c", phase=Phase.CONNECTING, down_since=None, failure=None),
    }
    kept.settle(lost, 500.0)
    (outage,) = kept
    assert (outage.over, outage.began, outage.partial) == (False, 100.0, True)
    assert {name: loss.attempts for name, loss in outage.losses.items()} == {"a": 3, "b": 3}


def test_a_connection_that_has_gone_unseen_is_no_longer_lost():
    kept = Outages()
    kept.told(changed("a", Phase.WAITING, down_since=100.0))
    kept.settle({}, 500.0)
    assert [outage.losses["a"].how for outage in kept] == ["stopped"]


# --- bounds ----------------------------------------------------------------------------------------------


def test_only_the_last_outages_are_kept(monkeypatch):
    monkeypatch.setattr(outages, "LOSSES", 30)
    kept = Outages()
    for number in range(1000):
        names = [f"{number}-{each}" for each in range(7)]
        for name in names:
            kept.told(changed(name, Phase.WAITING, host=f"h{number}", down_since=float(number)))
        for name in names:
            status = connection(name, up_since=number + 1.0)
            kept.told(Removed(seq=1, time=number + 1.0, health=100, status=status))
    assert [outage.group for outage in kept] == [f"h{number}" for number in range(996, 1000)]
    assert not kept._lost_in
    assert not kept._open


def test_a_long_outage_keeps_its_beginning_and_counts_the_rest():
    kept = Outages()
    kept.told(changed("a", Phase.WAITING, down_since=100.0))
    for number in range(outages.ENTRIES):
        kept.told(changed("a", Phase.UP, Phase.CONNECTING, stable=False))
        kept.told(changed("a", Phase.WAITING, down_since=100.0, **waiting(1, 1), attempt=number))
    (outage,) = kept
    assert len(outage.entries) == outages.ENTRIES
    assert outage.left_out == outages.ENTRIES + 1
    assert outage.entries[0].what is What.LOST


def test_deeds_are_bounded():
    kept = Outages()
    for number in range(outages.DEEDS + 10):
        kept.told(Commanded(seq=number, time=float(number), health=None, command="refresh", connection=None))
    assert len(kept.deeds) == outages.DEEDS


# --- whatever happens ------------------------------------------------------------------------------------

NAMES = st.sampled_from("abc")
STEPS = st.one_of(
    st.tuples(st.just("open"), NAMES, st.sampled_from([None, REFUSED, WRONG_SECRET, FakeServer.HANG])),
    st.tuples(st.just("heartbeat"), NAMES, st.sampled_from([None, REFUSED, FakeServer.HANG])),
    st.tuples(st.sampled_from(["drop", "force", "skip", "pause", "resume", "remove"]), NAMES, st.none()),
    st.tuples(st.just("sleep"), NAMES, st.sampled_from([0.1, 1.0, 7.0, 31.0, 65.0, 400.0])),
)


async def act(house: Watched, what: str, name: str, how: object, tasks: set[asyncio.Task]) -> None:
    server, manager = house.servers[name], house.manager
    if what in ("open", "heartbeat"):
        setattr(server, what, how)
    elif what == "drop":
        server.drop_all(LOST)
    elif what == "sleep":
        await asyncio.sleep(how)
    elif name not in manager.states:
        house.add(name, secret=True, host="pbx1" if name != "c" else "pbx2", max_attempts=3)
    elif what == "resume":
        manager.resume(name)
    else:
        ask = {"force": manager.force_reconnection, "skip": manager.skip}.get(what) or getattr(manager, what)
        tasks.add(asyncio.create_task(ask(name)))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, min_size=5, max_size=30))
def test_whatever_happens_what_was_seen_agrees_with_how_things_stand(story):
    async def test(house: Watched) -> None:
        tasks: set[asyncio.Task] = set()
        house.host("a", "b", secret=True, max_attempts=3)
        house.host("c", host="pbx2", secret=True, max_attempts=3)
        for step in story:
            await act(house, *step, tasks)
            lost = {name for name, outage in house.outages._lost_in.items() if not outage.over}
            away = {
                name
                for name, status in house.manager.get_connection_status().items()
                if status.phase in (Phase.WAITING, Phase.PARKED, Phase.BLOCKED)
            }
            assert away <= lost
            for outage in house.all():
                assert not outage.partial
                assert all(loss.downtime >= 0 for loss in outage.losses.values())
        await house.manager.stop()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert all(outage.over for outage in house.all())

    in_virtual_time(test)
