"""dashboard.toml: what one person wants of the dashboard, and every mistake in it."""

from __future__ import annotations

import asyncio

import pytest

from manager.config import ConfigError
from manager.model import Phase
from tests.tui.conftest import screen_text, seen, text_gone, text_seen
from tests.tui.driving import app_of, keys
from tests.tui.fake_client import FakeClient, connection, exchange
from tui import keymap, preferences, tempo
from tui.app import TrunklineApp
from tui.preferences import Preferences


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "dashboard.toml"

    def write(text):
        path.write_text(text)
        return path

    return write


def mistakes_in(path) -> str:
    with pytest.raises(ConfigError) as raised:
        preferences.load(path)
    return str(raised.value)


def test_no_file_leaves_everything_as_it_comes(tmp_path):
    assert preferences.load(tmp_path / "none.toml") == Preferences()


def test_everything_can_be_set(file):
    path = file(
        'theme = "ansi"\nascii = true\nmouse = true\nread_only = true\nprivacy = true\nslow = true\n'
        '[keys]\n"rows.reconnect" = "x"\nquit = ["Q", "ctrl+c"]\n'
    )
    assert preferences.load(path) == Preferences(
        theme="ansi",
        ascii=True,
        mouse=True,
        read_only=True,
        privacy=True,
        slow=True,
        keys={"rows.reconnect": ("x",), "quit": ("Q", "ctrl+c")},
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('theme = "nope"', 'line 1, theme'),
        ("mouse = 1", "true or false"),
        ("mose = true", "mouse"),
        ('[keys]\n"rows.reconect" = "x"', "rows.reconnect"),
        ('[keys]\n"rows.reconnect" = 5', "found     a number"),
        ('[keys]\n"rows.reconnect" = []', "an empty array"),
        ('[keys]\n"rows.reconnect" = "ctrl+wurst"', "ctrl+wurst"),
        ('[keys]\n"rows.reconnect" = "hyper+x"', "hyper+x"),
        ('[keys]\n"rows.reconnect" = "p"', "rows.pause"),
        ('[keys]\n"rows.reconnect" = "?"', "the key of help"),
        ('[keys]\n"rows.reconnect" = "x"\n"rows.pause" = "x"', "line 3"),
        ("keys = 4", "a table: [keys]"),
        ("theme = ", "line 1"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(file, text, words):
    assert words in mistakes_in(file(text))


def test_every_mistake_is_told_at_once(file):
    told = mistakes_in(file('theme = "nope"\nmouse = 1\n[keys]\nfolow = "x"\n'))
    assert "3 mistakes" in told


def test_two_keys_may_change_places(file):
    chosen = preferences.load(file('[keys]\n"rows.reconnect" = "p"\n"rows.pause" = "r"\n')).keys
    assert chosen == {"rows.reconnect": ("p",), "rows.pause": ("r",)}


def test_the_keys_that_come_along_go_together():
    assert list(keymap.clashes({})) == []


@pytest.mark.parametrize(
    "name", ["r", "R", "?", "question_mark", "f5", "ctrl+r", "ctrl+shift+up", "+", "space"]
)
def test_names_of_keys_are_known(name):
    assert keymap.is_key(name)


@pytest.mark.parametrize("name", ["", "rr", "ctrl+", "+r", "super+r", "f99", "\x1b"])
def test_what_no_terminal_sends_is_no_key(name):
    assert not keymap.is_key(name)


async def test_a_chosen_key_does_what_its_name_says_and_the_old_one_nothing():
    app, client = app_of(connection("desk"), preferences=Preferences(keys={"rows.reconnect": ("x",)}))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "x reconnect")
        assert "r reconnect" not in keys(app)
        await pilot.press("r")
        await pilot.press("x")
        await seen(pilot, lambda: len(client.commands) == 1)


async def test_keys_that_changed_places_do_each_other_s_work():
    swapped = {"rows.reconnect": ("p",), "rows.pause": ("r",)}
    app, client = app_of(connection("desk"), preferences=Preferences(keys=swapped))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "p reconnect")
        assert "r pause" in keys(app)
        await pilot.press("r")
        await seen(pilot, lambda: [type(command).__name__ for command in client.commands] == ["Pause"])


async def test_a_read_only_dashboard_offers_and_does_nothing_to_a_connection():
    app, client = app_of(*exchange(), preferences=Preferences(read_only=True))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "read-only")
        for word in ("reconnect", "refresh", "pause", " all", "skip", " ack", "mute"):
            assert word not in keys(app)
        await pilot.press("r", "R", "u", "p", "ctrl+r", "s", "U", "a", "m", *"2 h", "enter", "escape")
        assert client.commands == []
        sentence = await app.screen._connections.carry_out(None, "trying")
        assert sentence == "not done: this dashboard is read-only"
        assert client.commands == []


async def test_names_and_addresses_are_hidden_for_others_and_shown_again():
    host = "pbx7.example.com"
    app, client = app_of(
        connection("desk-6001", host=host),
        connection("trunk", "ami", Phase.WAITING, host="10.1.2.3"),
        title="berlin",
    )
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk-6001")
        await text_seen(pilot, "berlin")
        await pilot.press("H")
        await text_seen(pilot, "names hidden")
        client.change("desk-6001", phase=Phase.SUSPECT)
        await text_seen(pilot, "suspect")
        text = "\n".join(screen_text(app))
        for word in ("desk-6001", "trunk", host, "example", "10.1.2.3", "berlin"):
            assert word not in text, word
        for word in ("sip-1", "ami-1", "host-1:5060/tcp", "site-1"):
            assert word in text, word
        await pilot.press("H")
        await text_seen(pilot, "desk-6001")
        await text_gone(pilot, "sip-1")


async def test_a_theme_is_worn_as_one_moves_and_taken_off_again():
    app, _ = app_of(*exchange())
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk-6001")
        before = app._ink.palette.name
        await pilot.press("T")
        await text_seen(pilot, "worn as you move")
        await pilot.press("k")
        await seen(pilot, lambda: app._ink.palette.name != before)
        worn = app._ink.palette
        await pilot.press("escape")
        await text_seen(pilot, "desk-6001")
        assert app._ink.palette.name == before
        await pilot.press("T", "k", "enter")
        await text_seen(pilot, "desk-6001")
        assert app._ink.palette == worn
        strip = app.screen._counts.render_line(0)
        assert any(segment.style and segment.style.bgcolor == worn.surfaces.screen for segment in strip)


async def test_a_broken_theme_of_one_s_own_is_told_and_not_worn(tmp_path):
    folder = tmp_path / "config" / "trunkline" / "themes"
    folder.mkdir(parents=True)
    (folder / "a-broken.toml").write_text("tones = 5")
    app, _ = app_of(*exchange())
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk-6001")
        await pilot.press("T", *["k"] * 9)
        await text_seen(pilot, "cannot be used")
        await pilot.press("escape")
        await text_seen(pilot, "desk-6001")


@pytest.mark.parametrize("slow", [True, False])
async def test_a_slow_terminal_is_a_mark_in_the_header(slow):
    app = TrunklineApp(FakeClient(connection("desk")), preferences=Preferences(slow=slow))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        assert any("slow terminal" in line for line in screen_text(app)) is slow


async def test_a_terminal_that_stays_behind_gets_the_mark_with_the_next_picture():
    client = FakeClient(connection("desk"))
    app = TrunklineApp(client)
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        app._ink.tempo.waiting = lambda: 4
        client.change("desk", drops=1, failures=1, phase=Phase.SUSPECT)
        await text_seen(pilot, "suspect")
        await asyncio.sleep(tempo._BEHIND)
        client.change("desk", failures=2)
        await text_seen(pilot, "slow terminal")
