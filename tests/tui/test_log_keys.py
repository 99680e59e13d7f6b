"""The event log as one reads it: every key, what it says it does, and what is on the screen then."""

from __future__ import annotations

import time

import pytest
from msgspec.structs import replace
from textual import events

from manager.events import ProbeAnswered, Recovered, Reported
from manager.model import Phase
from tests.tui.conftest import SIZES, line_with, screen_text, seen, text_gone, text_seen
from tests.tui.driving import app_of, keys, log
from tests.tui.fake_client import FakeClient, connection, exchange, waiting
from tests.tui.test_sanitise import EVIL, check
from tui.app import TrunklineApp
from tui.log.sieve import SLICE
from tui.log.times import Times
from tui.preferences import Preferences
from tui.themes import load
from tui.widgets.eventlog import EventLog


@pytest.fixture(autouse=True)
def state(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    return tmp_path / ".local" / "state" / "trunkline"


def happen(client: FakeClient, number: int, name: str = "desk") -> None:
    """Let a connection lose as many attempts."""
    for attempt in range(1, number + 1):
        client.change(name, phase=Phase.WAITING, attempt=attempt, **waiting(1, 100))


async def drawn(pilot, client: FakeClient) -> None:
    """Wait until everything that was sent is in the log and on the screen."""
    widget = log(pilot.app)
    await seen(pilot, lambda: widget.total == client._seq and widget.view._lines.complete)


def heading(app) -> str:
    return line_with(app, "Events ─")


async def test_it_follows_holds_and_follows_again():
    app, client = app_of(connection("desk"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "Events ─ following · changes · 0")
        happen(client, 30)
        await text_seen(pilot, "changes · 30")
        assert log(app).view.top == 30 - 9
        await pilot.press("tab", "k", "k")
        await text_seen(pilot, "held · changes · 30")
        happen(client, 5)
        await text_seen(pilot, "held · 5 new · changes · 35")
        assert log(app).view.top == 30 - 9
        await pilot.press("f")
        await text_seen(pilot, "following · changes · 35")
        assert log(app).view.top == 35 - 9
        await pilot.press("g")
        assert log(app).view.top == 0
        await pilot.press("G")
        await text_seen(pilot, "following")
        await pilot.press("pageup", "pagedown", "ctrl+u", "ctrl+d", "home", "end", "up", "down")
        await text_seen(pilot, "following")


@pytest.mark.parametrize("key", ["f", "p"])
async def test_f_and_p_in_the_log_hold_it_and_pause_no_connection(key):
    app, client = app_of(connection("desk"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        happen(client, 1)
        await text_seen(pilot, "changes · 1")
        await pilot.press("tab")
        await text_seen(pilot, "f hold")
        assert "pause" not in keys(app)
        await pilot.press(key)
        await text_seen(pilot, "f follow")
        assert "held" in heading(app)
        await pilot.press(key)
        await text_seen(pilot, "f hold")
        assert client.commands == []


async def test_f_holds_the_log_from_the_rows_too():
    app, client = app_of(connection("desk"))
    async with app.run_test(size=(140, 40)) as pilot:
        await text_seen(pilot, "desk")
        assert "hold" not in keys(app)
        happen(client, 1)
        await text_seen(pilot, "f hold")
        await pilot.press("f")
        await text_seen(pilot, "held · changes · 1")


async def test_what_is_read_stays_in_its_place_while_events_pour_in_and_old_ones_go():
    app, client = app_of(connection("desk"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        log(app).view.store.limit = 50
        happen(client, 50)
        await text_seen(pilot, "changes · 50")
        await pilot.press("tab", "pageup", "pageup")
        await text_seen(pilot, "held")
        before = screen_text(app)[-10:-1]
        happen(client, 20)
        await text_seen(pilot, "held · 20 new · changes · 50 · 20 dropped")
        assert screen_text(app)[-10:-1] == before
        happen(client, 50)
        await text_seen(pilot, "held at the oldest, the rest was dropped · 50 new")
        assert log(app).view.top == 0
        await pilot.press("j")
        await text_seen(pilot, "held · 50 new")


async def test_words_are_searched_for_as_they_are_typed_and_marked():
    app, client = app_of(*exchange())
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk-6001")
        for name in ("desk-6001", "backend", "desk-6001", "ari"):
            client.change(name, phase=Phase.WAITING, attempt=7, **waiting(8, 5))
        await text_seen(pilot, "changes · 4")
        await pilot.press("tab", "slash", *"6001 REF")
        await text_seen(pilot, "search /6001 REF▏  enter keeps · esc clears")
        await text_seen(pilot, "“6001 ref” 2 of 2")
        await pilot.press("enter")
        marked = [segment.text for strip in log(app)._strips for segment in strip if segment.style.reverse]
        assert marked == ["6001", "ref"] * 2
        assert "n next" in keys(app)
        await pilot.press("N")
        await text_seen(pilot, "“6001 ref” 1 of 2")
        await pilot.press("N")
        await text_seen(pilot, "on from the newest again")
        await pilot.press("n")
        await text_seen(pilot, "on from the oldest again")
        await pilot.press("n", "o")
        await text_seen(pilot, "2 of 2 · changes · only “6001 ref” · 2 of 4")
        assert "lines around" in keys(app)
        await pilot.press("o")
        await text_gone(pilot, "only “6001 ref”")
        await pilot.press("escape")
        await text_gone(pilot, "“6001 ref”")
        assert " n next" not in keys(app)


async def test_escape_while_typing_ends_the_search_and_leads_back():
    app, client = app_of(connection("desk"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        happen(client, 20)
        await text_seen(pilot, "changes · 20")
        await pilot.press("tab", "slash", *"3/15")
        await text_seen(pilot, "“3/15” 2 of 2")
        await pilot.press("escape")
        await text_seen(pilot, "following · changes · 20")
        await pilot.press("slash", *"3/15", "enter", "g", "slash", *"zz")
        await pilot.press("escape")
        await text_seen(pilot, "held · changes · 20")
        assert log(app).view.at == 0
        await pilot.press("G", "slash", *"zz", "enter")
        await text_seen(pilot, "following · “zz” no match")
        assert "next" not in keys(app)


async def test_a_match_beyond_the_end_of_its_line_is_brought_into_sight():
    app, client = app_of(connection("desk"))
    async with app.run_test(size=(40, 20)) as pilot:
        await text_seen(pilot, "desk")
        happen(client, 3)
        await text_seen(pilot, "changes · 3")
        assert "refused" not in "\n".join(screen_text(app)[-4:-1])
        await pilot.press("tab", "slash", *"refused", "enter")
        await seen(pilot, lambda: "refused" in "\n".join(screen_text(app)[-4:-1]))
        await pilot.press("escape")
        await text_seen(pilot, "waiting 1 s to a")
        await pilot.press("right", "right")
        await seen(pilot, lambda: "refused" in "\n".join(screen_text(app)[-4:-1]))
        await pilot.press("left", "left", "left")
        await text_seen(pilot, "waiting 1 s to a")


async def test_levels_go_from_changes_to_problems_to_everything():
    app, client = app_of(connection("desk"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        client.emit(ProbeAnswered, status=client.statuses["desk"], probe="heartbeat")
        client.change("desk", phase=Phase.WAITING, attempt=1, **waiting(1, 100))
        client.emit(Recovered, status=client.statuses["desk"], downtime=4, attempts=1)
        await text_seen(pilot, "following · changes · 2")
        await pilot.press("tab")
        for said, level, shown, hidden in (
            ("l problems", "problems · 1", "waiting", "recovered"),
            ("l all", "all · 3", "heartbeat in 12 ms", "nothing"),
            ("l changes", "changes · 2", "recovered", "heartbeat in"),
        ):
            assert said in keys(app)
            await pilot.press("l")
            await text_seen(pilot, level)
            text = "\n".join(screen_text(app)[-10:-1])
            assert shown in text
            assert hidden not in text


async def test_c_shows_only_the_connection_of_the_line_and_e_only_its_event():
    app, client = app_of(connection("desk"), connection("ami", "ami"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        happen(client, 2)
        happen(client, 1, "ami")
        client.change("desk", phase=Phase.CONNECTING)
        await text_seen(pilot, "changes · 4")
        await pilot.press("tab")
        await text_seen(pilot, "c connection")
        await pilot.press("c")
        await text_seen(pilot, "following · changes · only desk · 3 of 4")
        assert "c all connections" in keys(app)
        await pilot.press("k", "e")
        await text_seen(pilot, "only desk · only waiting · 2 of 4")
        assert log(app).word_for("only_event") == "all events"
        happen(client, 1, "ami")
        await text_seen(pilot, "only desk · only waiting · 2 of 5")
        await pilot.press("c")
        await text_seen(pilot, "changes · only waiting · 4 of 5")
        await pilot.press("e")
        await text_seen(pilot, "changes · 5")


async def test_e_in_the_rows_shows_the_events_of_the_selected_row_or_fold_alone():
    app, client = app_of(*(connection(f"desk-{i}", host=f"host{i % 2}") for i in range(60)))
    async with app.run_test(size=(120, 24)) as pilot:
        await text_seen(pilot, "30 on host0")
        assert "e events" in keys(app)
        happen(client, 1, "desk-7")
        await text_seen(pilot, "changes · 1")
        await pilot.press("e")
        await text_seen(pilot, "only 30 connections · 0 of 1")
        await pilot.press("g", "e")
        await text_seen(pilot, "only desk-7 · 1 of 1")
        await pilot.press("e")
        await text_seen(pilot, "following · changes · 1")


async def test_times_are_local_ages_or_utc(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    app, client = app_of(connection("desk"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        happen(client, 1)
        await text_seen(pilot, "changes · 1")
        happened = log(app).view.lines[-1].time
        await pilot.press("tab")
        for said, shown in (
            ("t ago", "    now desk "),
            ("t UTC", f" {time.strftime('%H:%M:%SZ', time.gmtime(happened))} desk "),
            ("t local", f" {time.strftime('%H:%M:%S', time.localtime(happened))} desk "),
        ):
            assert said in keys(app)
            await pilot.press("t")
            await text_seen(pilot, shown)
        assert heading(app).startswith(" Events ─ following · changes · 1 ──")


async def test_ages_grow_by_themselves_only_while_they_are_shown(monkeypatch):
    app, client = app_of(connection("desk"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        happen(client, 1)
        await text_seen(pilot, "changes · 1")
        widget, now = log(app), time.time()
        assert widget._timer is None
        await pilot.press("tab", "t")
        await text_seen(pilot, "    now desk")
        monkeypatch.setattr("tui.widgets.eventlog.time.time", lambda: now + 42)
        assert widget._timer is not None
        widget._age()
        await text_seen(pilot, "   40 s desk")
        await pilot.press("question_mark")
        await text_seen(pilot, "keys and signs")
        assert widget._timer is None
        await pilot.press("escape")
        await text_seen(pilot, "   40 s desk")
        assert widget._timer is not None
        await pilot.press("t")
        assert widget.times is Times.UTC
        assert widget._timer is None


async def test_lines_of_another_day_have_it_in_the_heading():
    app, client = app_of(connection("desk"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        happen(client, 2)
        await text_seen(pilot, "changes · 2")
        entry = log(app).view.store.entries[0]
        log(app).view.store.entries[0] = log(app).view.lines[0] = replace(entry, time=entry.time - 5 * 86400)
        day = time.strftime("%d %b", time.localtime(entry.time - 5 * 86400))
        await pilot.press("tab", "g")
        await text_seen(pilot, f"held · {day} · changes · 2")


async def test_a_line_is_copied_to_the_terminal_and_into_a_file_that_is_named(state):
    app, client = app_of(connection("desk"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        happen(client, 5)
        await text_seen(pilot, "changes · 5")
        await pilot.press("tab", "y")
        told = "copied 1 line into ~/.local/state/trunkline/copied.txt · offered to the terminal too"
        await text_seen(pilot, told)
        text = (state / "copied.txt").read_text()
        assert text == app.clipboard + "\n"
        assert text.endswith(" desk waiting 1 s to attempt 5/15 · connection refused\n")
        await pilot.press("k")
        await text_gone(pilot, "copied")


@pytest.mark.parametrize("key", ["v", "space"])
async def test_selected_lines_are_copied_together_and_are_selected_no_more(state, key):
    app, client = app_of(connection("desk"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        happen(client, 5)
        await text_seen(pilot, "changes · 5")
        await pilot.press("tab", key, "k", "k")
        await text_seen(pilot, "y copy 3")
        assert "v unselect" in keys(app)
        await pilot.press("y")
        await text_seen(pilot, "copied 3 lines into")
        lines = (state / "copied.txt").read_text().splitlines()
        assert [line.split()[-4] for line in lines] == ["3/15", "4/15", "5/15"]
        assert app.clipboard.splitlines() == lines
        assert not log(app).view.selecting
        await pilot.press(key, "k", "escape")
        await text_seen(pilot, "v select")


async def test_more_than_a_terminal_takes_is_only_in_the_file(state, monkeypatch):
    monkeypatch.setattr("tui.clipboard.LIMIT", 200)
    app, client = app_of(connection("desk"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        happen(client, 5)
        await text_seen(pilot, "changes · 5")
        await pilot.press("tab", "v", "g", "y")
        await text_seen(pilot, "copied.txt · too many to offer them to the terminal")
        assert app.clipboard == ""
        assert len((state / "copied.txt").read_text().splitlines()) == 5


async def test_what_is_shown_is_saved_with_what_it_is(state):
    app, client = app_of(connection("desk"), connection("ami", "ami"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        happen(client, 3)
        happen(client, 2, "ami")
        await text_seen(pilot, "changes · 5")
        await pilot.press("tab", "c", "s")
        await text_seen(pilot, "saved 2 lines as ~/.local/state/trunkline/log-")
        (path,) = state.iterdir()
        heading, *lines = path.read_text().splitlines()
        assert heading.endswith("changes · only ami · 2 of 5")
        assert [line.split()[1] for line in lines] == ["ami", "ami"]


async def test_what_cannot_be_written_is_told_in_plain_words(state):
    state.parent.mkdir(parents=True)
    state.write_text("in the way")
    app, client = app_of(connection("desk"))
    async with app.run_test(size=(140, 40)) as pilot:
        await text_seen(pilot, "desk")
        happen(client, 1)
        await text_seen(pilot, "changes · 1")
        await pilot.press("tab", "s")
        await text_seen(pilot, "not saved: there is a file where a folder should be (")
        await pilot.press("y")
        await text_seen(pilot, "in no file: there is a file where a folder should be · 1 line offered to the")


async def test_a_file_is_named_even_on_forty_columns(state):
    app, client = app_of(connection("desk"))
    async with app.run_test(size=(40, 20)) as pilot:
        await text_seen(pilot, "desk")
        happen(client, 1)
        await text_seen(pilot, "changes · 1")
        await pilot.press("tab", "y")
        await text_seen(pilot, "1 line in ")
        assert "trunkline/copied.txt" in keys(app)
        await pilot.press("s")
        await text_seen(pilot, "saved ")
        assert next(state.glob("log-*")).name in keys(app)


async def test_the_log_takes_the_whole_height_and_gives_it_back():
    app, client = app_of(connection("desk"))
    async with app.run_test(size=(80, 24)) as pilot:
        await text_seen(pilot, "desk")
        happen(client, 40)
        await text_seen(pilot, "changes · 40")
        await pilot.press("tab", "z")
        await seen(pilot, lambda: log(app).size.height == 24 - 3 - 1 - 1)
        await text_gone(pilot, "SIP ─")
        await pilot.press("z")
        await text_seen(pilot, "SIP ─")
        assert log(app).size.height == 3
        await pilot.press("z", "tab")
        await text_seen(pilot, "SIP ─")
        assert app.focused is app.screen.query_one("#rows")


async def test_an_empty_log_offers_nothing():
    app, _ = app_of(connection("desk"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        await pilot.press("tab")
        await text_seen(pilot, "tab rows")
        for word in ("hold", "search", "copy", "save", "level", "select", "connection", "enlarge", "filter"):
            assert word not in keys(app)
        await pilot.press(*"fp/nNoyvclestzjkgG", "space", "escape", "left", "right", "pageup", "pagedown")
        await text_seen(pilot, "Events ─ ")


async def test_a_filter_over_many_lines_is_finished_by_itself():
    app, client = app_of(connection("desk"), connection("ami", "ami"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        happen(client, 1, "ami")
        happen(client, 3 * SLICE)
        await text_seen(pilot, f"changes · {3 * SLICE + 1:,}")
        await pilot.press("tab", "slash", *"ami", "enter")
        await text_seen(pilot, "“ami” 1 of 1")
        await pilot.press("c")
        await text_seen(pilot, f"only ami · 1 of {3 * SLICE + 1:,}")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("options", [{}, {"theme": "ansi"}, {"ascii": True}, {"privacy": True}])
async def test_hostile_text_is_harmless_in_every_state_of_the_log(size, options, state):
    client = FakeClient(connection(EVIL, "ami", host=EVIL))
    app = TrunklineApp(client, preferences=Preferences(**options))
    async with app.run_test(size=size) as pilot:
        await text_seen(pilot, "the one connection")
        for _ in range(6):
            client.emit(Reported, status=client.statuses[EVIL], report=EVIL, text=EVIL, fields={})
        await drawn(pilot, client)
        await pilot.press("tab")
        for pressed in (
            "l",
            "l",
            "t",
            "t",
            "c",
            "e",
            "v",
            "k",
            "y",
            "s",
            "slash",
            *"red",
            "enter",
            "o",
            "n",
            "right",
        ):
            await pilot.press(pressed)
            check(app)
        await seen(pilot, lambda: len(list(state.glob("*.txt"))) == 2)
        assert app.clipboard.replace("\n", "").isprintable()
        for path in state.glob("*.txt"):
            assert path.read_text().replace("\n", "").isprintable()


@pytest.mark.parametrize("size", SIZES)
async def test_the_heading_says_what_matters_most_where_there_is_room_for_little(size):
    app, client = app_of(connection("desk"))
    async with app.run_test(size=size) as pilot:
        await text_seen(pilot, "desk")
        happen(client, 12)
        await text_seen(pilot, "changes · 12")
        await pilot.press("tab", "c", "slash", *"attempt", "enter", "N")
        await text_seen(pilot, "held · “attempt” 11 of 12")
        assert ("only desk" in heading(app)) == (size[0] >= 80)


async def test_a_selected_line_and_the_one_under_the_cursor_can_be_told_apart():
    app, client = app_of(connection("desk"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        happen(client, 5)
        await text_seen(pilot, "changes · 5")
        surfaces = load("trunkline-dark").surfaces

        def grounds() -> list[object]:
            return [next(iter(strip)).style.bgcolor for strip in log(app)._strips[:5]]

        plain, cursor, selected = surfaces.screen, surfaces.cursor.bgcolor, surfaces.cursor_blurred.bgcolor
        assert grounds() == [plain] * 5
        await pilot.press("tab", "v", "k", "k")
        assert grounds() == [plain, plain, cursor, selected, selected]
        await pilot.press("escape", "tab")
        assert grounds() == [plain, plain, selected, plain, plain]


def test_what_help_says_of_the_log_fits_eighty_columns():
    assert all(len(binding.tooltip or binding.description) < 80 - 20 for binding in EventLog.BINDINGS)


async def test_names_that_are_hidden_are_in_no_copy_either(state):
    app, client = app_of(connection("desk-6001"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk-6001")
        happen(client, 3, "desk-6001")
        await text_seen(pilot, "changes · 3")
        await pilot.press("tab", "c", "H")
        await text_seen(pilot, "only sip-1 · 3 of 3")
        await text_gone(pilot, "desk-6001")
        await pilot.press("y", "s")
        await seen(pilot, lambda: len(list(state.glob("*.txt"))) == 2)
        for text in (app.clipboard, *(path.read_text() for path in state.iterdir())):
            assert "sip-1" in text
            assert "desk-6001" not in text
        await pilot.press("H")
        await text_seen(pilot, "desk-6001            waiting")


async def test_another_theme_dresses_the_log_too():
    app, client = app_of(connection("desk"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        happen(client, 1)
        await text_seen(pilot, "changes · 1")
        app.wear("trunkline-light")
        ground = load("trunkline-light").surfaces.screen
        await seen(
            pilot, lambda: all(next(iter(strip)).style.bgcolor == ground for strip in log(app)._strips)
        )


async def test_a_mouse_moves_in_the_log_where_it_is_wanted():
    app, client = app_of(connection("desk"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        happen(client, 30)
        await text_seen(pilot, "changes · 30")
        widget = log(app)
        await pilot.click(widget, offset=(5, 2))
        assert widget.view.at == 30 - 9 + 2
        widget.post_message(events.MouseScrollUp(widget, 5, 2, 0, -1, 0, False, False, False))
        await seen(pilot, lambda: widget.view.at == 30 - 9 - 1)
        widget.post_message(events.MouseScrollDown(widget, 5, 2, 0, 1, 0, False, False, False))
        await seen(pilot, lambda: widget.view.at == 30 - 9 + 2)
