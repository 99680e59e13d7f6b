"""Several endpoints for one connection: where it goes, when, and under which number."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from manager.engine.homing import WELL_FOR
from manager.events import EndpointChanged, LoginWithheld, MaxAttemptsReached, StateChanged, replay
from manager.model import FailureClass, Phase, Stage
from manager.secret import Secret, SecretSource
from manager.settings import Strategy
from tests.engine.fakes import CANARY, LOST, REFUSED, WRONG_SECRET, FakeServer, failure, until
from tests.engine.site import Site


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_after_a_loss_the_next_endpoint_is_opened_without_a_wait_and_without_a_number():
    async with Site() as site:
        await site.stable()
        lost = now()
        site.refuse("a")
        await site.up_on("b")
        assert now() - lost <= 0.2
        assert site.opened == [("a", 0), ("b", 0)]
        assert site.status.drops == 1
        assert [event.previous for event in site.house.of(EndpointChanged)] == ["a:5038"]
        await site.stable()
        assert site.status.down_since is None
        assert replay(site.house.events) == site.house.manager.get_connection_status()


async def test_the_history_says_which_endpoints_are_set_aside_and_until_when():
    async with Site() as site:
        await site.stable()
        assert site.house.manager.history("one").set_aside == ()
        lost = site.house.clock.wall()
        site.refuse("a")
        await site.up_on("b")
        (aside,) = site.house.manager.history("one").set_aside
        assert aside.endpoint == "a:5038"
        assert 29.0 <= aside.until - lost <= 31.0
        await asyncio.sleep(32.0)
        assert site.house.manager.history("one").set_aside == ()


async def test_when_every_endpoint_has_failed_the_numbered_attempts_begin_and_take_turns():
    async with Site(policy={"max_attempts": 4, "cooldown": 0.0, "peek": False}) as site:
        await site.stable()
        site.opened.clear()
        site.refuse("a", "b", "c")
        await site.house.until(Phase.PARKED)
        assert site.opened[:2] == [("b", 0), ("c", 0)]
        assert [number for _, number in site.opened[2:]] == [1, 2, 3, 4]
        assert {host for host, _ in site.opened[2:]} == {"a", "b", "c"}
        waits = [event.status.wait for event in site.house.of(StateChanged) if event.phase is Phase.WAITING]
        assert [wait for wait in waits if wait] == [1.0, 2.0, 4.0, 8.0]
        assert len(site.house.of(MaxAttemptsReached)) == 1


async def test_a_first_start_finds_the_endpoint_that_works_at_once():
    site = Site()
    site.servers["a"].open = site.servers["b"].open = REFUSED
    async with site:
        await site.up_on("c")
        assert now() <= 0.1
        assert site.opened == [("a", 0), ("b", 0), ("c", 0)]


async def test_servers_that_accept_and_drop_do_not_open_a_new_round_and_reach_the_last_attempt():
    async with Site(policy={"max_attempts": 5, "cooldown": 0.0}) as site:

        async def drop() -> None:
            while True:
                await asyncio.sleep(0.5)
                for server in site.servers.values():
                    server.drop_all()

        dropping = asyncio.create_task(drop())
        await site.house.until(Phase.PARKED)
        dropping.cancel()
        assert [number for _, number in site.opened] == [0, 0, 0, 1, 2, 3, 4, 5]


async def test_it_returns_to_the_first_when_that_has_been_well_for_a_while():
    async with Site() as site:
        await site.stable()
        site.refuse("a")
        await site.up_on("b")
        await asyncio.sleep(300)
        assert site.host == "b"
        site.mend("a")
        mended = now()
        await site.up_on("a")
        assert WELL_FOR <= now() - mended <= WELL_FOR + 11
        assert site.servers["b"].sessions[-1].closed == [True]


async def test_a_first_that_comes_and_goes_is_not_returned_to():
    async with Site() as site:
        await site.stable()
        site.refuse("a")
        await site.up_on("b")
        for _ in range(30):
            site.mend("a")
            await asyncio.sleep(40)
            site.refuse("a")
            await asyncio.sleep(15)
        assert site.host == "b"
        assert len(site.servers["b"].sessions) == 1


async def test_a_way_back_that_fails_is_thought_over_twice_as_long_each_time():
    async with Site() as site:
        await site.stable()
        site.refuse("a", why=failure(stage=Stage.LOGIN))
        site.servers["a"].peek = None
        await site.up_on("b")
        site.servers["a"].opens.clear()
        await asyncio.sleep(2 * 3600)
        tries = site.servers["a"].opens
        gaps = [later - earlier for earlier, later in pairwise(tries)]
        assert len(tries) <= 8
        assert all(later > 1.8 * earlier for earlier, later in pairwise(gaps))
        assert site.status.phase is Phase.UP


async def test_a_mistake_of_the_driver_in_a_look_is_logged_once_and_costs_no_more_than_the_look(caplog):
    async with Site() as site:
        await site.stable()
        site.refuse("a")
        await site.up_on("b")
        site.servers["a"].open, site.servers["a"].peek = None, RuntimeError(CANARY)
        await asyncio.sleep(300)
        assert site.host == "b"
        (told,) = [record.getMessage() for record in caplog.records if "raised" in record.getMessage()]
        assert told.startswith("peeking at a:5038 raised RuntimeError")
        assert CANARY not in told
        site.mend("a")
        await site.up_on("a")


async def test_without_peeks_there_is_no_way_back():
    async with Site(policy={"peek": False}) as site:
        await site.stable()
        site.refuse("a")
        await site.up_on("b")
        site.mend("a")
        await asyncio.sleep(3600)
        assert site.host == "b"


@pytest.mark.parametrize("strategy", [each for each in Strategy if each is not Strategy.PRIORITY])
async def test_other_strategies_stay_where_they_are(strategy):
    async with Site(strategy=strategy) as site:
        await site.stable()
        host = site.host
        await asyncio.sleep(3600)
        assert (site.host, len(site.opened)) == (host, 1)


async def test_a_bad_certificate_on_one_endpoint_does_not_block_the_others():
    async with Site(policy={"peek": False}) as site:
        await site.stable()
        site.refuse("a", why=failure(FailureClass.CONFIGURATION, "certificate refused"))
        site.refuse("b", "c")
        await until(lambda: site.status.attempt == 6)
        site.mend("c")
        await site.up_on("c")


async def test_one_that_every_endpoint_refuses_for_good_is_blocked():
    async with Site(policy={"peek": False}) as site:
        await site.stable()
        site.refuse("a", "b", "c", why=failure(FailureClass.PERMANENT, "forbidden"))
        await site.house.until(Phase.BLOCKED)
        assert [number for _, number in site.opened] == [0, 0, 0, 1]


async def test_refused_credentials_are_not_carried_through_all_endpoints_at_once():
    site = Site(password=SecretSource(plain=Secret(CANARY)))
    for server in site.servers.values():
        server.open = WRONG_SECRET
    async with site:
        await site.house.until(Phase.BLOCKED)
        assert [number for _, number in site.opened] == [0, 1]


async def test_a_host_without_a_free_login_is_passed_over():
    site = Site(password=SecretSource(plain=Secret(CANARY)), policy={"login_budget": 1})
    site.servers["a"].open = WRONG_SECRET
    async with site:
        await until(lambda: site.status.phase is Phase.UP)
        assert site.host == "b"
        site.servers["b"].drop_all()
        site.refuse("b", "c")
        await until(lambda: site.house.of(LoginWithheld) or len(site.opened) > 6)
        logins_on_a = sum(host == "a" for host, _ in site.opened)
        assert logins_on_a == 1


async def test_addresses_of_a_name_count_as_endpoints_and_a_bad_one_is_tried_last():
    site = Site(hosts="a")
    site.servers |= {"b": FakeServer(), "c": FakeServer()}
    site.addresses["a"] = ["b", "c"]
    async with site:
        await site.stable()
        assert (site.opened, site.status.address) == ([("b", 0)], "b")
        site.refuse("b", why=failure(stage=Stage.LOGIN))
        await until(lambda: site.status.address == "c")
        assert site.opened == [("b", 0), ("c", 0)]
        await site.stable()
        site.servers["c"].drop_all()
        await until(lambda: len(site.opened) == 3)
        assert site.opened[-1][0] == "b"


async def test_a_wish_begins_a_new_round_from_the_first_endpoint():
    async with Site(policy={"peek": False}) as site:
        await site.stable()
        site.refuse("a", "b", "c")
        await until(lambda: site.status.attempt == 6)
        site.mend("b")
        site.opened.clear()
        await asyncio.sleep(400)
        site.opened.clear()
        site.refuse("b")
        await until(lambda: site.status.phase is Phase.WAITING and site.status.wait > 0)
        site.mend("b")
        site.opened.clear()
        (result,) = await site.house.manager.force_reconnection("one")
        assert result.ok
        assert site.host == "b"
        assert site.opened[0][1] == 1


async def test_a_wish_goes_round_every_endpoint_at_once():
    async with Site(policy={"peek": False}) as site:
        await site.stable()
        site.refuse("a", "b", "c")
        await until(lambda: site.status.attempt == 6)
        site.opened.clear()
        await site.house.manager.force_reconnection("one")
        assert sorted(host for host, _ in site.opened) == ["a", "b", "c"]
        assert [number for _, number in site.opened] == [1, 0, 0]


@pytest.mark.parametrize("turns", range(10))
async def test_a_stop_in_the_midst_of_a_move_leaves_nothing(turns):
    site = Site()
    async with site:
        await site.stable()
        site.refuse("a", "b")
        for _ in range(turns):
            await asyncio.sleep(0)
        await site.house.manager.stop()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_session_lost_for_another_reason_moves_too():
    async with Site() as site:
        await site.stable()
        site.servers["a"].drop_all(LOST)
        await site.up_on("b")
