"""The rows and the log: one above the other, side by side where the screen is wide, or the log alone."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from textual import events

from manager.model import Phase
from tests.tui.conftest import line_with, row_of, screen_text, seen, text_gone, text_seen
from tests.tui.driving import app_of, keys, log, rows
from tests.tui.fake_client import connection, exchange, waiting
from tests.tui.test_log_keys import drawn, happen
from tui.widgets.panes import BESIDE

WIDER, NARROWER = (BESIDE, 40), (BESIDE - 1, 40)


def beside(app) -> bool:
    """Whether the log stands beside the rows, and has their height."""
    return rows(app).region.right <= log(app).region.x and log(app).region.bottom == rows(app).region.bottom


def below(app) -> bool:
    """Whether the log stands below the rows, and both have the width of the screen."""
    pane = log(app).parent.region
    return rows(app).region.bottom <= pane.y and rows(app).region.width == pane.width == app.size.width


def begins(app) -> list[str]:
    """Return what the lines begin with, as far as the longest name of a desk."""
    return [line[:12] for line in screen_text(app)]


def told(app) -> str:
    """Return what can be read of the log."""
    region = log(app).region
    lines = screen_text(app)[region.y : region.bottom]
    return "\n".join(line[region.x : region.right] for line in lines)


def troubles(number: int):
    return [connection(f"desk-{i:03}", phase=Phase.WAITING, host=f"host{i}") for i in range(number)]


@pytest.mark.parametrize("height", [12, 40, 60])
async def test_from_180_columns_the_log_stands_beside_the_rows_with_all_their_height(height):
    app, _ = app_of(*exchange())
    async with app.run_test(size=(BESIDE - 1, height)) as pilot:
        await text_seen(pilot, "desk-6001")
        assert below(app)
        for width in (180, 200, 240, 300):
            await pilot.resize_terminal(width, height)
            await seen(pilot, lambda: beside(app) and " ↻ desk-6001" in begins(app))
            assert log(app).region.width >= max(60, width // 3)
            assert rows(app).region.width >= 100
            assert log(app).parent.region.y == rows(app).region.y
        await pilot.resize_terminal(BESIDE - 1, height)
        await seen(pilot, lambda: below(app))


async def test_the_verdicts_keep_the_whole_width():
    app, _ = app_of(*exchange())
    async with app.run_test(size=WIDER) as pilot:
        await text_seen(pilot, "+2 more")
        assert line_with(app, "+2 more").rstrip().endswith("+2 more")
        assert len(line_with(app, "+2 more").rstrip()) > BESIDE - 3


async def test_over_the_border_and_back_the_cursor_keeps_its_row_and_the_rows_their_place():
    app, _ = app_of(*troubles(90))
    async with app.run_test(size=WIDER) as pilot:
        await text_seen(pilot, "desk-000")
        table = rows(app)
        await pilot.press("pagedown", "pagedown", "k", "k", "k")
        name, top, height = table.selected_name, table.scroll_offset.y, table.size.height
        assert top > 0
        await pilot.resize_terminal(*NARROWER)
        await seen(pilot, lambda: below(app) and name in row_of(app, name))
        assert (table.selected_name, table.has_focus) == (name, True)
        assert table.size.height < height
        await pilot.resize_terminal(*WIDER)
        await seen(pilot, lambda: beside(app) and table.scroll_offset.y == top)
        assert (table.selected_name, table.has_focus) == (name, True)


async def test_over_the_border_and_back_the_log_keeps_its_line_its_search_and_the_keys():
    app, client = app_of(connection("desk"))
    async with app.run_test(size=WIDER) as pilot:
        await text_seen(pilot, "desk")
        happen(client, 90)
        await drawn(pilot, client)
        await pilot.press("tab", "slash", *"attempt 42", "enter")
        await text_seen(pilot, "1 of 1")
        view = log(app).view
        entry = view.current
        for size, stands in ((NARROWER, below), (WIDER, beside), (NARROWER, below)):
            await pilot.resize_terminal(*size)
            await seen(pilot, lambda stands=stands: stands(app) and "attempt 42" in told(app))
            assert (view.current, view.search, view.following) == (entry, ("attempt", "42"), False)
            assert log(app).has_focus


async def test_a_match_is_in_sight_whatever_width_the_log_comes_to_have():
    app, client = app_of(connection("desk"))
    reason = "the far end of a long reason, a certificate that nobody has renewed in time"
    async with app.run_test(size=NARROWER) as pilot:
        await text_seen(pilot, "desk")
        failure = client.change("desk", phase=Phase.WAITING, **waiting(9, 9)).status.failure
        client.change("desk", phase=Phase.WAITING, attempt=9, failure=replace(failure, reason=reason))
        await drawn(pilot, client)
        await pilot.press("tab", "slash", *"renewed", "enter")
        await seen(pilot, lambda: "renewed" in told(app))
        assert "to attempt 9/15" in told(app)
        await pilot.resize_terminal(*WIDER)
        await seen(pilot, lambda: beside(app) and "renewed" in told(app))
        assert "to attempt 9/15" not in told(app)
        await pilot.resize_terminal(*NARROWER)
        await seen(pilot, lambda: below(app) and "to attempt 9/15" in told(app))


@pytest.mark.parametrize("size", [WIDER, NARROWER])
async def test_the_log_takes_the_place_of_the_rows_too_and_gives_it_back(size):
    app, client = app_of(connection("desk"))
    async with app.run_test(size=size) as pilot:
        happen(client, 5)
        await text_seen(pilot, "changes · 5")
        await pilot.press("tab", "z")
        await text_gone(pilot, "SIP ─")
        await seen(pilot, lambda: "z shrink" in keys(app))
        assert log(app).parent.region.width == app.size.width
        assert log(app).parent.region.height == app.screen.query_one("#panes").region.height
        await pilot.resize_terminal(*(NARROWER if size == WIDER else WIDER))
        await seen(pilot, lambda: log(app).parent.region.width == app.size.width)
        assert log(app).has_focus
        assert not any("SIP ─" in line for line in screen_text(app))
        await pilot.resize_terminal(*size)
        await pilot.press("z")
        await text_seen(pilot, "SIP ─")
        await seen(pilot, lambda: "z enlarge" in keys(app))
        await pilot.press("z", "tab")
        await text_seen(pilot, "SIP ─")
        assert rows(app).has_focus
        assert (beside if size == WIDER else below)(app)


async def test_a_key_that_is_typed_right_after_the_one_that_changes_panes_is_for_the_other_pane():
    app, client = app_of(connection("desk"))
    async with app.run_test(size=NARROWER) as pilot:
        happen(client, 3)
        await text_seen(pilot, "changes · 3")
        app.post_message(events.Key("tab", None))
        app.post_message(events.Key("z", "z"))
        await seen(pilot, lambda: "z shrink" in keys(app))
