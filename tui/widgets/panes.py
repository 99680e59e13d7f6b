"""The rows and the log: where they stand, how much of the screen each has, and which of them has the keys."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Container
from textual.geometry import Size

from tui.widgets.connections import Connections
from tui.widgets.logpane import LogPane

BESIDE = 180
"""Columns of the screen from which the log stands beside the rows, not below them."""
TALL = 30
"""Lines of the screen from which a log below the rows takes a quarter of them."""


class Panes(Container):
    """The rows above the log, or beside it; or the log alone."""

    def __init__(self, connections: Connections, log: LogPane) -> None:
        super().__init__(id="panes")
        self._connections = connections
        self._log = log
        self._screen = Size()

    def compose(self) -> ComposeResult:
        yield self._connections
        yield self._log

    def fit(self, screen: Size) -> None:
        """Share out what is due of a screen of this size."""
        self._screen = screen
        beside, height = screen.width >= BESIDE, screen.height
        self.set_class(beside, "-beside")
        self._log.log_lines.leaps = beside
        share = height // 4 if height >= TALL else 4 if height >= 16 else 2
        self._log.styles.height = "1fr" if beside or self._log.log_lines.large else share

    @property
    def in_log(self) -> bool:
        """Whether the log has the keys."""
        return self.screen.focused is self._log.log_lines

    def switch(self) -> None:
        """Give the keys to the log, or back to the rows, from the very next one on."""
        if self.in_log:
            self._enlarge(False)
            self.screen.set_focus(self._connections.table)
        else:
            self.screen.set_focus(self._log.log_lines)

    def on_event_log_enlarge_asked(self) -> None:
        self._enlarge(not self._log.log_lines.large)

    def _enlarge(self, large: bool) -> None:
        """Give the log the place of the rows as well, or take it back."""
        self._log.log_lines.large = large
        self._connections.display = not large
        self.fit(self._screen)
