"""Themes: found by name, checked, and readable."""

from __future__ import annotations

import pytest
from rich.color import Color

from manager.model import Phase
from tests.tui.conftest import screen_text, text_seen
from tests.tui.contrast import contrast
from tests.tui.fake_client import FakeClient, exchange
from tui import themes
from tui.app import TrunklineApp
from tui.glyphs import ASCII, MEANINGS, UNICODE, choose
from tui.phases import TONES
from tui.preferences import Preferences

SHIPPED = ["ansi", "trunkline-colourblind", "trunkline-contrast", "trunkline-dark", "trunkline-light"]
TEXT_TONES = [name for name in themes.Tones.__struct_fields__ if name != "rule"]


def test_the_contrast_is_that_of_the_standard():
    assert contrast(Color.parse("#000000"), Color.parse("#ffffff")) == pytest.approx(21)
    assert contrast(Color.parse("#777777"), Color.parse("#ffffff")) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("name", [name for name in SHIPPED if name != "ansi"])
@pytest.mark.parametrize("tone", TEXT_TONES)
def test_every_text_can_be_read_on_every_surface(name, tone):
    palette = themes.load(name)
    surfaces = palette.surfaces
    for surface in (None, surfaces.cursor, surfaces.cursor_blurred, surfaces.footer):
        style = palette.style(tone, surface)
        least = 7.0 if name == "trunkline-contrast" else 4.5
        assert contrast(style.color, style.bgcolor) >= least, (tone, surface)


def test_the_shipped_themes_are_found():
    assert themes.available() == SHIPPED


def test_the_ansi_theme_sends_no_colour_of_its_own_and_reverses_the_cursor():
    palette = themes.load("ansi")
    assert palette.ansi
    for tone in TEXT_TONES:
        color = palette.style(tone).color
        assert color is None or color.triplet is None
        cursor = palette.style(tone, palette.surfaces.cursor)
        assert cursor.reverse
        assert cursor.color is None


def own_theme(text: str, name: str = "mine") -> None:
    folder = themes.user_folder()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.toml").write_text(text)


def shipped_text() -> str:
    return (themes._shipped() / "trunkline-dark.toml").read_text()


def test_a_theme_of_one_s_own_stands_before_the_shipped_one_of_its_name():
    own_theme(shipped_text().replace("#4ebf71", "#00ff00"), "trunkline-dark")
    assert themes.load("trunkline-dark").tones.good.color.triplet.hex == "#00ff00"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda text: text.replace("muted =", "mutd ="), "tones.mutd is unknown"),
        (lambda text: text.replace('muted = "#9aa0a6"', ""), "tones.muted is missing"),
        (lambda text: text.replace('"#9aa0a6"', '"#9aa0"'), "tones.muted"),
        (lambda text: text.replace('"#9aa0a6"', "7"), "tones.muted is a style in words"),
        (lambda text: text.replace('"#9aa0a6"', '"link http://x"'), "tones.muted is a style in words"),
        (lambda text: text.replace("dark = true", "dark = 1"), "dark is true or false"),
        (lambda text: text.replace("[tones]", "[tone]"), "[tones] is missing"),
        (lambda text: text.replace('screen = "#121212"', 'screen = "bold"'), "surfaces.screen is a colour"),
        (lambda text: text + "\n=", "cannot be read"),
    ],
)
def test_a_bad_theme_is_told_with_its_file_and_place(wrong, told):
    own_theme(wrong(shipped_text()))
    with pytest.raises(themes.ThemeError) as caught:
        themes.load("mine")
    assert told in str(caught.value)
    assert "mine.toml" in str(caught.value)


@pytest.mark.parametrize("name", ["nobody", "../trunkline-dark", "", ".hidden"])
def test_a_theme_that_is_not_there_is_told_with_those_that_are(name):
    with pytest.raises(themes.ThemeError) as caught:
        themes.load(name)
    assert "trunkline-light" in caught.value.hint


def theme_of(app: TrunklineApp) -> str:
    return app.theme.removeprefix("trunkline:")


def test_a_terminal_with_sixteen_colours_gets_its_own(monkeypatch):
    monkeypatch.delenv("COLORTERM")
    monkeypatch.setenv("TERM", "xterm")
    assert theme_of(TrunklineApp(FakeClient())) == "ansi"
    assert (
        theme_of(TrunklineApp(FakeClient(), preferences=Preferences(theme="trunkline-light")))
        == "trunkline-light"
    )
    monkeypatch.setenv("TERM", "xterm-256color")
    assert theme_of(TrunklineApp(FakeClient())) == "trunkline-dark"


def test_no_color_overrules_whatever_was_asked_for(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert theme_of(TrunklineApp(FakeClient(), preferences=Preferences(theme="trunkline-light"))) == "ansi"


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_each_phase_has_a_glyph_of_its_own_and_a_meaning(glyphs):
    assert len(set(glyphs.phases.values())) == len(Phase)
    assert set(MEANINGS) == set(TONES) == set(Phase)
    assert all(len(sign) == 1 for sign in glyphs.phases.values())
    assert all(sign.isascii() for sign in ASCII.phases.values())
    assert set(glyphs.digits) == set("0123456789?")
    assert all(len(part) == 3 for parts in glyphs.digits.values() for part in parts)


@pytest.mark.parametrize(
    ("environment", "chosen"),
    [
        ({"LANG": "de_DE.UTF-8"}, UNICODE),
        ({"LANG": "C.utf8"}, UNICODE),
        ({"LANG": "de_DE.ISO-8859-1"}, ASCII),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "C"}, ASCII),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, ASCII),
        ({"LC_CTYPE": "C.UTF-8"}, ASCII),
        ({"LANG": "en_US.UTF-8", "LC_CTYPE": "C.UTF-8"}, UNICODE),
        ({"LC_ALL": "C.UTF-8"}, UNICODE),
        ({}, ASCII),
        ({"LANG": "de_DE.UTF-8", "TERM": "linux"}, ASCII),
    ],
)
def test_ascii_is_used_where_the_locale_does_not_promise_more(environment, chosen):
    assert choose(environment) is chosen


async def test_an_ascii_screen_is_ascii_to_the_last_cell():
    app = TrunklineApp(FakeClient(*exchange()), title="Zürich", preferences=Preferences(ascii=True))
    async with app.run_test(size=(140, 40)) as pilot:
        await text_seen(pilot, "desk-6001")
        assert all(line.isascii() for line in screen_text(app))
        await pilot.press("question_mark")
        await text_seen(pilot, "keys and signs")
        assert all(line.isascii() for line in screen_text(app))
