"""What happens on the screen when something happens to the connections, or to the way to the manager."""

from __future__ import annotations

import asyncio
import math
import re
import time

from msgspec.structs import replace

from manager.errors import TrunklineError
from manager.events import Added, BudgetChanged, FactsChanged, ProbeAnswered, Removed
from manager.model import BudgetStatus, Phase
from tests.tui.conftest import line_with, row_of, screen_text, seen, text_gone, text_seen
from tests.tui.driving import app_of, log, rows
from tests.tui.fake_client import CLOCK_AHEAD, connection, slow, waiting


async def test_a_change_of_phase_is_in_the_row_the_header_and_the_log():
    app, client = app_of(connection("desk"), connection("other"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "all 2 are up")
        client.change("desk", phase=Phase.WAITING, attempt=1, **waiting(1, 1))
        await text_seen(pilot, "1 waiting")
        await text_seen(pilot, "1 s to attempt 1/15 · connection refused")
        assert "fair" not in "\n".join(screen_text(app))
        assert "degraded" in "\n".join(screen_text(app))


async def test_the_usual_latency_is_shown_and_shown_anew_only_when_it_moves_by_a_third():
    app, client = app_of(connection("desk", latency=0.100))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "100 ms")
        for usual, shown in ((0.120, "100 ms"), (0.134, "134 ms"), (0.110, "134 ms"), (0.099, "99 ms")):
            status = replace(client.statuses["desk"], latency=usual + 0.04, usual_latency=usual)
            event = client.emit(ProbeAnswered, status=status, probe="heartbeat")
            await seen(pilot, lambda event=event: app.screen.board.position.seq == event.seq)
            await text_seen(pilot, shown)
        assert "Events ─ following · changes · 0" in "\n".join(screen_text(app))


async def test_a_latency_that_is_too_slow_is_shown_at_once():
    app, client = app_of(connection("desk"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "12 ms")
        client.emit(ProbeAnswered, status=slow("desk"), probe="heartbeat")
        await seen(pilot, lambda: "240 ms  " in row_of(app, "desk"))


async def test_until_there_is_a_usual_latency_the_first_one_stays():
    app, client = app_of(connection("desk", latency=0.100, usual_latency=None))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "100 ms")
        for latency, usual, shown in ((0.200, None, "100 ms"), (0.210, 0.200, "200 ms")):
            status = replace(client.statuses["desk"], latency=latency, usual_latency=usual)
            event = client.emit(ProbeAnswered, status=status, probe="heartbeat")
            await seen(pilot, lambda event=event: app.screen.board.position.seq == event.seq)
            await text_seen(pilot, shown)


async def test_new_facts_are_shown():
    app, client = app_of(connection("a", "ami"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "4 calls")
        client.emit(FactsChanged, status=replace(client.statuses["a"], facts={"version": "20.5", "calls": 1}))
        await text_seen(pilot, "Asterisk 20.5 · 1 call ")


async def test_connections_come_and_go():
    app, client = app_of(connection("a"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "the one connection is up")
        client.emit(Added, status=connection("b", "ami"))
        await text_seen(pilot, "AMI ─")
        client.emit(Removed, status=client.statuses.pop("a"))
        await text_gone(pilot, "SIP ─")


async def test_a_budget_that_changes_is_in_the_verdict():
    app, client = app_of(connection("pbx2-ami", "ami", Phase.BLOCKED, host="pbx2"))
    async with app.run_test(size=(140, 40)) as pilot:
        await text_seen(pilot, "stopped at 2 of 4 logins")
        client.emit(BudgetChanged, budget=BudgetStatus(host="pbx2", used=4, limit=4, window=600.0))
        await text_seen(pilot, "stopped at 4 of 4 logins")


async def test_the_cursor_stays_on_its_connection_while_others_rise_and_fall():
    app, client = app_of(*(connection(f"desk-{i}") for i in range(9)))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk-8")
        await pilot.press("j", "j", "j", "j")
        assert rows(app).selected_name == "desk-4"
        for name in ("desk-8", "desk-6", "desk-4"):
            client.change(name, phase=Phase.WAITING, attempt=1, **waiting(60, 60))
        await text_seen(pilot, "3 waiting")
        assert rows(app).selected_name == "desk-4"
        assert rows(app).selected.status.name == "desk-4"
        client.emit(Removed, status=client.statuses.pop("desk-4"))
        await seen(pilot, lambda: rows(app).selected_name not in (None, "desk-4"))


async def test_a_countdown_follows_the_manager_s_clock_and_ticks():
    app, client = app_of(connection("desk", phase=Phase.WAITING, **waiting(90, 45.5)))
    deadline = client.statuses["desk"].deadline - CLOCK_AHEAD

    def shown() -> int:
        found = re.search(r"(\d+) s  connection", row_of(app, "desk"))
        return int(found[1]) if found else 0

    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        for _ in range(3):
            earlier, row = shown(), row_of(app, "desk")
            await seen(pilot, lambda: shown() == math.ceil(deadline - time.monotonic()))
            await seen(pilot, lambda earlier=earlier: shown() < earlier)
            assert row_of(app, "desk").count("━") <= row.count("━")


async def test_a_countdown_that_is_over_holds_at_one_second_until_the_event_turns_it():
    app, client = app_of(connection("desk", phase=Phase.WAITING, **waiting(8, -2)))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, " 1 s  connection refused")
        assert rows(app)._ticker._timer is None
        client.change("desk", phase=Phase.CONNECTING, deadline=None)
        await text_seen(pilot, "trying now")
        assert " 1 s " not in row_of(app, "desk")


async def test_nothing_ticks_while_all_is_well_or_help_lies_above():
    app, client = app_of(connection("desk"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "all")
        assert rows(app)._ticker._timer is None
        client.change("desk", phase=Phase.WAITING, attempt=1, **waiting(60, 60))
        await seen(pilot, lambda: rows(app)._ticker._timer is not None)
        table = rows(app)
        await pilot.press("question_mark")
        await text_seen(pilot, "keys and signs")
        assert table._ticker._timer is None
        client.change("desk", phase=Phase.UP, deadline=None)
        await pilot.press("escape")
        await text_seen(pilot, "1 up")
        assert rows(app)._ticker._timer is None


async def test_a_gap_in_the_events_is_closed_by_a_new_snapshot():
    app, client = app_of(connection("desk"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "registered")
        client.statuses["desk"] = connection("desk", phase=Phase.BLOCKED)
        client.miss_events()
        await text_seen(pilot, "wrong secret or ACL")
        client.change("desk", phase=Phase.UP)
        await text_seen(pilot, "1 up")


async def test_events_from_before_the_screen_are_in_the_log_but_change_nothing():
    app, client = app_of(connection("desk"))
    client.change("desk", phase=Phase.WAITING, attempt=1, **waiting(1, 1))
    client.change("desk", phase=Phase.UP)
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "1 s to attempt 1/15")
        await seen(pilot, lambda: log(app).total == 2)
        await text_seen(pilot, "● 1 up")


async def test_a_manager_that_does_not_answer_is_a_sentence_and_is_asked_again(monkeypatch):
    monkeypatch.setattr("tui.follower.AGAIN_AFTER", 0.05)
    app, client = app_of(connection("desk"))
    client.snapshot_error = TrunklineError(
        "no service answers at /run/user/1000/trunkline/0123456789abcdef.sock"
    )
    async with app.run_test(size=(80, 24)) as pilot:
        await text_seen(pilot, "the manager does not answer · asked again ")
        assert "· the rest may be old" in line_with(app, "does not answer")
        await pilot.resize_terminal(160, 40)
        await text_seen(pilot, "may be old · no service answers at /run/user/1000/trunkline/")
        client.snapshot_error = None
        await text_seen(pilot, "desk")
        await text_gone(pilot, "does not answer")
        answer, may_answer = client.snapshot, asyncio.Event()

        async def answer_when_allowed():
            await may_answer.wait()
            return await answer()

        client.snapshot = answer_when_allowed
        client.end_streams()
        await text_seen(pilot, "has ended its stream of events")
        may_answer.set()
        await text_gone(pilot, "has ended its stream")


async def test_a_thousand_events_are_drawn_together_and_none_is_lost():
    app, client = app_of(*(connection(f"desk-{i}") for i in range(10)))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk-9")
        drawn = []
        show = rows(app).show
        rows(app).show = lambda *what: (drawn.append(1), show(*what))
        for number in range(1000):
            client.change(f"desk-{number % 10}", phase=Phase.WAITING, attempt=1, **waiting(1, 100))
        await seen(pilot, lambda: log(app).total == 1000)
        await text_seen(pilot, "10 waiting")
        assert len(drawn) < 100
