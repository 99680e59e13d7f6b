"""The application: chooses theme and signs, shows the dashboard, and leaves the terminal as it found it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import FrameType
from typing import ClassVar

from textual.app import App
from textual.binding import BindingType
from textual.command import Provider
from textual.screen import Screen
from textual.scrollbar import ScrollBar, ScrollBarRender
from textual.widget import Widget

from manager.client import ManagerClient
from manager.model import Status
from tui import glyphs, palette, themes
from tui.driver import ThriftyDriver
from tui.extrakey import ExtraKey
from tui.line import Ink
from tui.preferences import Preferences
from tui.readonly import ReadOnlyClient
from tui.screens.covering import CoveringScreen
from tui.screens.dashboard import Dashboard
from tui.themes import Palette

__all__ = ["ExtraKey", "TrunklineApp"]

log = logging.getLogger(__name__)

_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
Handler = Callable[[int, FrameType | None], object] | int | None


class _WholeCells(ScrollBarRender):
    """A scroll bar without fractions of a cell, which not every terminal can draw."""

    VERTICAL_BARS: ClassVar[list[str]] = [" "] * 8


class TrunklineApp(App[None], inherit_bindings=False):
    """The dashboard of one manager."""

    CSS_PATH = Path(__file__).with_name("trunkline.tcss")
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {palette.Actions}
    BINDINGS: ClassVar[list[BindingType]] = [palette.KEY]
    TITLE = "trunkline"

    def __init__(
        self,
        client: ManagerClient,
        *,
        title: str = "",
        preferences: Preferences | None = None,
        keys: Sequence[ExtraKey] = (),
        expected: Iterable[Status] = (),
    ) -> None:
        """Prepare.

        Args:
            client: the manager to show.
            title: stands in the header; empty for none.
            preferences: theme, signs, keys… of who looks; `NO_COLOR` overrules the theme.
            keys: more keys for the footer.
            expected: what is shown until the manager tells how its connections stand.

        Raises:
            manager.errors.TrunklineError: the theme is not there or is wrong.
        """
        wanted = preferences or Preferences()
        # Textual decides before it knows the theme how it will leave colours out.
        super().__init__(driver_class=ThriftyDriver, ansi_color=True if "NO_COLOR" in os.environ else None)
        self._handlers: dict[int, Handler] = {}
        colours = themes.load(self._theme_name(wanted.theme))
        self._dress(colours)
        self.animation_level = "none"
        ScrollBar.renderer = _WholeCells
        signs = glyphs.choose() if wanted.ascii is None else glyphs.ASCII if wanted.ascii else glyphs.UNICODE
        self._ink = Ink(colours, signs)
        self._ink.privacy.on = wanted.privacy
        self._ink.privacy.learn_site(title)
        self._ink.tempo.asked = wanted.slow
        self._ink.tempo.waiting = self._waiting
        self._ink.tempo.written = self._written
        self.set_keymap({identity: ",".join(chosen) for identity, chosen in wanted.keys.items()})
        seen = ReadOnlyClient(client) if wanted.read_only else client
        self.begin: Callable[[], None] = _nothing
        """Called once, when the first frame is on its way to the terminal."""
        self._dashboard = Dashboard(
            seen, self._ink, title=title, keys=keys, read_only=wanted.read_only, begin=self._begin
        )
        self._dashboard.board.expect(expected)

    def _theme_name(self, asked: str | None) -> str:
        if "NO_COLOR" in os.environ:
            return themes.ANSI
        if asked is not None:
            return asked
        sixteen_colours = self.console.color_system in ("standard", None)
        return themes.ANSI if sixteen_colours else themes.DEFAULT

    def _dress(self, colours: Palette) -> None:
        theme = colours.textual()
        self.register_theme(theme)
        self.theme = theme.name

    def wear(self, name: str) -> None:
        """Draw everything in another theme from now on.

        Raises:
            manager.errors.TrunklineError: the theme is not there or is wrong; nothing has changed.
        """
        self._ink.palette = themes.load(name)
        self._dress(self._ink.palette)
        self._draw_anew()

    def _draw_anew(self) -> None:
        for screen in self.screen_stack:
            for widget in screen.walk_children(Widget):
                widget.refresh()

    def _waiting(self) -> int:
        return self._driver.waiting if isinstance(self._driver, ThriftyDriver) else 0

    def _written(self) -> int:
        return self._driver.written if isinstance(self._driver, ThriftyDriver) else 0

    def on_resize(self) -> None:
        self._forget_terminal()

    def action_redraw(self) -> None:
        self._forget_terminal()
        self.screen.refresh(layout=True)

    def _forget_terminal(self) -> None:
        if isinstance(self._driver, ThriftyDriver):
            self._driver.difference.forget()

    def action_command_palette(self) -> None:
        self.push_screen(palette.Palette())

    def action_themes(self) -> None:
        from tui.screens.themes import ThemeScreen  # noqa: PLC0415 - imported when it is asked for

        self.push_screen(ThemeScreen(self._ink, self.wear))

    def action_privacy(self) -> None:
        self._ink.privacy.on = not self._ink.privacy.on
        self._dashboard.loaded()
        self._draw_anew()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Offer commands where keys do something, and no theme where there may be no colour."""
        if action == "command_palette":
            return isinstance(self.screen, Dashboard | CoveringScreen)
        return action != "themes" or "NO_COLOR" not in os.environ

    def _fatal_error(self) -> None:
        """Leave with a sentence; the traceback, without anyone's values in it, goes to the log."""
        error = self._exception
        log.critical("the dashboard failed", exc_info=error)
        self.panic(f"trunkline: the dashboard failed ({type(error).__name__}); the log has the details")

    def _begin(self) -> None:
        self.begin()

    def get_default_screen(self) -> Screen[None]:
        return self._dashboard

    def on_mount(self) -> None:
        if not self.is_headless:
            self._catch_signals()

    def on_unmount(self) -> None:
        while self._handlers:
            number, handler = self._handlers.popitem()
            signal.signal(number, handler)

    def _catch_signals(self) -> None:
        """End cleanly on a signal.

        These are not the loop's own handlers: those take the one wake-up descriptor of the process, which the
        watchdog needs to hear of signals while this loop is held up by a terminal that does not read.
        """
        loop = asyncio.get_running_loop()

        def end(number: int, _frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(lambda: self.exit(return_code=128 + number))

        for number in _ENDING:
            self._handlers[number] = signal.signal(number, end)


def _nothing() -> None:
    """Begin where a manager runs already."""
