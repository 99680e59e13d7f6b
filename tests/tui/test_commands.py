"""The keys that move the cursor and send commands, and what is told of them in the rows."""

from __future__ import annotations

import asyncio
import time

import pytest

from manager.client import Pause, Reconnect, Refresh, Reload, Resume
from manager.errors import TrunklineError, UnknownConnectionError
from manager.model import Phase, Result
from tests.tui.conftest import row_of, screen_text, seen, text_gone, text_seen
from tests.tui.driving import app_of, keys, rows
from tests.tui.fake_client import connection, exchange, waiting


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


async def test_enter_unfolds_left_folds_again_and_right_unfolds():
    app, _ = app_of(*(connection(f"desk-{i}", host=f"host{i % 2}") for i in range(60)))
    async with app.run_test(size=(80, 24)) as pilot:
        await text_seen(pilot, "30 on host0")
        assert "unfold" in keys(app)
        assert "reconnect 30" in keys(app)
        await pilot.press("enter")
        await text_seen(pilot, "desk-0 ")
        await text_gone(pilot, "30 on host0")
        assert rows(app).selected_name == "desk-0"
        assert "← fold" in keys(app)
        assert "⏎ details" in keys(app)
        await pilot.press("left")
        await text_seen(pilot, "30 on host0")
        await pilot.press("right")
        await text_gone(pilot, "30 on host0")


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
    monkeypatch.setattr("tui.orders.SHOWN_FOR", 0.1)
    app, client = app_of(connection("desk"))
    client.answer = lambda _: (
        Result(connection="desk", ok=True, text="answered in 12 ms", status=client.statuses["desk"]),
    )
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "registered until")
        orders, timers = rows(app).parent.operator.orders, []
        later = orders._later
        orders._later = lambda *timer: timers.append(timer)
        await pilot.press("u")
        await text_seen(pilot, "answered in 12 ms")
        assert "registered until" not in row_of(app, "desk")
        # Its time begins to run when it has been seen, however long that took.
        (timer,) = timers
        later(*timer)
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
        await text_seen(pilot, "R again closes and opens all: 9 of 14 are up, 4 calls on their servers go on")
        assert client.commands == []
        await pilot.press(key)
        await text_gone(pilot, "R again")
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


async def test_ctrl_r_reads_the_settings_anew_and_keeps_the_selection():
    app, client = app_of(*exchange())
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk-6001")
        await pilot.press("j", "j")
        selected = rows(app).selected_name
        await pilot.press("ctrl+r")
        await text_seen(pilot, "the settings were read anew")
        assert client.commands == [Reload()]
        assert rows(app).selected_name == selected


async def test_settings_that_cannot_be_used_are_told_in_the_last_line():
    app, client = app_of(*exchange())

    def refuse(_command):
        raise TrunklineError("config.toml: line 3, connections.[/a]\x1b[2J: found nothing")

    client.answer = refuse
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk-6001")
        await pilot.press("ctrl+r")
        await text_seen(pilot, "not done: config.toml: line 3, connections.[/a]")
        assert "\x1b" not in screen_text(app)
