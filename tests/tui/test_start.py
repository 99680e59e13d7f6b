"""From the first frame on: what it shows, what has to wait for it, and how little a key has to wait for."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys

import pytest
from textual._compositor import Compositor

from manager.events import ProbeAnswered
from manager.model import Phase, Position
from tests.tui.conftest import screen_text, seen, text_seen
from tests.tui.driving import app_of, rows
from tests.tui.fake_client import FakeClient, connection
from tests.tui.meter import SIZE, Meter
from tui import follower, run
from tui.board import Board
from tui.follower import Follower

LATER = (
    "manager.manager",
    "manager.drivers",
    "tui.incident",
    "tui.keymap",
    "tui.screens.details",
    "tui.screens.health",
    "tui.screens.help",
    "tui.screens.themes",
    "tui.screens.wire",
)


@pytest.fixture
def garbage():
    """Leave the collector as it was."""
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.freeze()
    gc.set_threshold(*thresholds)
    gc.enable()


class Silent(FakeClient):
    """A manager that has not answered yet."""

    async def snapshot(self):
        return await asyncio.get_running_loop().create_future()


async def test_what_is_configured_stands_there_before_the_manager_answers():
    app = Meter(Silent(), expected=[connection("desk", phase=Phase.CONNECTING, attempt=0, failure=None)])
    async with app.run_test(size=SIZE) as pilot:
        await text_seen(pilot, "opening 1 connection for the first time")
        assert any("desk" in line and "connecting" in line for line in screen_text(app))


async def test_rows_that_do_not_fit_have_a_scroll_bar_from_the_beginning():
    expected = [connection(f"c{each}", phase=Phase.PARKED, host=f"h{each}") for each in range(60)]
    app = Meter(Silent(), expected=expected)
    async with app.run_test(size=SIZE) as pilot:
        await seen(pilot, lambda: rows(app).show_vertical_scrollbar)


async def test_the_manager_begins_when_the_first_picture_is_drawn():
    app, drawn = Meter(FakeClient(), expected=[connection("desk", phase=Phase.CONNECTING)]), []
    app.begin = lambda: drawn.append("".join(map(str, app.grid.text)))
    async with app.run_test(size=SIZE) as pilot:
        await seen(pilot, lambda: len(drawn) == 1)
    assert "desk" in drawn[0]


async def test_what_the_manager_says_takes_the_place_of_what_was_expected():
    app, _ = app_of(connection("desk"), expected=[connection("gone", phase=Phase.CONNECTING)])
    async with app.run_test(size=SIZE) as pilot:
        await text_seen(pilot, "the one connection is up")
        assert not any("gone" in line for line in screen_text(app))


def test_nothing_is_loaded_that_the_first_picture_does_without():
    code = (
        "import sys, tui.cli, tui.commands.dashboard, tui.commands.embedding\n"
        f"sys.exit(', '.join(name for name in {LATER} if name in sys.modules) or None)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (loaded.returncode, loaded.stderr) == (0, "")


def test_garbage_is_sought_again_after_the_first_picture_but_not_in_what_stays(garbage):
    class Shown:
        later = None

        def set_timer(self, delay, callback):
            assert started == [True]
            self.later = callback

        def run(self, *, mouse):
            self.begin()

    started, app = [], Shown()
    gc.disable()
    run._run(app, lambda: started.append(gc.isenabled()), mouse=False)
    frozen = gc.get_freeze_count()
    assert frozen > 0
    kept = [[] for _ in range(1000)]
    app.later()
    assert gc.get_freeze_count() >= frozen + len(kept)


async def test_others_get_their_turn_while_events_come_without_end(monkeypatch):
    class Flooding(FakeClient):
        async def events(self, since):
            for number in range(100):
                yield ProbeAnswered(seq=number + 1, time=0.0, health=100, status=desk, probe="heartbeat")
            over.set()
            await asyncio.get_running_loop().create_future()

    class Viewer:
        board = Board()

        def loaded(self): ...

        def troubled(self, sentence): ...

        def told(self, event, *, fresh):
            nonlocal now
            now += 0.001

    desk, now, turns, over = connection("desk"), 0.0, 0, asyncio.Event()
    monkeypatch.setattr(follower.time, "monotonic", lambda: now)
    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(Follower(Flooding(desk), Viewer())._read(Position("first", 0)))
        while not over.is_set():
            turns += 1
            await asyncio.sleep(0)
        following.cancel()
    assert turns >= 100 * 0.001 / follower._TURN


@pytest.mark.parametrize(("key", "words"), [("slash", "rows /"), ("q", "q again quits")])
async def test_a_prompt_is_there_with_the_next_picture_without_a_new_layout(monkeypatch, key, words):
    app, _ = app_of(connection("desk"))
    async with app.run_test(size=SIZE) as pilot:
        await text_seen(pilot, "the one connection is up")
        await pilot.pause()
        layouts, reflow = [], Compositor.reflow
        monkeypatch.setattr(Compositor, "reflow", lambda *given: layouts.append(1) or reflow(*given))
        await pilot.press(key)
        await text_seen(pilot, words)
        await pilot.press("escape")
        await text_seen(pilot, "? help")
        assert not layouts
