"""Themes: read by name from the package or the user's own folder, as styles for lines and for Textual."""

from __future__ import annotations

import importlib.resources
import re
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import msgspec
import platformdirs
from rich.color import Color, ColorType
from rich.errors import StyleSyntaxError
from rich.style import Style
from textual.theme import Theme

from manager.errors import TrunklineError

DEFAULT = "trunkline-dark"
ANSI = "ansi"


class ThemeError(TrunklineError):
    """A theme that is not there or cannot be used."""


class Tones(msgspec.Struct, frozen=True):
    """What text is written in."""

    text: Style
    strong: Style
    muted: Style
    rule: Style
    good: Style
    warn: Style
    bad: Style
    accent: Style


class Surfaces(msgspec.Struct, frozen=True):
    """What text stands on."""

    screen: Color
    cursor: Style
    cursor_blurred: Style
    footer: Style


class Palette(msgspec.Struct, frozen=True):
    """A theme, read and checked."""

    name: str
    dark: bool
    tones: Tones
    surfaces: Surfaces

    @property
    def ansi(self) -> bool:
        """Whether it leaves the background, and so all colours, to the terminal."""
        return self.surfaces.screen.type is ColorType.DEFAULT

    def style(self, tone: str, surface: Style | None = None) -> Style:
        """Return the style of a tone on a surface; a reversed one keeps no colour of the tone."""
        return _on(self.surfaces.screen, getattr(self.tones, tone), surface)

    def textual(self) -> Theme:
        """Return what Textual needs of it for its own parts (scrollbars)."""
        tones = self.tones
        return Theme(
            name=f"trunkline:{self.name}",
            primary=_css(tones.accent.color),
            success=_css(tones.good.color),
            warning=_css(tones.warn.color),
            error=_css(tones.bad.color),
            foreground=_css(tones.text.color),
            background=_css(self.surfaces.screen),
            surface=_css(self.surfaces.screen),
            panel=_css(self.surfaces.screen),
            dark=self.dark,
            ansi=self.ansi,
            variables={
                "scrollbar": _css(tones.rule.color),
                "scrollbar-background": _css(self.surfaces.screen),
                "ansi-background": "ansi_default",
                "ansi-foreground": "ansi_default",
            },
        )


@lru_cache(maxsize=256)
def _on(screen: Color, style: Style, surface: Style | None) -> Style:
    if surface is not None and surface.reverse:
        return Style(reverse=True, bold=style.bold)
    return Style(bgcolor=screen) + style + surface


def user_folder() -> Path:
    """Return where a user's own themes are looked for, before those that come along."""
    return platformdirs.user_config_path("trunkline") / "themes"


def available() -> list[str]:
    """Return the names of all themes that there are."""
    places: list[Traversable] = [_shipped(), user_folder()]
    return sorted(
        {
            entry.name.removesuffix(".toml")
            for place in places
            if place.is_dir()
            for entry in place.iterdir()
            if entry.name.endswith(".toml")
        }
    )


def load(name: str) -> Palette:
    """Read the theme of this name.

    Raises:
        ThemeError: there is none, or its file is wrong; the message says which file and where.
    """
    if re.fullmatch(r"[\w.-]+", name) is None or name.startswith("."):
        raise ThemeError(f"{name!r} is not the name of a theme", f"there are: {', '.join(available())}")
    places: list[Traversable] = [user_folder(), _shipped()]
    for place in places:
        file = place / f"{name}.toml"
        if file.is_file():
            return _read(name, file)
    raise ThemeError(f"there is no theme {name!r}", f"there are: {', '.join(available())}")


def _shipped() -> Traversable:
    return importlib.resources.files("themes")


def _read(name: str, file: Traversable) -> Palette:
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ThemeError(f"the theme {file} cannot be read: {error}") from None
    try:
        tones, surfaces = _table(content, "tones"), _table(content, "surfaces")
        dark = _flag(content, "dark")
        _expect(content, {"dark", "tones", "surfaces"}, "")
        _expect(tones, set(Tones.__struct_fields__), "tones.")
        _expect(surfaces, {name.replace("_", "-") for name in Surfaces.__struct_fields__}, "surfaces.")
        return Palette(
            name=name,
            dark=dark,
            tones=Tones(**{key: _style(f"tones.{key}", words) for key, words in tones.items()}),
            surfaces=Surfaces(
                screen=_screen(surfaces["screen"]),
                cursor=_style("surfaces.cursor", surfaces["cursor"]),
                cursor_blurred=_style("surfaces.cursor-blurred", surfaces["cursor-blurred"]),
                footer=_style("surfaces.footer", surfaces["footer"]),
            ),
        )
    except _MistakeError as mistake:
        raise ThemeError(
            f"the theme {file} cannot be used: {mistake}", "trunkline-dark.toml shows every line that one has"
        ) from None


class _MistakeError(ValueError):
    """What is wrong in a theme's file."""


def _table(content: Mapping[str, Any], key: str) -> dict[str, Any]:
    table = content.get(key)
    if not isinstance(table, dict):
        raise _MistakeError(f"[{key}] is missing")
    return table


def _flag(content: Mapping[str, Any], key: str) -> bool:
    flag = content.get(key, True)
    if not isinstance(flag, bool):
        raise _MistakeError(f"{key} is true or false")
    return flag


def _expect(table: Mapping[str, Any], names: set[str], prefix: str) -> None:
    if unknown := sorted(table.keys() - names):
        raise _MistakeError(f"{prefix}{unknown[0]} is unknown")
    if prefix and (missing := sorted(names - table.keys())):
        raise _MistakeError(f"{prefix}{missing[0]} is missing")


def _style(place: str, words: object) -> Style:
    if not isinstance(words, str) or "link" in words:
        raise _MistakeError(f"{place} is a style in words")
    try:
        return Style.parse(words)
    except StyleSyntaxError as error:
        raise _MistakeError(f"{place}: {error}") from None


def _screen(words: object) -> Color:
    style = _style("surfaces.screen", words)
    if style.color is None:
        raise _MistakeError("surfaces.screen is a colour")
    return style.color


def _css(color: Color | None) -> str:
    if color is None or color.type is ColorType.DEFAULT:
        return "ansi_default"
    if color.triplet is not None:
        return color.triplet.hex
    return f"ansi_{color.name}"
