"""The wire view: what it shows of the messages of a connection, and each of its keys."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest

from manager.errors import TrunklineError
from manager.events import Gap
from manager.model import Phase
from tests.tui.conftest import SIZES, line_with, screen_text, seen, text_gone, text_seen
from tests.tui.fake_client import connection
from tests.tui.remembered import Remembering, message, registration
from tests.tui.test_sanitise import check
from tui.app import TrunklineApp
from tui.preferences import Preferences
from tui.wirelog import LIMIT


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for what is saved."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "trunkline"


def watched(*entries, type_name: str = "sip", **options) -> tuple[TrunklineApp, Remembering]:
    client = Remembering(connection("desk", type_name))
    client.wires["desk"] = list(entries)
    return TrunklineApp(client, **options), client


async def open_wire(pilot) -> None:
    await text_seen(pilot, "desk")
    await pilot.press("w")
    await text_seen(pilot, "following")


def messages(app: TrunklineApp):
    return app.screen.query_one("#messages")


def texts(app: TrunklineApp) -> str:
    return "\n".join(screen_text(app))


@pytest.mark.parametrize("size", SIZES)
async def test_a_registration_is_a_ladder_between_us_and_the_peer(size):
    app, _ = watched(*registration())
    async with app.run_test(size=size) as pilot:
        await open_wire(pilot)
        await text_seen(pilot, "200 OK CSeq 2")
        assert "us" in line_with(app, "pbx1:5060/tcp  " if size[0] < 100 else "us ")
        asked, answered = line_with(app, "REGISTER CSeq 1"), line_with(app, "401 Unauthorized")
        assert "─▶│" in asked
        assert "│◀─" in answered
        # The newest is selected and stands in full beside or below.
        await text_seen(pilot, "SIP/2.0 200 OK")
        beside = any("200 OK CSeq 2" in line and "CSeq: 2 REGISTER" in line for line in screen_text(app))
        assert beside is False or size[0] >= 100
        await pilot.press("g")
        await text_seen(pilot, "To: <sip:6001@pbx1>")


async def test_other_types_are_a_list_and_l_changes_how_it_is_drawn():
    app, _ = watched(message(1, "Action: Ping\r\n\r\n", kind="ami"), type_name="ami")
    async with app.run_test(size=(120, 40)) as pilot:
        await open_wire(pilot)
        assert "02:00:00.010 → Action: Ping" in texts(app)
        await pilot.press("l")
        await text_seen(pilot, "Action: Ping ─")
        await text_seen(pilot, " us ")
        await pilot.press("l")
        await text_seen(pilot, "→ Action: Ping")


async def test_messages_that_come_are_followed_and_f_holds():
    app, client = watched(*registration())
    async with app.run_test(size=(80, 24)) as pilot:
        await open_wire(pilot)
        client.speak("desk", *registration(10, 10))
        await text_seen(pilot, "8 messages")
        assert messages(app).selected.summary.startswith("200 OK CSeq 11")
        await pilot.press("f")
        await text_seen(pilot, "held · f follows")
        chosen = messages(app).selected
        client.speak(
            "desk",
            *(
                message(20 + number, f"OPTIONS sip:a SIP/2.0\r\nCSeq: {number} OPTIONS\r\n\r\n")
                for number in range(40)
            ),
        )
        await text_seen(pilot, "48 messages")
        assert messages(app).selected is chosen
        await pilot.press("f")
        await text_seen(pilot, "following")
        assert messages(app).selected.summary == "OPTIONS sip:a CSeq 39"


async def test_a_pause_shows_nothing_new_and_counts_what_comes():
    app, client = watched(*registration())
    async with app.run_test(size=(80, 24)) as pilot:
        await open_wire(pilot)
        await text_seen(pilot, "4 messages")
        await pilot.press("p")
        await text_seen(pilot, "paused · p goes on")
        client.speak("desk", *registration(10, 10))
        await text_seen(pilot, "paused, 4 new · p goes on")
        assert "CSeq 10" not in texts(app)
        await pilot.press("p")
        await text_seen(pilot, "8 messages")
        await text_seen(pilot, "200 OK CSeq 11")


async def test_a_filter_shows_what_holds_the_words_and_esc_ends_it_first():
    app, client = watched(*registration())
    async with app.run_test(size=(120, 40)) as pilot:
        await open_wire(pilot)
        await pilot.press("slash", *"Authorization", "enter")
        await text_seen(pilot, "“authorization” · 1 of 4 messages")
        client.speak("desk", *registration(10, 10))
        await text_seen(pilot, "2 of 8 messages")
        await pilot.press("slash", *" zzz", "enter")
        await text_seen(pilot, "nothing matches")
        await pilot.press("escape")
        await text_seen(pilot, "following · 8 messages")
        await pilot.press("escape")
        await text_seen(pilot, "Events ─")


async def test_the_cursor_moves_and_the_message_is_another():
    app, _ = watched(
        *(message(n, f"OPTIONS sip:n{n} SIP/2.0\r\nCSeq: {n} OPTIONS\r\n\r\n") for n in range(60))
    )
    async with app.run_test(size=(80, 24)) as pilot:
        await open_wire(pilot)
        await text_seen(pilot, "OPTIONS sip:n59")
        for key, number in (("g", 0), ("j", 1), ("down", 2), ("k", 1), ("up", 0), ("G", 59), ("home", 0)):
            await pilot.press(key)
            await text_seen(pilot, f"OPTIONS sip:n{number} SIP/2.0")
        await pilot.press("pagedown")
        page = messages(app).size.height - 1
        await text_seen(pilot, f"OPTIONS sip:n{page} SIP/2.0")
        await pilot.press("pageup")
        await text_seen(pilot, "OPTIONS sip:n0 SIP/2.0")


async def test_a_long_message_is_broken_into_lines_and_scrolled():
    text = "\r\n".join(["x" * 200, *(f"Header-{number}: value" for number in range(50))])
    app, _ = watched(message(1, text, kind="text", left_out=5000))
    async with app.run_test(size=(120, 40)) as pilot:
        await open_wire(pilot)
        await text_seen(pilot, "x" * 40)
        assert "Header-49" not in texts(app)
        await pilot.press("J")
        assert app.screen.query_one("#message").scroll_offset.y == 1
        await pilot.press("K", "tab", "G")
        await text_seen(pilot, "5,000 more bytes were not kept")
        await pilot.press("g", "j", "k", "pagedown", "pageup")
        assert app.screen.query_one("#message").scroll_offset.y == 0
        await text_seen(pilot, "tab messages")
        await pilot.press("tab")
        await text_seen(pilot, "tab message ")


async def test_what_is_no_longer_held_is_told_and_so_is_another_session():
    app, client = watched(Gap(missed=212), *registration())
    async with app.run_test(size=(120, 40)) as pilot:
        await open_wire(pilot)
        await text_seen(pilot, "212 messages before this no longer held")
        client.speak("desk", message(90, "OPTIONS sip:a SIP/2.0\r\n\r\n", generation=2))
        await text_seen(pilot, "session 2")
        await pilot.press("g")
        assert messages(app).selected is None
        assert "y copy" not in screen_text(app)[-1]


async def test_older_messages_go_and_that_is_told():
    app, client = watched()
    async with app.run_test(size=(120, 40)) as pilot:
        await open_wire(pilot)
        await text_seen(pilot, "nothing was sent or received yet")
        client.speak("desk", *(message(n, f"text {n}", kind="text") for n in range(LIMIT + 7)))
        await text_seen(pilot, f"{LIMIT:,} messages, 7 older ones let go")


async def test_s_saves_what_is_shown_for_its_owner_alone(state):
    app, _ = watched(*registration(), message(9, "\x1b]52;c;evil\x07\r\nsecond", kind="text"))
    async with app.run_test(size=(120, 40)) as pilot:
        await open_wire(pilot)
        await text_seen(pilot, "5 messages")
        await pilot.press("s")
        await text_seen(pilot, "saved 5 messages as")
        (path,) = state.glob("wire-desk-*.txt")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        text = path.read_text()
        assert "→ sent 02:00:00.010" in text
        assert '    WWW-Authenticate: Digest nonce="***"\n' in text
        assert "    ␛]52;c;evil␇\n    second\n" in text
        assert "\x1b" not in text
        await pilot.press("slash", *"401", "enter", "s")
        await text_seen(pilot, "saved 1 message as")
        assert len(list(state.glob("wire-desk-*.txt"))) == 2


async def test_y_copies_the_selected_message_into_a_file_too(state):
    app, _ = watched(message(1, "a \x1b[31m b\r\nc", kind="text"))
    async with app.run_test(size=(120, 40)) as pilot:
        await open_wire(pilot)
        await text_seen(pilot, "1 message")
        await pilot.press("y")
        await text_seen(pilot, "offered to the terminal too")
        assert app.clipboard == "a ␛[31m b\nc"
        path = state / "copied.txt"
        assert path.read_text() == "a ␛[31m b\nc\n"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_file_that_cannot_be_written_is_told_of(state):
    state.parent.mkdir(parents=True)
    state.write_text("in the way")
    app, _ = watched(message(1, "a", kind="text"))
    async with app.run_test(size=(120, 40)) as pilot:
        await open_wire(pilot)
        await text_seen(pilot, "1 message")
        await pilot.press("s")
        await text_seen(pilot, "not saved: there is a file where a folder should be")
        await pilot.press("y")
        await text_seen(pilot, "in no file: there is a file where a folder should be")


async def test_the_name_of_a_file_is_nothing_that_a_shell_or_a_folder_would_obey(state):
    client = Remembering(connection("../../\x1b evil;$(rm) ö%s"))
    client.wires = dict.fromkeys(client.statuses, registration())
    async with TrunklineApp(client).run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "evil")
        await pilot.press("w")
        await text_seen(pilot, "4 messages")
        await pilot.press("s")
        await text_seen(pilot, "saved 4 messages as")
        (path,) = state.iterdir()
        assert path.name.startswith("wire-.._.._evil_rm_s-")


async def test_messages_are_hidden_with_all_names_and_leave_the_program_not(state):
    app, _ = watched(*registration(), preferences=Preferences(privacy=True))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "sip-1")
        await pilot.press("w")
        await text_seen(pilot, "hidden with all names · H shows them")
        for word in ("desk", "pbx1", "6001"):
            assert word not in texts(app)
        await pilot.press("s")
        await text_seen(pilot, "not while names are hidden")
        await pilot.press("y")
        assert not state.exists()
        await pilot.press("H")
        await text_seen(pilot, "SIP/2.0 200 OK")


async def test_a_connection_that_is_removed_leaves_its_messages_to_be_read():
    app, client = watched(*registration())
    async with app.run_test(size=(120, 40)) as pilot:
        await open_wire(pilot)
        client.emit_removed("desk")
        client.speak("desk")
        await text_seen(pilot, "nothing more follows: it is no longer managed")
        assert "REGISTER CSeq 1" in texts(app)


async def test_a_manager_that_does_not_answer_is_asked_again_and_nothing_is_shown_twice(monkeypatch):
    monkeypatch.setattr("tui.screens.wire._AGAIN_AFTER", 0.05)
    app, client = watched(*registration())
    async with app.run_test(size=(120, 40)) as pilot:
        await open_wire(pilot)
        await text_seen(pilot, "4 messages")
        client.wire_error = TrunklineError("no way there")
        client.speak("desk")
        await text_seen(pilot, "not known now: no way there")
        client.wire_error = None
        client.speak("desk", message(50, "OPTIONS sip:a SIP/2.0\r\n\r\n"))
        await text_seen(pilot, "OPTIONS")
        assert "5 messages" in texts(app)
        await text_gone(pilot, "not known now")


async def test_the_phase_in_the_title_is_that_of_now():
    app, client = watched(*registration())
    async with app.run_test(size=(120, 40)) as pilot:
        await open_wire(pilot)
        client.change("desk", phase=Phase.PAUSED)
        await seen(pilot, lambda: "paused" in screen_text(app)[0])


async def test_w_opens_the_messages_from_the_details_too():
    app, _ = watched(*registration())
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        await pilot.press("enter")
        await text_seen(pilot, "phase ")
        await pilot.press("w")
        await text_seen(pilot, "following")
        await pilot.press("escape")
        await text_seen(pilot, "phase ")


async def test_what_one_filters_by_is_marked_in_the_list_and_in_the_message():
    app, _ = watched(message(1, "Action: Ping\r\nActionID: ping-1\r\n\r\n", kind="ami"), type_name="ami")
    async with app.run_test(size=(120, 40)) as pilot:
        await open_wire(pilot)
        await text_seen(pilot, "1 message")
        await pilot.press("slash", *"ping", "enter")
        await text_seen(pilot, "1 of 1 message")
        strips = app.screen._compositor.render_strips(app.size)
        marked = [segment.text for strip in strips[:-1] for segment in strip if segment.style.reverse]
        assert marked == ["Ping", "Ping", "ping"]


async def test_a_message_too_long_for_a_terminal_is_copied_into_the_file_alone(state, monkeypatch):
    monkeypatch.setattr("tui.clipboard.LIMIT", 20)
    app, _ = watched(message(1, "x" * 100, kind="text"))
    async with app.run_test(size=(120, 40)) as pilot:
        await open_wire(pilot)
        await text_seen(pilot, "1 message")
        await pilot.press("y")
        await text_seen(pilot, "too much to offer it to the terminal")
        assert app.clipboard == ""
        assert (state / "copied.txt").read_text() == "x" * 100 + "\n"


EVIL = "\x1b]52;c;cm0=\x07\x9b31m[/red]\u202e\x00 red"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["sip", "ami", "text", "handshake", "close"])
async def test_hostile_messages_reach_no_sink(size, kind):
    client = Remembering(connection(EVIL, endpoint=EVIL))
    client.wires[EVIL] = [
        message(n, f"{EVIL}\r\n{EVIL * 40}\n{EVIL}", kind=kind, endpoint=EVIL) for n in range(3)
    ]
    app = TrunklineApp(client)
    async with app.run_test(size=size) as pilot:
        await text_seen(pilot, "red")
        await pilot.press("w")
        await text_seen(pilot, "following" if size[0] > 60 else "─")
        await seen(pilot, lambda: messages(app).selected is not None)
        check(app)
        await pilot.press("l")
        await asyncio.sleep(0)
        check(app)
        await pilot.press("slash", "r", "e", "d", "enter")
        await pilot.pause()
        check(app)


async def test_help_tells_the_keys_of_the_wire_view():
    app, _ = watched(*registration())
    async with app.run_test(size=(100, 100)) as pilot:
        await open_wire(pilot)
        await pilot.press("question_mark")
        await text_seen(pilot, "keys and signs")
        for words in ("draw arrows between us and the peer", "save the messages that are shown"):
            line_with(app, words)
