"""The overview of few and of many connections: filtered, ordered, selected, and what is news in it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events

from manager.client import Pause, Reconnect, Resume
from manager.model import Phase
from tests.tui.conftest import row_of, screen_text, seen, text_gone, text_seen
from tests.tui.driving import app_of, keys, rows
from tests.tui.fake_client import connection, exchange, waiting
from tui.columns import OFFERED, columns_for
from tui.matching import Filter
from tui.ordering import KEYS, Ordering, OrderingError, read_ordering


def names_of(app) -> list[str]:
    known = app.screen.board.statuses
    lines = screen_text(app)
    end = next(index for index, line in enumerate(lines) if "Events ─" in line)
    return [word for line in lines[5:end] for word in line.split()[:3] if word in known]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", 15),
        ("desk", 6),
        ("DESK", 6),
        ("desk pbx2", 2),
        ("phase:waiting", 2),
        ("phase:waiting,parked", 3),
        ("group:pbx3 type:sip", 3),
        ("name:ami", 4),
        ("endpoint:/tls", 1),
        ("reason:refused", 4),
        ("!phase:up", 7),
        ("!desk !ami", 5),
        ("phase:", 15),
        ("colour:red", 0),
        ("!", 0),
    ],
)
def test_a_filter_finds_by_any_word_or_by_a_named_one(words, found):
    assert len(Filter(words).matching(exchange())) == found


@given(st.text(max_size=30))
def test_any_words_are_a_filter_and_it_only_takes_away(words):
    everything = exchange()
    matching = Filter(words).matching(everything)
    assert [status for status in everything if status in matching] == matching


@pytest.mark.parametrize("words", ["", "name", "-name", "latency -drops name", *KEYS])
def test_an_order_moves_connections_and_loses_none(words):
    ordered = read_ordering(words).apply(exchange())
    assert sorted(each.name for each in ordered) == sorted(each.name for each in exchange())


def test_an_order_by_several_looks_at_the_second_where_the_first_is_equal():
    statuses = [connection("b", host="x"), connection("a", host="y"), connection("c", host="x")]
    assert [each.name for each in read_ordering("group -name").apply(statuses)] == ["c", "b", "a"]


def test_an_unknown_order_says_what_there_is():
    with pytest.raises(OrderingError, match="colour is nothing to order by; there are trouble, name"):
        read_ordering("name colour")
    assert read_ordering("  ") == Ordering()
    assert read_ordering("-latency name").words == "-latency name"


@given(
    st.integers(40, 300),
    st.integers(0, 60),
    st.integers(0, 80),
    st.lists(st.sampled_from(sorted(OFFERED)), unique=True),
)
def test_whatever_columns_are_chosen_the_reason_has_room(width, name, endpoint, wanted):
    columns = columns_for(width, name, endpoint, wanted)
    least = 8 if width < 76 else 12
    assert width - columns.reason_at >= least


async def test_rows_are_ordered_as_one_types_and_a_word_that_is_no_order_changes_nothing():
    app, _ = app_of(connection("b", latency=0.3), connection("a", latency=0.1), connection("c", latency=0.2))
    async with app.run_test(size=(120, 40)) as pilot:
        await seen(pilot, lambda: names_of(app) == ["b", "a", "c"])
        await pilot.press("o")
        await text_seen(pilot, "order: trouble")
        await pilot.press("ctrl+u", *"name")
        await seen(pilot, lambda: names_of(app) == ["a", "b", "c"])
        await pilot.press(*"less")
        await pilot.pause()
        assert names_of(app) == ["a", "b", "c"]
        await pilot.press("ctrl+u", *"-latency", "enter")
        await seen(pilot, lambda: names_of(app) == ["b", "c", "a"])
        await pilot.press("o", "escape")
        await seen(pilot, lambda: names_of(app) == ["b", "a", "c"])


async def test_an_order_by_numbers_follows_them():
    app, client = app_of(connection("a", latency=0.1), connection("b", latency=0.2))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "SIP")
        await pilot.press("o", "ctrl+u", *"latency", "enter")
        await seen(pilot, lambda: names_of(app) == ["a", "b"])
        client.change("b", latency=0.01, usual_latency=0.01)
        await seen(pilot, lambda: names_of(app) == ["b", "a"])


async def test_columns_are_chosen_and_the_usual_ones_come_back():
    app, _ = app_of(connection("desk", drops=1234, host="pbx7"))
    async with app.run_test(size=(140, 40)) as pilot:
        await text_seen(pilot, "pbx7:5060/tcp")
        await pilot.press("c", "ctrl+u", *"drops group", "enter")
        await text_gone(pilot, "pbx7:5060/tcp")
        assert "1,234" in row_of(app, "desk")
        assert "pbx7" in row_of(app, "desk")
        await pilot.press("c", "escape")
        await text_seen(pilot, "pbx7:5060/tcp")


async def test_n_goes_from_problem_to_problem():
    app, _ = app_of(*exchange())
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk-6001")
        visited = []
        for key in "nnnnNN":
            await pilot.press(key)
            visited.append(rows(app).selected_name)
        assert visited == [
            "trunk-telekom-berlin",
            "desk-6005",
            "desk-6006",
            "backend",
            "desk-6006",
            "desk-6005",
        ]


async def test_commands_are_for_the_marked_rows_and_ask_when_that_closes_any():
    app, client = app_of(connection("a"), connection("b"), connection("c"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "SIP")
        await pilot.press("space", "space")
        await text_seen(pilot, "reconnect 2")
        assert row_of(app, "a").startswith("✓")
        assert not row_of(app, "c").startswith("✓")
        await pilot.press("r")
        await text_seen(pilot, "r again closes and opens these: 2 of 2 are up · any other key does not")
        await pilot.press("x")
        assert client.commands == []
        await pilot.press("r", "r")
        await seen(pilot, lambda: client.commands == [Reconnect(name="a"), Reconnect(name="b")])
        client.commands.clear()
        await pilot.press("p")
        await text_seen(pilot, "p again closes 2 connections · any other key does not")
        await pilot.press("p")
        await seen(pilot, lambda: client.commands == [Pause(name="a"), Pause(name="b")])
        client.change("a", phase=Phase.PAUSED)
        client.change("b", phase=Phase.PAUSED)
        await text_seen(pilot, "resume 2")
        client.commands.clear()
        await pilot.press("p")
        await seen(pilot, lambda: client.commands == [Resume(name="a"), Resume(name="b")])
        await pilot.press("escape")
        await text_gone(pilot, "✓")


async def test_all_that_a_filter_shows_can_be_marked_and_one_that_goes_is_no_longer():
    app, client = app_of(*exchange())
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk-6001")
        await pilot.press("slash", *"type:ami", "enter", "asterisk")
        await text_seen(pilot, "reconnect 4")
        client.emit_removed("pbx9-ami")
        await text_seen(pilot, "reconnect 3")
        await pilot.press("asterisk")
        await text_gone(pilot, "reconnect 3")
        await text_gone(pilot, "✓")


async def test_a_fold_is_one_row_for_commands_too():
    app, client = app_of(*(connection(f"desk-{i}", host="pbx1") for i in range(60)))
    async with app.run_test(size=(120, 24)) as pilot:
        await text_seen(pilot, "60 on pbx1")
        await pilot.press("space")
        await text_seen(pilot, "✓")
        await pilot.press("p", "p")
        await seen(pilot, lambda: len(client.commands) == 60)


async def test_what_changed_while_nobody_was_there_is_marked_until_it_has_been_seen(monkeypatch):
    app, client = app_of(connection("a"), connection("b"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "SIP")
        pane = rows(app).parent
        client.change("a", phase=Phase.WAITING, **waiting(300, 300))
        await seen(pilot, lambda: "waiting" in row_of(app, "a"))
        await pilot.press("k")
        assert not row_of(app, "a").startswith("•")
        pane._last_key_at = time.time() - 3600
        await pilot.press("j")
        await seen(pilot, lambda: row_of(app, "a").startswith("•"))
        assert not row_of(app, "b").startswith("•")
        await pilot.press("k")
        assert row_of(app, "a").startswith("•")
        await pilot.press("full_stop")
        await seen(pilot, lambda: not row_of(app, "a").startswith("•"))


async def test_a_click_selects_a_row_and_a_second_one_unfolds_it():
    app, _ = app_of(*exchange())
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk-6001")
        await pilot.click("#rows", offset=(5, 3))
        assert rows(app).selected_name == "desk-6005"
        app.post_message(events.Key("k", "k"))
        await seen(pilot, lambda: rows(app).selected_name == "trunk-telekom-berlin")


async def test_five_thousand_connections_fold_and_every_problem_is_seen():
    many = [connection(f"c{i:04}", "websocket", host=f"host{i % 50}") for i in range(5000)]
    many[4321] = connection("c4321", "websocket", Phase.WAITING, host="host21")
    app, client = app_of(*many)
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "of 5,000")
        assert "waiting" in row_of(app, "c4321")
        client.change("c0077", phase=Phase.SUSPECT)
        await seen(pilot, lambda: "suspect" in row_of(app, "c0077"))
        assert "reconnect" in keys(app)
