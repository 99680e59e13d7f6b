"""The keys for filters, the log, help, and the end."""

from __future__ import annotations

from collections import deque

from textual import events

from manager.client import Refresh
from manager.model import Phase
from tests.tui.conftest import screen_text, seen, text_gone, text_seen
from tests.tui.driving import app_of, keys, log
from tests.tui.fake_client import connection, exchange, waiting
from tui.app import ExtraKey


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
    async with app.run_test(size=(100, 90)) as pilot:
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
        await pilot.press("pagedown", "space", "j", "k", "pageup", "G")
        await text_seen(pilot, "esc or ? goes back")
        await pilot.press("g")
        await text_seen(pilot, "keys and signs")
        await pilot.press("escape")
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
