"""The command palette: every action of every screen, found by its words."""

from __future__ import annotations

import asyncio

import pytest

from manager.model import Phase
from tests.tui.conftest import seen, text_seen
from tests.tui.driving import app_of
from tests.tui.fake_client import connection, waiting


async def test_an_action_is_found_by_its_words_and_done():
    app, client = app_of(connection("desk"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "reconnect")
        await pilot.press("ctrl+p")
        await seen(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press(*"heartbeat")
        await text_seen(pilot, "send every connection a heartbeat and a check now")
        await pilot.press("enter")
        await seen(pilot, lambda: [type(command).__name__ for command in client.commands] == ["Refresh"])


PALETTE = {
    "details": (("enter",), "esc back", "countdown", "skipping the countdown…"),
    "wire": (("w",), "following", "nothing new until", "paused · p goes on"),
    "health": (("h",), "What cost it", "back to where", "Events ─"),
}
"""How a screen is reached, what it shows then, the words of one of its actions, and what that does."""


@pytest.mark.parametrize("screen", PALETTE)
async def test_the_command_palette_opens_on_every_screen_and_does_what_its_keys_do(screen):
    keys, words, action, told = PALETTE[screen]
    app, client = app_of(connection("desk", phase=Phase.WAITING, **waiting(300, 9999)))
    never = asyncio.Event()
    client.command = lambda _command: never.wait()
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        await pilot.press(*keys)
        await text_seen(pilot, words)
        await pilot.press("colon")
        await text_seen(pilot, "Search for commands…")
        await pilot.press(*action)
        await text_seen(pilot, action)
        await seen(pilot, lambda: len(app.screen.query_one("CommandList").options) == 1)
        await pilot.press("enter")
        await text_seen(pilot, told)
