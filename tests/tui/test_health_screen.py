"""Health that explains itself: every point, and what cost it."""

from __future__ import annotations

import re

import pytest

from manager.model import Cost, Phase
from manager.shares import shares
from tests.tui.conftest import SIZES, line_with, screen_text, seen, text_gone, text_seen
from tests.tui.driving import app_of
from tests.tui.fake_client import REFUSED, connection, exchange, slow, waiting

DOWN = (Cost(100, "waiting: connection refused"),)


def points(app) -> list[int]:
    """Return what stands before the names of connections."""
    found = [re.match(r" {1,4}-(\d+) +\S", line) for line in screen_text(app)]
    return [int(match[1]) for match in found if match]


async def open_health(pilot, name: str = "desk") -> None:
    await text_seen(pilot, name)
    await pilot.press("h")
    await text_seen(pilot, "What cost it")


async def test_the_points_that_connections_cost_are_those_that_the_whole_lacks():
    app, client = app_of(*exchange())
    async with app.run_test(size=(120, 50)) as pilot:
        await open_health(pilot, "desk-6001")
        assert sum(points(app)) == 100 - client.health
        assert points(app) == list(shares(client.statuses.values()).values())
        assert f"{client.health} % degraded" in line_with(app, "degraded")
        assert "14 connections count" in line_with(app, "count:")
        assert "paused" in line_with(app, "desk-6006")


async def test_each_connection_says_what_cost_it_its_own_points():
    app, _ = app_of(connection("desk", phase=Phase.WAITING, costs=DOWN, weight=3.0), slow("late"))
    async with app.run_test(size=(120, 40)) as pilot:
        await open_health(pilot)
        assert "weight 3" in line_with(app, "its own 0 of 100")
        assert "-100" in line_with(app, "waiting: connection refused")
        assert "-11" in line_with(app, "slow: 240 ms, usually 12 ms")
        assert "by weight" in line_with(app, "count:")


@pytest.mark.parametrize("size", SIZES)
async def test_nothing_that_cost_a_point_is_told_as_well(size):
    app, _ = app_of(connection("desk"))
    async with app.run_test(size=size) as pilot:
        await open_health(pilot)
        await text_seen(pilot, "nothing cost a point")
        await text_seen(pilot, "100 % healthy")


async def test_it_follows_what_happens():
    app, client = app_of(connection("desk"), connection("other"))
    async with app.run_test(size=(80, 24)) as pilot:
        await open_health(pilot)
        client.change("desk", phase=Phase.WAITING, costs=DOWN, attempt=1, **waiting(1, 100))
        await text_seen(pilot, "50 % degraded")
        await text_seen(pilot, REFUSED.reason)
        client.change("other", phase=Phase.PAUSED)
        await text_seen(pilot, "0 % critical")
        await text_seen(pilot, "Not counted ─ 1")


async def test_a_whole_that_nothing_counts_for_is_unknown():
    app, _ = app_of(connection("desk", phase=Phase.PAUSED))
    async with app.run_test(size=(80, 24)) as pilot:
        await open_health(pilot)
        await text_seen(pilot, "no connection counts")


async def test_a_connection_that_costs_less_than_a_point_is_listed_nevertheless():
    app, _ = app_of(*(connection(f"up-{n}") for n in range(300)), slow("late"), slow("later"))
    async with app.run_test(size=(80, 24)) as pilot:
        await open_health(pilot, "late")
        await text_seen(pilot, "What cost it ─ 1 point")
        assert "-1" in line_with(app, "late  its own") or "<1" in line_with(app, "late  its own")
        await text_seen(pilot, "<1")


@pytest.mark.parametrize("key", ["h", "escape", "q"])
async def test_every_way_back_leads_to_the_dashboard(key):
    app, _ = app_of(connection("desk"))
    async with app.run_test(size=(120, 40)) as pilot:
        await open_health(pilot)
        await pilot.press(key)
        await text_gone(pilot, "What cost it")
        await text_seen(pilot, "Events ─")


async def test_a_long_list_scrolls_and_ends_with_how_many_more_there_are(monkeypatch):
    monkeypatch.setattr("tui.details.points.MOST", 60)
    app, _ = app_of(*(connection(f"desk-{n}", phase=Phase.WAITING, costs=DOWN) for n in range(70)))
    async with app.run_test(size=(80, 24)) as pilot:
        await open_health(pilot, "waiting")
        await pilot.press("tab")
        await seen(pilot, lambda: screen_text(app)[0].startswith(" What cost it"))
        await pilot.press("G")
        await text_seen(pilot, "and 10 more")


async def test_names_are_hidden_here_too():
    app, _ = app_of(connection("desk", phase=Phase.WAITING, costs=DOWN))
    async with app.run_test(size=(80, 24)) as pilot:
        await open_health(pilot)
        await pilot.press("H")
        await seen(pilot, lambda: not any("desk" in line for line in screen_text(app)))
        await text_seen(pilot, "sip-1")
