"""Credentials are not tried more often than a host that bans would bear."""

from __future__ import annotations

import asyncio

import pytest

from manager.engine.budget import LoginBudget
from manager.events import BudgetChanged, LoginWithheld, StateChanged
from manager.model import FailureClass, Phase
from manager.settings import Policy
from manager.store import Store
from tests.engine.fakes import WRONG_SECRET, FakeServer, House, failure, until
from tests.engine.virtual import VirtualClock


async def test_wrong_credentials_are_tried_once_more_and_then_blocked():
    async with House() as house:
        house.server.open = WRONG_SECRET
        house.add(secret=True)
        await house.until(Phase.BLOCKED)
        await asyncio.sleep(599)
        assert house.server.opens == [0.0, 1.0]
        assert house.status().failure == WRONG_SECRET


async def test_one_refusal_of_a_server_that_has_just_started_does_not_block():
    async with House() as house:
        house.server.open = WRONG_SECRET
        house.add(secret=True)
        await house.until(Phase.WAITING)
        house.server.open = None
        await house.until(Phase.UP)


async def test_all_connections_of_a_host_together_are_refused_four_times_in_ten_minutes():
    async with House() as house:
        house.server.open = WRONG_SECRET
        for number in range(10):
            house.add(f"c{number}", secret=True)
        await asyncio.sleep(599)
        assert len(house.server.opens) == 4
        assert {house.status(f"c{number}").phase for number in range(10)} == {Phase.BLOCKED}
        (budget,) = house.manager.snapshot().budgets
        assert (budget.host, budget.used, budget.limit) == ("pbx1", 4, 4)
        assert [event.budget.used for event in house.of(BudgetChanged)] == [1, 2, 3, 4]


async def test_in_any_ten_minutes_of_a_day_no_host_sees_more_than_four_refusals():
    async with House() as house:
        house.server.open = WRONG_SECRET
        for number in range(7):
            house.add(f"c{number}", secret=True, blocked_retry=60.0)
        await asyncio.sleep(86_400)
        opens = house.server.opens
        assert len(opens) > 100
        assert all(later - earlier >= 599.999 for earlier, later in zip(opens, opens[4:], strict=False))


async def test_hosts_have_budgets_of_their_own():
    async with House() as house:
        house.server.open = WRONG_SECRET
        for host in ("pbx1", "pbx2"):
            for number in range(4):
                house.add(f"{host}-{number}", secret=True, host=host)
        await asyncio.sleep(500)
        assert len(house.server.opens) == 8


async def test_a_connection_that_was_never_refused_itself_says_why_it_does_not_log_in_and_when_it_will():
    async with House() as house:
        house.server.open = WRONG_SECRET
        for number in range(4):
            house.add(f"c{number}", secret=True)
        await asyncio.sleep(10)
        house.add("late", secret=True)
        await house.until(Phase.BLOCKED, "late")
        status = house.status("late")
        assert status.failure.reason == "pbx1 refused 4 logins lately"
        assert status.next_attempt == pytest.approx(house.events[0].time + 600)
        assert house.of(LoginWithheld, "late")
        house.server.open = None
        await house.until(Phase.UP, "late", within=600)


async def test_accepted_logins_give_their_slots_back_so_that_a_thousand_start_at_once():
    async with House() as house:
        house.server.open_takes = 0.05
        for number in range(1000):
            house.add(f"c{number}", secret=True)
        await house.until(Phase.UP, "c999")
        assert asyncio.get_running_loop().time() == pytest.approx(1000 / 4 * 0.05, rel=0.1)
        assert not house.manager.snapshot().budgets


async def test_credentials_that_were_accepted_do_not_stand_in_line_after_an_outage():
    async with House() as house:
        for number in range(20):
            house.add(f"c{number}", secret=True)
        await house.until(Phase.UP, "c19")
        house.server.open = FakeServer.HANG
        house.server.drop_all()
        await asyncio.sleep(1.3)
        assert len(house.server.opens) == 40


async def test_a_refusal_makes_accepted_credentials_of_the_host_reserve_too():
    async with House() as house:
        for number in range(6):
            house.add(f"c{number}", secret=True)
        await house.until(Phase.UP, "c5")
        house.server.open = WRONG_SECRET
        house.server.drop_all()
        await asyncio.sleep(500)
        assert len(house.server.opens) == 6 + 4
        house.server.open = None
        await asyncio.sleep(50)
        assert len(house.server.opens) == 6 + 4


async def test_those_already_under_way_when_the_first_is_refused_had_nothing_to_reserve():
    async with House() as house:
        for number in range(6):
            house.add(f"c{number}", secret=True, start_rate=0)
        await house.until(Phase.UP, "c5")
        house.server.open = WRONG_SECRET
        house.server.drop_all()
        await asyncio.sleep(500)
        assert len(house.server.opens) == 6 + 6


async def test_connections_without_secrets_need_no_slot():
    async with House() as house:
        house.server.open = FakeServer.HANG
        for number in range(10):
            house.add(f"c{number}")
        await asyncio.sleep(0.2)
        assert len(house.server.opens) == 10


async def test_the_budget_survives_a_restart(tmp_path):
    path = tmp_path / "state.json"
    async with House(store=Store(path)) as house:
        house.server.open = WRONG_SECRET
        for number in range(4):
            house.add(f"c{number}", secret=True)
        await asyncio.sleep(10)
        await house.manager.stop()
        again = House(store=Store(path))
        async with again:
            again.server.open = WRONG_SECRET
            again.add("c9", secret=True)
            await again.until(Phase.BLOCKED, "c9")
            assert not again.server.opens
            await asyncio.sleep(580)
            assert not again.server.opens
            await asyncio.sleep(20)
            assert len(again.server.opens) == 2


async def test_a_damaged_ledger_is_no_obstacle():
    store = Store()
    store.section("login budget")["pbx1"] = '{"not": ["a list"'
    store.section("login budget")["pbx2"] = '["x", null, 1e400, true]'
    async with House(store=store) as house:
        house.add(secret=True)
        await house.until(Phase.UP)


async def test_forcing_says_when_the_next_slot_is_free_and_overrides_when_asked_again():
    async with House() as house:
        house.server.open = WRONG_SECRET
        for number in range(4):
            house.add(f"c{number}", secret=True)
        await asyncio.sleep(10)
        (result,) = await house.manager.force_reconnection("c0")
        assert not result.ok
        assert house.status("c0").failure == WRONG_SECRET
        assert result.next_login == pytest.approx(house.events[0].time + 600)
        assert len(house.server.opens) == 4
        house.server.open = None
        (result,) = await house.manager.force_reconnection("c0", override=True)
        assert result.ok
        assert len(house.server.opens) == 5


async def test_an_override_is_good_for_one_login_only():
    async with House() as house:
        house.server.open = WRONG_SECRET
        for number in range(4):
            house.add(f"c{number}", secret=True, blocked_retry=1.0)
        await asyncio.sleep(10)
        await house.manager.force_reconnection("c0", override=True)
        await asyncio.sleep(100)
        assert len(house.server.opens) == 5


async def test_forcing_a_working_connection_does_not_cost_it_its_session_where_it_could_not_log_in_again():
    async with House() as house:
        house.add("good", secret=True)
        await house.until(Phase.UP, "good")
        house.server.open = WRONG_SECRET
        for number in range(4):
            house.add(f"c{number}", secret=True)
        await asyncio.sleep(10)
        (result,) = await house.manager.force_reconnection("good")
        assert not result.ok
        assert house.status("good").phase is Phase.UP
        assert len(house.server.sessions) == 1


async def test_a_blocked_connection_is_tried_when_its_secret_changes(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("wrong")
    async with House() as house:
        house.server.open = WRONG_SECRET
        house.add_with_secret_file(secret)
        await house.until(Phase.BLOCKED)
        secret.write_text("right, at last")
        house.server.open = None
        await house.until(Phase.UP, within=31)


async def test_a_refusal_of_a_session_that_was_up_counts_as_one():
    async with House() as house:
        house.add(secret=True)
        await house.until(Phase.UP)
        house.server.open = WRONG_SECRET
        house.server.drop_all(WRONG_SECRET)
        await house.until(Phase.BLOCKED)
        assert len(house.server.opens) == 2
        assert [event.budget.used for event in house.of(BudgetChanged)] == [1, 2]


async def test_a_stepped_wall_clock_neither_frees_a_slot_nor_keeps_one():
    async with House() as house:
        house.server.open = WRONG_SECRET
        for number in range(4):
            house.add(f"c{number}", secret=True, blocked_retry=0.0)
        await asyncio.sleep(10)
        house.clock.step = 7200.0
        house.add("late", secret=True)
        await asyncio.sleep(580)
        assert len(house.server.opens) == 4
        house.clock.step = -7200.0
        await until(lambda: len(house.server.opens) == 5, within=30)


async def test_standing_in_line_can_be_given_up_and_the_line_still_moves():
    async with House() as house:
        house.server.open_takes = 10.0
        for number in range(12):
            house.add(f"c{number}", secret=True)
        await asyncio.sleep(1)
        assert len(house.server.opens) == 4
        await asyncio.gather(*(house.manager.pause(f"c{number}") for number in (0, 5, 6)))
        await until(lambda: len(house.server.open_sessions) == 9, within=60)


async def test_every_change_of_phase_in_a_refusal_is_an_event():
    async with House() as house:
        house.server.open = WRONG_SECRET
        house.add(secret=True)
        await house.until(Phase.BLOCKED)
        assert [event.phase for event in house.of(StateChanged)] == [
            Phase.CONNECTING,
            Phase.WAITING,
            Phase.CONNECTING,
            Phase.BLOCKED,
        ]


async def test_who_gives_up_in_the_turn_of_its_turn_passes_it_on():
    budget, policy, order = LoginBudget(VirtualClock(), {}, lambda _: None), Policy(login_budget=1), []

    async def login(name: str) -> None:
        async with budget.slot("pbx1", policy):
            order.append(name)

    async with budget.slot("pbx1", policy):
        first, second = asyncio.create_task(login("first")), asyncio.create_task(login("second"))
        await asyncio.sleep(1)
    first.cancel()
    await asyncio.wait([first, second], timeout=1)
    assert order == ["second"]


async def test_credentials_that_were_refused_last_time_reserve_again_however_long_ago_that_was():
    async with House() as house:
        for number in range(6):
            house.add(f"c{number}", secret=True, blocked_retry=2000.0)
        await house.until(Phase.UP, "c5")
        house.server.open = failure(FailureClass.PERMANENT)
        house.server.drop_all(WRONG_SECRET)
        await house.until(Phase.BLOCKED, "c5")
        house.server.open = FakeServer.HANG
        opens = len(house.server.opens)
        await until(lambda: len(house.server.opens) > opens)
        await asyncio.sleep(1)
        assert not house.manager.snapshot().budgets
        assert len(house.server.opens) == opens + 4
