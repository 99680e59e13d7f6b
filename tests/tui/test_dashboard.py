"""The dashboard as an operator meets it: what is on the screen, and what each key does."""

from __future__ import annotations

import asyncio
import time
from collections import deque

import pytest
from msgspec.structs import replace
from textual import events

from manager.client import Pause, Reconnect, Refresh, Resume
from manager.errors import UnknownConnectionError
from manager.events import Added, BudgetChanged, FactsChanged, ProbeAnswered, Removed
from manager.model import BudgetStatus, Phase, Result
from tests.tui.conftest import SIZES, line_with, row_of, screen_text, seen, text_gone, text_seen
from tests.tui.fake_client import BUDGET, CLOCK_AHEAD, FakeClient, connection, exchange, waiting
from tui.app import ExtraKey, TrunklineApp
from tui.glyphs import ASCII, UNICODE


def app_of(*statuses, **options) -> tuple[TrunklineApp, FakeClient]:
    client = FakeClient(*statuses, budgets=(BUDGET,))
    return TrunklineApp(client, **options), client


def rows(app: TrunklineApp):
    return app.screen.query_one("#rows")


def log(app: TrunklineApp):
    return app.screen.query_one("#log")


def keys(app: TrunklineApp) -> str:
    return screen_text(app)[-1]


# What is on the screen


@pytest.mark.parametrize("size", SIZES)
async def test_each_size_shows_the_number_the_problems_and_their_reasons(size):
    app, _ = app_of(*exchange())
    async with app.run_test(size=size) as pilot:
        await text_seen(pilot, "desk-6001")
        text = "\n".join(screen_text(app))
        assert "61" in text.replace(" ", "") or "┏━╸ ╻" in text
        for name in ("desk-6001", "backend", "pbx2-ami", "wrong secret"):
            assert name in text
        assert "connection refus" in row_of(app, "desk-6001")
        assert "quit" in keys(app)


@pytest.mark.parametrize(
    ("phase", "words"),
    [
        (Phase.UP, ("up", "12 ms", "registered until")),
        (Phase.SUSPECT, ("suspect", "1/3", "no answer to OPTIONS since")),
        (Phase.CONNECTING, ("connecting", "4/15", "trying now", "after connection refused")),
        (Phase.WAITING, ("waiting", "4/15", "━", "5 s", "connection refused")),
        (Phase.PARKED, ("parked", "next try ", "connection refused")),
        (Phase.BLOCKED, ("blocked", "next try ", "wrong secret or ACL", "mend the password")),
        (Phase.PAUSED, ("paused", "paused since", "p resumes")),
        (Phase.STOPPED, ("stopped",)),
    ],
)
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
async def test_a_row_says_its_phase_by_glyph_and_word_and_what_belongs_to_it(phase, words, glyphs):
    app, _ = app_of(connection("the-one", phase=phase), ascii_glyphs=glyphs.ascii_only)
    async with app.run_test(size=(140, 40)) as pilot:
        await text_seen(pilot, "the-one")
        row = row_of(app, "the-one")
        assert row[1] == glyphs.phases[phase]
        assert "pbx1:5060/tcp" in row
        for word in words:
            assert glyphs.plain(word) in row


async def test_the_header_counts_by_phase_and_judges_the_worst_first():
    app, _ = app_of(*exchange(), title="berlin")
    async with app.run_test(size=(140, 40)) as pilot:
        await text_seen(pilot, "degraded")
        header = line_with(app, "degraded")
        for words in ("■ 1 blocked", "▲ 1 parked", "↻ 2 waiting", "● 8 up", "of 15 · berlin"):
            assert words in header
        text = screen_text(app)
        assert text[2][13:].startswith("■ pbx2  wrong secret or ACL")
        assert "stopped at 2 of 4 logins" in text[2]
        assert text[4].rstrip().endswith("+2 more")


async def test_a_narrow_header_is_one_line_and_two_verdicts():
    app, _ = app_of(*exchange())
    async with app.run_test(size=(80, 24)) as pilot:
        await text_seen(pilot, "61 %")
        text = screen_text(app)
        assert text[0].startswith(" 61 %")
        assert text[1].startswith(" ■ pbx2")
        assert text[2].rstrip().endswith("+3 more")
        assert text[3].startswith(" SIP")
        assert text[-5].startswith(" Events")


async def test_with_nothing_configured_the_health_is_unknown_and_a_sentence_says_what_to_do():
    app, _ = app_of()
    async with app.run_test(size=(200, 24)) as pilot:
        await text_seen(pilot, "unknown")
        await text_seen(pilot, "No connection is configured.")
        await text_seen(pilot, "config.toml")
        assert "reconnect" not in keys(app)


async def test_a_start_that_goes_well_is_opening_and_no_alarm():
    first = {"phase": Phase.CONNECTING, "failure": None, "attempt": 0, "down_since": None}
    app, client = app_of(connection("a", **first), connection("b", **first))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "opening  ▸ 2 connecting  of 2")
        await text_seen(pilot, "opening 2 connections for the first time")
        client.change("a", phase=Phase.WAITING, attempt=1, **waiting(1, 60))
        await text_seen(pilot, "critical")


async def test_sections_without_connections_do_not_show():
    app, _ = app_of(connection("a", "ami"), connection("b", "carrier-pigeon", facts={"speed_kmh": 80}))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "AMI ─")
        text = "\n".join(screen_text(app))
        assert "SIP" not in text
        assert "WebSocket" not in text
        assert "carrier-pigeon ─" in text
        assert "speed kmh 80" in text


async def test_columns_stand_where_they_stood_when_values_change():
    app, client = app_of(*exchange())
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk-6002")
        before = row_of(app, "pbx3-ami")
        client.change("pbx3-ami", latency=0.140, facts={"version": "22.10.1", "calls": 112})
        await text_seen(pilot, "112 calls")
        after = row_of(app, "pbx3-ami")
        assert before.index("ms") == after.index("ms")
        assert before.index("Asterisk") == after.index("Asterisk")


async def test_resizing_lays_everything_out_anew_and_keeps_the_cursor():
    app, _ = app_of(*exchange())
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "degraded")
        await pilot.press("j", "j")
        name = rows(app).selected_name
        await pilot.resize_terminal(40, 20)
        await text_gone(pilot, "degraded")
        assert "61 %" in screen_text(app)[0]
        await pilot.resize_terminal(120, 40)
        await text_seen(pilot, "degraded")
        assert rows(app).selected_name == name


async def test_two_hundred_connections_fold_and_every_problem_is_seen():
    many = [connection(f"desk-{i}", host=f"host{i % 11}") for i in range(185)]
    app, _ = app_of(*many, *exchange())
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "189 up")
        text = "\n".join(screen_text(app))
        for status in exchange():
            if status.phase is not Phase.UP:
                assert status.name in text


# What changes


async def test_a_change_of_phase_is_in_the_row_the_header_and_the_log():
    app, client = app_of(connection("desk"), connection("other"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "all 2 are up")
        client.change("desk", phase=Phase.WAITING, attempt=1, **waiting(1, 1))
        await text_seen(pilot, "1 waiting")
        await text_seen(pilot, "1 s to attempt 1/15 · connection refused")
        assert "fair" not in "\n".join(screen_text(app))
        assert "degraded" in "\n".join(screen_text(app))


async def test_latency_is_shown_anew_only_when_it_moves_by_a_third():
    app, client = app_of(connection("desk", latency=0.100))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "100 ms")
        for latency, shown in ((0.120, "100 ms"), (0.134, "134 ms"), (0.110, "134 ms"), (0.099, "99 ms")):
            event = client.emit(
                ProbeAnswered, status=replace(client.statuses["desk"], latency=latency), probe="heartbeat"
            )
            await seen(pilot, lambda event=event: app.screen.board.position.seq == event.seq)
            await text_seen(pilot, shown)
        assert log(app).total == 0


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
    app, client = app_of(connection("desk", phase=Phase.WAITING, **waiting(30, 12.5)))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "13 s")
        row = row_of(app, "desk")
        await text_seen(pilot, "12 s")
        # Right within the tenth of a second that rows share.
        left = client.statuses["desk"].deadline - CLOCK_AHEAD - time.monotonic()
        assert left <= 12.0
        assert row.count("━") >= row_of(app, "desk").count("━")


async def test_a_countdown_that_is_over_holds_at_one_second_until_the_event_turns_it():
    app, client = app_of(connection("desk", phase=Phase.WAITING, **waiting(8, -2)))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, " 1 s  connection refused")
        assert rows(app)._timer is None
        client.change("desk", phase=Phase.CONNECTING, deadline=None)
        await text_seen(pilot, "trying now")
        assert " 1 s " not in row_of(app, "desk")


async def test_nothing_ticks_while_all_is_well_or_help_lies_above():
    app, client = app_of(connection("desk"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "all")
        assert rows(app)._timer is None
        client.change("desk", phase=Phase.WAITING, attempt=1, **waiting(60, 60))
        await seen(pilot, lambda: rows(app)._timer is not None)
        table = rows(app)
        await pilot.press("question_mark")
        await text_seen(pilot, "keys and signs")
        assert table._timer is None
        client.change("desk", phase=Phase.UP, deadline=None)
        await pilot.press("escape")
        await text_seen(pilot, "1 up")
        assert rows(app)._timer is None


# Keys


async def test_moving_reaches_every_row_and_stops_at_the_ends():
    app, _ = app_of(*exchange())
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk-6001")
        first = rows(app).selected_name
        seen_names = [first]
        for _ in range(20):
            await pilot.press("j")
            seen_names.append(rows(app).selected_name)
        assert set(seen_names) == {status.name for status in exchange()}
        last = rows(app).selected_name
        for key, name in (("g", first), ("G", last), ("home", first), ("end", last), ("k", seen_names[13])):
            await pilot.press(key)
            assert rows(app).selected_name == name
        await pilot.press("pageup")
        assert rows(app).selected_name == first
        await pilot.press("down", "up", "up", "pagedown")
        assert rows(app).selected_name == last


async def test_the_cursor_scrolls_into_sight():
    app, _ = app_of(*(connection(f"desk-{i}", phase=Phase.SUSPECT, host=f"h{i}") for i in range(40)))
    async with app.run_test(size=(80, 24)) as pilot:
        await text_seen(pilot, "desk-0 ")
        await pilot.press("G")
        await text_seen(pilot, "desk-39 ")
        await pilot.press("g")
        await text_seen(pilot, "desk-0 ")


async def test_enter_unfolds_and_folds_again():
    app, _ = app_of(*(connection(f"desk-{i}", host=f"host{i % 2}") for i in range(60)))
    async with app.run_test(size=(80, 24)) as pilot:
        await text_seen(pilot, "30 on host0")
        assert "unfold" in keys(app)
        assert "reconnect" not in keys(app)
        await pilot.press("enter")
        await text_seen(pilot, "desk-0 ")
        await text_gone(pilot, "30 on host0")
        assert rows(app).selected_name == "desk-0"
        assert "fold" in keys(app)
        await pilot.press("enter")
        await text_seen(pilot, "30 on host0")


async def test_r_reconnects_the_selected_one_and_tells_of_it_in_its_row():
    app, client = app_of(connection("desk", phase=Phase.WAITING, **waiting(300, 300)))
    answered = asyncio.Event()

    def answer(command):
        answered.set()
        text = "up again after 310 ms"
        return (Result(connection="desk", ok=True, text=text, seconds=0.31, status=client.statuses["desk"]),)

    client.answer = answer
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        await pilot.press("r")
        await answered.wait()
        await seen(pilot, lambda: "up again after 310 ms" in row_of(app, "desk"))
        assert client.commands == [Reconnect(name="desk")]


async def test_what_is_under_way_stands_in_the_row_until_the_result_is_there():
    app, client = app_of(connection("desk"))
    gate = asyncio.Event()

    async def command(order):
        client.commands.append(order)
        await gate.wait()
        return (Result(connection="desk", ok=False, text="refused again", status=client.statuses["desk"]),)

    client.command = command
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        await pilot.press("r")
        await text_seen(pilot, "reconnecting…")
        gate.set()
        await text_seen(pilot, "refused again")
        assert "reconnecting" not in "\n".join(screen_text(app))


async def test_a_result_makes_room_for_the_row_s_own_text_again(monkeypatch):
    monkeypatch.setattr("tui.orders.SHOWN_FOR", 1.0)
    app, client = app_of(connection("desk"))
    client.answer = lambda _: (
        Result(connection="desk", ok=True, text="answered in 12 ms", status=client.statuses["desk"]),
    )
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "registered until")
        await pilot.press("u")
        await text_seen(pilot, "answered in 12 ms")
        await text_seen(pilot, "registered until")
        assert client.commands == [Refresh()]


async def test_an_empty_login_budget_is_explained_and_a_second_r_goes_past_it():
    app, client = app_of(connection("pbx2-ami", "ami", Phase.BLOCKED, host="pbx2"))
    free = time.mktime((2026, 11, 23, 2, 44, 18, 0, 0, -1))
    client.answer = lambda _: (
        Result(
            connection="pbx2-ami",
            ok=False,
            text="budget used up",
            next_login=free,
            status=client.statuses["pbx2-ami"],
        ),
    )
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "pbx2-ami")
        await pilot.press("r")
        await text_seen(pilot, "login budget used up until 02:44:18 · r again overrides")
        client.answer = lambda _: ()
        await pilot.press("r")
        await seen(pilot, lambda: len(client.commands) == 2)
        assert client.commands == [Reconnect(name="pbx2-ami"), Reconnect(name="pbx2-ami", override=True)]
        await pilot.press("r")
        await seen(pilot, lambda: len(client.commands) == 3)
        assert client.commands[2] == Reconnect(name="pbx2-ami")


@pytest.mark.parametrize(
    ("key", "sent"), [("R", [Reconnect()]), ("y", [Reconnect()]), ("n", []), ("escape", [])]
)
async def test_reconnecting_all_asks_while_any_are_up(key, sent):
    app, client = app_of(*exchange())
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk-6001")
        await pilot.press("R")
        await text_seen(pilot, "9 of 14 are up and would be closed first")
        assert client.commands == []
        await pilot.press(key)
        await text_gone(pilot, "would be closed")
        await seen(pilot, lambda: client.commands == sent)
        assert "reconnect" in keys(app)


async def test_reconnecting_all_asks_nothing_when_none_are_up():
    app, client = app_of(connection("a", phase=Phase.WAITING), connection("b", phase=Phase.BLOCKED))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "blocked")
        await pilot.press("R")
        await seen(pilot, lambda: client.commands == [Reconnect()])


async def test_p_pauses_and_takes_up_again():
    app, client = app_of(connection("desk"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        assert "p pause" in keys(app)
        await pilot.press("p")
        await seen(pilot, lambda: client.commands == [Pause(name="desk")])
        client.change("desk", phase=Phase.PAUSED)
        await text_seen(pilot, "p resume ")
        await pilot.press("p")
        await seen(pilot, lambda: client.commands[1:] == [Resume(name="desk")])


async def test_what_a_command_raises_becomes_a_sentence_in_the_row():
    app, client = app_of(connection("desk"))

    def answer(_command):
        raise UnknownConnectionError("there is no connection desk")

    client.answer = answer
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        await pilot.press("r")
        await text_seen(pilot, "not done: there is no connection desk")


async def test_rows_are_filtered_by_name_type_phase_and_endpoint_as_one_types():
    app, _ = app_of(*exchange())
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk-6001")
        for words, number in (("ari", 1), ("websocket", 3), ("blocked", 1), ("sbc2:", 1), ("DESK", 6)):
            await pilot.press("slash", *words)
            await text_seen(pilot, f"{number} of 15 match “{words.lower()}”")
            await pilot.press("enter")
            await text_seen(pilot, "reconnect")
            await pilot.press("escape")
            await text_gone(pilot, "match “")


async def test_a_filter_that_matches_nothing_says_how_to_get_out():
    app, _ = app_of(*exchange())
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk-6001")
        await pilot.press("slash", "z", "q")
        await text_seen(pilot, "nothing matches “zq” · esc shows all 15")
        await pilot.press("backspace", "backspace", "a", "ctrl+u")
        await text_gone(pilot, "match")
        await pilot.press("escape")
        await text_seen(pilot, "reconnect")


async def test_keys_are_letters_while_a_filter_is_typed():
    app, client = app_of(*exchange())
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk-6001")
        await pilot.press("slash", *"rRupfq?")
        await text_seen(pilot, "rows /rRupfq?")
        assert client.commands == []


async def test_the_log_follows_holds_and_follows_again():
    app, client = app_of(connection("desk"))

    async def happen(number: int) -> None:
        for _ in range(number):
            client.change("desk", phase=Phase.WAITING, attempt=1, **waiting(1, 100))
        await seen(pilot, lambda: log(app).total == client._seq)

    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "Events ─ following · all · 0")
        await happen(30)
        assert log(app).scroll_offset.y == 30 - 9
        await pilot.press("tab", "k", "k")
        await text_seen(pilot, "held")
        await happen(5)
        assert log(app).scroll_offset.y == 30 - 9 - 2
        await text_seen(pilot, "held, 5 new · f follows · all · 35")
        await pilot.press("f")
        await text_seen(pilot, "following · all · 35")
        assert log(app).scroll_offset.y == 35 - 9
        await pilot.press("g")
        assert log(app).scroll_offset.y == 0
        await pilot.press("G")
        await text_seen(pilot, "following")
        await pilot.press("pageup", "pagedown", "home", "end", "up", "down")
        await text_seen(pilot, "following")
        await pilot.press("f")
        await text_seen(pilot, "held · f follows")


async def test_a_full_log_drops_the_oldest_and_what_is_read_does_not_move():
    app, client = app_of(connection("desk"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        table = log(app)
        table._lines = table._matching = deque(maxlen=50)
        for number in range(50):
            client.change("desk", phase=Phase.WAITING, attempt=number, **waiting(1, 100))
        await seen(pilot, lambda: table.total == 50)
        await pilot.press("tab", "pageup")
        top = table._matching[table.scroll_offset.y]
        for number in range(10):
            client.change("desk", phase=Phase.WAITING, attempt=number, **waiting(1, 100))
        await seen(pilot, lambda: table.total == 60)
        assert table._matching[table.scroll_offset.y] is top
        assert len(table._lines) == 50


async def test_the_focused_pane_is_what_a_filter_is_for():
    app, client = app_of(connection("desk"), connection("ami", "ami"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        client.change("desk", phase=Phase.WAITING, attempt=1, **waiting(1, 100))
        client.change("ami", phase=Phase.WAITING, attempt=1, **waiting(1, 100))
        await text_seen(pilot, "all · 2")
        await pilot.press("tab", "slash", *"desk")
        await text_seen(pilot, "“desk” · 1 of 2")
        await pilot.press("enter")
        client.change("ami", phase=Phase.CONNECTING)
        client.change("desk", phase=Phase.CONNECTING)
        await text_seen(pilot, "“desk” · 2 of 4")
        assert "2 of 2 match" not in "\n".join(screen_text(app))
        await pilot.press("escape")
        await text_seen(pilot, "all · 4")


async def test_tab_gives_the_keys_to_the_other_pane_and_the_footer_says_what_works_there():
    app, _ = app_of(*exchange())
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "r reconnect")
        assert "tab log" in keys(app)
        await pilot.press("tab")
        await text_seen(pilot, "tab rows")
        assert "reconnect" not in keys(app)
        await pilot.press("tab")
        await text_seen(pilot, "r reconnect")


async def test_help_names_every_key_and_every_phase():
    app, _ = app_of(*exchange())
    async with app.run_test(size=(100, 60)) as pilot:
        await text_seen(pilot, "desk-6001")
        await pilot.press("question_mark")
        await text_seen(pilot, "keys and signs")
        text = "\n".join(screen_text(app))
        for phase in Phase:
            assert phase.value in text
        for words in (
            "close every connection and end",
            "have the log follow",
            "unfold or fold",
            "trunkline-dark",
        ):
            assert words in text
        await pilot.press("q")
        await text_seen(pilot, "desk-6001")


async def test_help_scrolls_where_it_does_not_fit():
    app, _ = app_of(*exchange())
    async with app.run_test(size=(80, 24)) as pilot:
        await text_seen(pilot, "desk-6001")
        await pilot.press("question_mark")
        await text_seen(pilot, "keys and signs")
        await pilot.press("pagedown", "space", "space", "j", "j", "j", "j", "j", "j", "j", "j", "j")
        await text_seen(pilot, "esc or ? goes back")
        await pilot.press("pageup", "k", "escape")
        await text_seen(pilot, "desk-6001")


async def test_quitting_asks_and_the_same_key_confirms():
    app, _ = app_of(*exchange())
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk-6001")
        await pilot.press("q")
        await text_seen(pilot, "Quitting closes 9 connections")
        await pilot.press("x")
        await text_gone(pilot, "Quitting")
        assert app.is_running
        await pilot.press("q", "q")
        await seen(pilot, lambda: app._exit)


async def test_what_is_typed_right_behind_an_answer_is_a_command():
    app, client = app_of(*exchange())
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk-6001")
        await pilot.press("q")
        await text_seen(pilot, "Quitting")
        for key in "nu":
            app.post_message(events.Key(key, key))
        await seen(pilot, lambda: client.commands == [Refresh()])
        await text_gone(pilot, "Quitting")


async def test_every_binding_has_an_id_of_its_own():
    app, _ = app_of(connection("a"))
    async with app.run_test() as pilot:
        await text_seen(pilot, "SIP")
        await pilot.press("question_mark")
        await text_seen(pilot, "keys and signs")
        nodes = [app, *app.screen_stack, *app.screen_stack[0].walk_children(), *app.screen.walk_children()]
        ids: dict[str, set[str]] = {}
        for node in nodes:
            for bindings in node._bindings.key_to_bindings.values():
                for binding in bindings:
                    assert binding.id, binding
                    ids.setdefault(binding.id, set()).add(f"{type(node).__name__}.{binding.action}")
        assert all(len(actions) == 1 for actions in ids.values()), ids


async def test_an_extra_key_is_called_with_the_selection_and_its_sentence_is_shown_until_a_key():
    called = []

    async def freeze(name):
        called.append(name)
        return f"{name} is frozen now"

    async def fail(_name):
        raise OSError("no server")

    app, _ = app_of(connection("desk"), keys=[ExtraKey("x", "freeze", freeze), ExtraKey("z", "fail", fail)])
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "x freeze")
        await pilot.press("x")
        await text_seen(pilot, "desk is frozen now")
        assert called == ["desk"]
        await pilot.press("k")
        await text_seen(pilot, "x freeze")
        await pilot.press("z")
        await text_seen(pilot, "fail: no server")


# The way to the manager


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
    client.snapshot_error = ConnectionError("the socket is closed")
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "the manager does not answer: the socket is closed")
        client.snapshot_error = None
        await text_seen(pilot, "desk")
        await text_gone(pilot, "does not answer")
        client.end_streams()
        await text_seen(pilot, "has ended its stream of events")
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
