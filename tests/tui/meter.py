"""The dashboard with a terminal behind it that a test can read, and the bytes that the terminal was sent."""

from __future__ import annotations

from rich.console import RenderableType
from textual._compositor import CompositorUpdate
from textual.screen import Screen

from tests.grid import Grid
from tests.tui.fake_client import FakeClient
from tui.app import TrunklineApp
from tui.difference import Difference

SIZE = (120, 40)


class Meter(TrunklineApp):
    """The dashboard before a terminal that counts what it is sent."""

    def __init__(self, client: FakeClient, **wishes) -> None:
        super().__init__(client, **wishes)
        self.grid = Grid(*SIZE)
        """What the terminal shows."""
        self.whole = Grid(*SIZE)
        """What it would show if nothing were left out."""
        self.written = 0
        self._shown = Difference()

    def _display(self, screen: Screen, renderable: RenderableType | None) -> None:
        super()._display(screen, renderable)
        if isinstance(renderable, CompositorUpdate):
            picture = renderable.render_segments(self.console)
            sent = self._shown.shorten(picture).encode()
            self.written += len(sent)
            self.grid.feed(sent)
            self.whole.feed(picture.encode())
