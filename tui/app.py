"""The application: chooses theme and signs, shows the dashboard, and leaves the terminal as it found it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import ClassVar

from textual.app import App
from textual.screen import Screen
from textual.scrollbar import ScrollBar, ScrollBarRender

from manager.client import ManagerClient
from tui import glyphs, themes
from tui.line import Ink
from tui.screens.dashboard import Dashboard, ExtraKey

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
    ENABLE_COMMAND_PALETTE = False
    TITLE = "trunkline"

    def __init__(
        self,
        client: ManagerClient,
        *,
        title: str = "",
        theme: str | None = None,
        ascii_glyphs: bool | None = None,
        keys: Sequence[ExtraKey] = (),
    ) -> None:
        """Prepare.

        Args:
            client: the manager to show.
            title: stands in the header; empty for none.
            theme: name of a theme; None for the one that suits the terminal. `NO_COLOR` overrules it.
            ascii_glyphs: whether to keep to ASCII; None to see by the locale.
            keys: more keys for the footer.

        Raises:
            manager.errors.TrunklineError: the theme is not there or is wrong.
        """
        # Textual decides before it knows the theme how it will leave colours out.
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)
        self._handlers: dict[int, Handler] = {}
        palette = themes.load(self._theme_name(theme))
        textual_theme = palette.textual()
        self.register_theme(textual_theme)
        self.theme = textual_theme.name
        self.animation_level = "none"
        ScrollBar.renderer = _WholeCells
        signs = glyphs.choose() if ascii_glyphs is None else glyphs.ASCII if ascii_glyphs else glyphs.UNICODE
        self._dashboard = Dashboard(client, Ink(palette, signs), title=title, keys=keys)

    def _theme_name(self, asked: str | None) -> str:
        if "NO_COLOR" in os.environ:
            return themes.ANSI
        if asked is not None:
            return asked
        sixteen_colours = self.console.color_system in ("standard", None)
        return themes.ANSI if sixteen_colours else themes.DEFAULT

    def _fatal_error(self) -> None:
        """Leave with a sentence; the traceback, without anyone's values in it, goes to the log."""
        error = self._exception
        log.critical("the dashboard failed", exc_info=error)
        self.panic(f"trunkline: the dashboard failed ({type(error).__name__}); the log has the details")

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
