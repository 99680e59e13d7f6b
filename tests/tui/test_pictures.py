"""Every screen looks as its picture in `pictures/`. `python -m tests.tui.pictures` takes them anew.

What each picture must say stands in `pictures/walk.py`, so that none is taken for right unseen.
"""

from __future__ import annotations

import asyncio
import difflib
import html
import os
import re
import time
from pathlib import Path

import pytest
from rich.color import ColorType
from textual.pilot import Pilot

from manager.events import BandChanged
from manager.model import Band
from tests.tui.conftest import SIZES, screen_text, seen, text_seen
from tests.tui.pictures import scene, styles
from tests.tui.pictures.walk import WALK
from tui.app import TrunklineApp
from tui.preferences import Preferences

FOLDER = Path(__file__).with_name("pictures")
README_PICTURE = Path(__file__).parents[2] / "dashboard.svg"
ANEW = "TRUNKLINE_PICTURES" in os.environ
THEMES = ["trunkline-dark", "trunkline-light", "trunkline-contrast", "trunkline-colourblind"]
BANDS = {"healthy": 100, "fair": 85, "degraded": 59, "critical": 12, "unknown": None}
WALKS = dict.fromkeys(SIZES, WALK) | {(200, 50): WALK[: [stop.name for stop in WALK].index("details")]}
"""By the size of the screen, where pictures are taken; the widest is of the dashboard alone."""
SETTLED = 1.0
"""Seconds without a change after which a new picture is taken."""


@pytest.fixture(autouse=True)
def _an_instant_at_night(monkeypatch: pytest.MonkeyPatch, _a_plain_terminal: None) -> None:
    scene.stop_time(monkeypatch)


def night(**wishes) -> TrunklineApp:
    return TrunklineApp(scene.client(), title="berlin", preferences=Preferences(**wishes))


def picture(app: TrunklineApp) -> list[str]:
    return [line.rstrip() for line in screen_text(app)]


async def settled(pilot: Pilot) -> list[str]:
    """Return the picture once it has stood still."""
    taken, since = picture(pilot.app), time.monotonic()
    while time.monotonic() - since < SETTLED:
        await asyncio.sleep(0.05)
        if picture(pilot.app) != taken:
            taken, since = picture(pilot.app), time.monotonic()
    return taken


def compare(lines: list[str], path: Path) -> None:
    if ANEW:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join([*lines, ""]))
    expected = path.read_text().splitlines() if path.is_file() else []
    if lines != expected:
        difference = "\n".join(difflib.unified_diff(expected, lines, path.name, "now", n=0, lineterm=""))
        pytest.fail(f"{difference}\nwhere that is right: python -m tests.tui.pictures", pytrace=False)


@pytest.mark.parametrize("size", WALKS)
async def test_each_screen_looks_as_its_picture_and_says_what_it_must(size):
    app = night()
    async with app.run_test(size=size) as pilot:
        await text_seen(pilot, "lobby-door")
        for stop in WALKS[size]:
            await pilot.press(*stop.keys)

            def said(stop=stop) -> bool:
                text = " ".join("\n".join(picture(app)).split())
                return all(words in text for words in stop.says)

            await seen(pilot, said)
            path = FOLDER / f"{size[0]}x{size[1]}" / f"{stop.name}.txt"
            if ANEW:
                await settled(pilot)
            else:
                expected = path.read_text().splitlines()
                deadline = time.monotonic() + 60
                while picture(app) != expected and time.monotonic() < deadline:
                    await pilot.pause(0.01)
            compare(picture(app), path)
            if size == SIZES[0] and stop.name == "overview":
                compare_with_readme(app)


def compare_with_readme(app: TrunklineApp) -> None:
    """See that README shows the overview as it is."""
    drawn = app.export_screenshot(title="trunkline")
    if ANEW:
        README_PICTURE.write_text(drawn)
    assert texts_of(README_PICTURE.read_text()) == texts_of(drawn), "python -m tests.tui.pictures"


def texts_of(drawing: str) -> list[str]:
    return [html.unescape(text) for text in re.findall(r"<text[^>]*>(.*?)</text>", drawing)]


def test_no_picture_is_left_of_what_is_no_longer_there():
    there = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.txt")}
    wanted = {f"{width}x{height}/{stop.name}.txt" for (width, height), walk in WALKS.items() for stop in walk}
    assert there == wanted | {f"themes/{name}.txt" for name in (*THEMES, "ansi", "no-color")}


async def looks_in(pilot: Pilot, client: scene.Night, names: list[str]) -> dict[str, list[styles.Look]]:
    """Return what the overview looks like in each of these themes, its bands last."""
    app, found = pilot.app, {}
    await text_seen(pilot, "lobby-door")
    await text_seen(pilot, "02:13:16 desk-6006            paused")
    for name in names:
        app.wear(name)
        await pilot.pause()
        found[name] = list(styles.looks(app))
    for word, health in BANDS.items():
        client.pretended = (health,)
        client.emit(BandChanged, band=Band.GREEN, previous=Band.RED)
        await text_seen(pilot, f" {word} ")
        for name in names:
            app.wear(name)
            await pilot.pause()
            found[name].append(styles.look_of_band(app, word))
    return found


async def test_each_theme_gives_each_phase_band_and_severity_the_style_of_its_picture():
    client = scene.client()
    app = TrunklineApp(client, title="berlin")
    async with app.run_test(size=(120, 40)) as pilot:
        for name, looks in (await looks_in(pilot, client, THEMES)).items():
            least = 7.0 if name == "trunkline-contrast" else 4.5
            for look in looks:
                assert look[0] == "rule" or styles.contrast_of(look[2]) >= least, (name, look)
            severities = {style.color for what, _, style in looks if what.startswith("event ")}
            assert len(severities) == len(styles.EVENTS), name
            compare([styles.written(look) for look in looks], FOLDER / "themes" / f"{name}.txt")


EVERYWHERE = ("", "enter", "w", "escape escape h", "escape question_mark", "escape colon")
"""Keys that lead from the overview to each of the other screens."""


@pytest.mark.parametrize("name", ["ansi", "no-color"])
async def test_without_colours_of_ones_own_only_the_terminal_s_sixteen_are_used_or_none(name, monkeypatch):
    if name == "no-color":
        monkeypatch.setenv("NO_COLOR", "1")
    else:
        monkeypatch.delenv("COLORTERM")
        monkeypatch.setenv("TERM", "xterm")
    client = scene.client()
    app = TrunklineApp(client, title="berlin")
    async with app.run_test(size=(120, 40)) as pilot:
        looks = (await looks_in(pilot, client, ["ansi"]))["ansi"]
        compare([styles.written(look) for look in looks], FOLDER / "themes" / f"{name}.txt")
        kinds = {ColorType.DEFAULT} | ({ColorType.STANDARD} if name == "ansi" else set())
        for keys in EVERYWHERE:
            await pilot.press(*keys.split())
            await pilot.pause()
            for strip in app.screen._compositor.render_strips(app.size):
                for segment in strip:
                    colours = {segment.style.color, segment.style.bgcolor} - {None}
                    assert {colour.type for colour in colours} <= kinds, segment
