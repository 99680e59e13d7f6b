"""The keys for filters, the log, help, and the end."""

from __future__ import annotations

from textual import events

from manager.client import Refresh
from manager.model import Phase
from tests.tui.conftest import screen_text, seen, text_gone, text_seen
from tests.tui.driving import app_of, keys
from tests.tui.fake_client import connection, exchange
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


async def test_tab_gives_the_keys_to_the_other_pane_and_the_footer_says_what_works_there():
    app, _ = app_of(*exchange())
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "r reconnect")
        assert "tab log" in keys(app)
        await pilot.press("tab")
        await text_seen(pilot, "tab rows")
        assert " r reconnect" not in keys(app)
        await pilot.press("tab")
        await text_seen(pilot, "r reconnect")


async def test_help_names_every_key_and_every_phase():
    app, _ = app_of(*exchange())
    async with app.run_test(size=(100, 120)) as pilot:
        await text_seen(pilot, "desk-6001")
        await pilot.press("question_mark")
        await text_seen(pilot, "keys and signs")
        text = "\n".join(screen_text(app))
        for phase in Phase:
            assert phase.value in text
        for words in (
            "close every connection and end",
            "have the log follow",
            "details of the connection; unfold",
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
        await text_seen(pilot, "q again quits: closes 9 connections")
        await pilot.press("x")
        await text_gone(pilot, "q again quits")
        assert app.is_running
        await pilot.press("q", "q")
        await seen(pilot, lambda: app._exit)


async def test_what_is_typed_right_behind_an_answer_is_a_command():
    app, client = app_of(*exchange())
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk-6001")
        await pilot.press("q")
        await text_seen(pilot, "q again quits")
        for key in "nu":
            app.post_message(events.Key(key, key))
        await seen(pilot, lambda: client.commands == [Refresh()])
        await text_gone(pilot, "q again quits")


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
