"""The last line of each screen: the most wanted keys come first, whole, and each does something."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from manager.model import Phase
from tests.tui.conftest import screen_text, seen, text_seen
from tests.tui.fake_client import DROPS, connection, waiting
from tests.tui.remembered import SETTINGS, Remembering, outage, registration
from tui.app import ExtraKey, TrunklineApp
from tui.preferences import Preferences
from tui.widgets.footer import KeyLine, _fitting

WANTED = ["r reconnect", "u refresh", "⏎ details", "n next", "/ filter", "tab log", "? help", "q quit"]
"""What somebody needs who is woken at three."""


def troubled() -> Remembering:
    """Return a manager with something for each key to do."""
    client = Remembering(
        connection("a", phase=Phase.WAITING, **waiting(20_000, 15_000)),
        connection("b", "ami", Phase.BLOCKED),
        connection("c", flap=DROPS),
    )
    client.histories["a"], client.rows["a"], client.wires["a"] = outage("a"), SETTINGS, registration()
    for name in "ab":
        client.change(name, attempt=5)
    return client


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_what_is_needed_at_night_comes_first_and_has_the_same_place_on_every_night(size):
    app = TrunklineApp(troubled())
    async with app.run_test(size=size) as pilot:
        await text_seen(pilot, "n next")
        gap = "  " if size[0] > 100 else " "
        assert screen_text(app)[-1].startswith(f" {gap.join(WANTED[:-2])}{gap}")
        assert screen_text(app)[-1].rstrip().endswith(gap.join(WANTED[-2:]))


async def test_what_a_part_of_the_screen_changes_in_another_counts_for_the_keys_as_well():
    app = TrunklineApp(troubled())
    async with app.run_test(size=(200, 50)) as pilot:
        await text_seen(pilot, "n next")
        await pilot.press("G")
        await seen(pilot, lambda: "n next" not in screen_text(app)[-1])
        table, pane = app.screen.query_one("#rows"), app.screen.query_one("#log-pane")
        table.parent.call_next(lambda: table.action_move(-1))
        await seen(pilot, lambda: "n next" in screen_text(app)[-1])
        pane.call_next(lambda: (pane.log_lines.view.follow(False), pane._draw()))
        await seen(pilot, lambda: "f follow" in screen_text(app)[-1])


async def test_at_forty_columns_reconnecting_and_the_ways_out_remain():
    app = TrunklineApp(troubled())
    async with app.run_test(size=(40, 20)) as pilot:
        await text_seen(pilot, "r reconnect u refresh ? help q quit")
        await pilot.press("enter")
        await text_seen(pilot, "r reconnect u refresh ? help esc back")


@pytest.mark.parametrize("gap", [1, 2])
def test_keys_are_shown_whole_or_not_at_all_and_the_last_two_at_any_width(gap):
    keys = [tuple(each.split()) for each in WANTED]
    for width in range(6, 120):
        fitting = _fitting(keys, width, gap)
        assert len((" " * gap).join(" ".join(each) for each in fitting)) <= width
        assert set(fitting) <= set(keys)
        assert fitting[-1] == keys[-1]
        if width >= 20:
            assert fitting[-2:] == keys[-2:]
        if width >= 34:
            assert fitting[0] == keys[0]
    assert fitting == keys


async def test_keys_are_named_where_only_ascii_is_drawn():
    app = TrunklineApp(troubled(), preferences=Preferences(ascii=True))
    async with app.run_test(size=(120, 60)) as pilot:
        await text_seen(pilot, "enter details")
        await pilot.press("question_mark")
        await text_seen(pilot, "    enter           details of the connection")
        await text_seen(pilot, "    up k            previous row")


async def nothing(_name: str | None) -> str:
    return "done"


SCREENS = {
    "rows": ((), "n next"),
    "log": (("tab", "slash", "w", "enter"), "n next"),
    "details": (("enter",), "esc back"),
    "wire": (("w",), "esc back"),
    "health": (("h",), "esc back"),
    "help": (("question_mark",), "esc back"),
    "themes": (("T",), "esc back"),
}
"""How each is reached from the rows, and what its last line then says."""


async def open_screen(pilot: Pilot, keys: tuple[str, ...], words: str) -> None:
    await text_seen(pilot, "n next")
    await pilot.press(*keys)
    await text_seen(pilot, words)


def keys_of(app: TrunklineApp) -> dict[str, str]:
    """Return the keys that are shown where there is room for all, by what stands there for them."""
    pressed = {app.get_key_display(active.binding): key for key, active in app.screen.active_bindings.items()}
    return {display: pressed[display] for display, _ in app.screen.query_one(KeyLine)._keys()}


_BACK = {"n": "N", "J": "K"}
"""Keys that lead back from where another has led."""


class Pressing:
    """Presses keys of one screen and takes back what they did."""

    def __init__(self, pilot: Pilot, client: Remembering) -> None:
        self.app = pilot.app
        self._pilot = pilot
        self._client = client
        self.line = screen_text(self.app)[-1]
        self._screen = self.app.screen

    async def does_something(self, key: str) -> None:
        before, sent = screen_text(self.app), len(self._client.commands)

        def changed() -> bool:
            return self.app._exit or len(self._client.commands) > sent or screen_text(self.app) != before

        await self._pilot.press(key)
        await seen(self._pilot, changed)

    async def taken_back(self, key: str) -> bool:
        """Go back, or press the key again; whether the same keys are shown as in the beginning."""
        for _ in range(3):
            await self._pilot.pause()
            if self.app._exit or screen_text(self.app)[-1] == self.line:
                break
            elsewhere = self.app.screen is not self._screen or not self.app.screen.query_one(KeyLine).display
            await self._pilot.press("escape" if elsewhere else _BACK.get(key, key))
        return not self.app._exit and screen_text(self.app)[-1] == self.line


@pytest.mark.parametrize("screen", SCREENS)
async def test_every_key_that_is_shown_changes_the_screen_or_sends_a_command(screen):
    done: set[str] = set()
    offered: dict[str, str] = {}
    while not offered or set(offered) - done:
        client = troubled()
        app = TrunklineApp(client, keys=[ExtraKey("1", "extra", nothing)])
        async with app.run_test(size=(100, 16)) as pilot:
            await open_screen(pilot, *SCREENS[screen])
            offered = keys_of(app)
            pressing = Pressing(pilot, client)
            for display in [each for each in offered if each not in done]:
                await pressing.does_something(offered[display])
                done.add(display)
                if not await pressing.taken_back(offered[display]):
                    break
