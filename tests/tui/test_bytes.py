"""How many bytes reach a terminal, counted where they leave the program; no time is measured."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
from msgspec.structs import replace
from textual.geometry import Region

from manager.events import ProbeAnswered, Reported
from manager.model import Phase
from tests.tui.conftest import screen_text, seen, text_seen
from tests.tui.fake_client import FakeClient, connection, exchange, waiting
from tests.tui.meter import SIZE, Meter
from tui.paint import RowPainter
from tui.widgets import countdown, table


@pytest.fixture
def later(monkeypatch):
    """Move the clock of the countdowns."""
    passed = 0.0
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + passed, time=time.time)
    monkeypatch.setattr(countdown, "time", clock)
    monkeypatch.setattr(table, "time", clock)

    def move(seconds: float) -> None:
        nonlocal passed
        passed += seconds

    return move


@pytest.mark.parametrize("size", [SIZE, (200, 50)])
async def test_a_heartbeat_that_brings_nothing_new_costs_no_byte(size):
    client = FakeClient(*[connection(f"desk-{number}") for number in range(10)])
    app = Meter(client)
    async with app.run_test(size=size) as pilot:
        await text_seen(pilot, "desk-9")
        await pilot.pause()
        before = app.written
        for status in list(client.statuses.values()):
            client.emit(ProbeAnswered, status=replace(status, latency=0.016), probe="heartbeat", finding="")
        await seen(pilot, lambda: app.screen.board.position.seq == 10)
        await pilot.pause()
        assert app.written == before


async def test_beside_the_rows_a_line_of_the_log_costs_what_it_says_and_seldom_moves_the_others():
    client = FakeClient(connection("desk"))
    app = Meter(client)
    async with app.run_test(size=(200, 50)) as pilot:
        await text_seen(pilot, "desk")
        view = app.screen.query_one("#log").view

        async def told(text: str) -> int:
            before = app.written
            client.emit(Reported, status=client.statuses["desk"], report="peerStatus", text=text, fields={})
            await text_seen(pilot, f" {text} ")
            return app.written - before

        for number in range(50):
            client.emit(
                Reported, status=client.statuses["desk"], report="peerStatus", text=f"{number}", fields={}
            )
        await text_seen(pilot, "changes · 50")
        costs = [await told(f"the {number}th") for number in range(51, 59)]
        assert view.following
        assert sorted(costs)[-2] <= 300


async def test_one_countdown_costs_at_most_150_bytes_a_second(later):
    client = FakeClient(connection("desk"), connection("late", phase=Phase.WAITING, **waiting(30, 30)))
    app = Meter(client)
    async with app.run_test(size=SIZE) as pilot:
        await text_seen(pilot, "late")
        await pilot.pause()
        costs = await _ticks(app, pilot, later, 20)
        assert sum(costs) / len(costs) <= 150
        assert min(costs) > 0


async def test_a_tick_draws_no_line_that_says_the_same(later, monkeypatch):
    client = FakeClient(
        *[connection(f"desk-{number}") for number in range(10)],
        connection("late", phase=Phase.WAITING, **waiting(30, 30)),
    )
    app = Meter(client)
    async with app.run_test(size=SIZE) as pilot:
        await text_seen(pilot, "late")
        await _ticks(app, pilot, later, 2)
        drawn, row = [], RowPainter.row
        monkeypatch.setattr(RowPainter, "row", lambda *given: drawn.append(given[1].name) or row(*given))
        await _ticks(app, pilot, later, 3)
        assert set(drawn) == {"late"}


async def test_what_is_kept_free_for_a_scroll_bar_has_the_background_of_the_rest():
    app = Meter(FakeClient(connection("desk")))
    async with app.run_test(size=SIZE) as pilot:
        await text_seen(pilot, "desk")
        strips = app.screen.query_one("#rows").render_lines(Region(0, 0, SIZE[0], 5))
        assert {strip.cell_length for strip in strips} == {SIZE[0]}
        backgrounds = {segment.style and segment.style.bgcolor for strip in strips[2:] for segment in strip}
        assert len(backgrounds) == 1
        assert None not in backgrounds


async def test_a_screen_full_of_countdowns_costs_at_most_3200_bytes_a_second(later):
    hosts = [
        connection(f"c{number}", phase=Phase.WAITING, host=f"h{number}", **waiting(30, 30))
        for number in range(100)
    ]
    app = Meter(FakeClient(*hosts))
    async with app.run_test(size=SIZE) as pilot:
        await text_seen(pilot, "c9 ")
        await pilot.pause()
        costs = await _ticks(app, pilot, later, 10)
        assert sum(costs) / len(costs) <= 3200


async def _ticks(app: Meter, pilot, later, number: int) -> list[int]:
    costs = []
    for _ in range(number):
        before = app.written
        later(1.0)
        app.screen.query_one("#rows").tick()
        await pilot.pause()
        costs.append(app.written - before)
    return costs


async def test_whatever_happens_the_terminal_shows_the_picture_that_was_meant():
    client = FakeClient(*exchange())
    app = Meter(client)
    async with app.run_test(size=SIZE) as pilot:
        await text_seen(pilot, "trunk-telekom-berlin")
        for number in range(12):
            status = list(client.statuses.values())[number]
            client.change(status.name, phase=Phase.WAITING, attempt=number + 1, **waiting(9, 9))
            client.emit(Reported, status=status, report="peerStatus", text="東京 ☎ e\u0301", fields={})
            await pilot.press(*(("j",) if number % 3 else ("enter", "pagedown", "escape")))
        for key in ("question_mark", "h", "w"):
            await pilot.press("G", key)
            await pilot.pause()
            assert app.grid.looks == app.whole.looks
            await pilot.press("escape")
        await pilot.press("slash", "d", "e")
        await pilot.pause()
        assert app.grid.looks == app.whole.looks
        assert any("rows /de" in line for line in screen_text(app))
