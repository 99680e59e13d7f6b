"""The dashboard with its manager, from the first frame until the last connection is closed."""

from __future__ import annotations

import gc
from collections.abc import Callable

from manager.embedded import EmbeddedClient
from tui.app import TrunklineApp
from tui.watchdog import Watchdog

_SETTLED = 10.0
"""Seconds after the first frame when what was loaded and opened for good is there."""
_YOUNG = 10_000
"""Objects that are made between two looks for garbage: a picture of the whole screen, and some."""


def run_app(app: TrunklineApp, client: EmbeddedClient, *, mouse: bool = False) -> int:
    """Run the manager and its dashboard; return the exit code once every connection is closed.

    A terminal that is not read freezes the screen but not the manager. The watchdog then still ends the
    program on a signal, with Logoff and un-REGISTER sent. `mouse` takes the mouse, and with it the selection
    of the terminal itself.
    """
    with Watchdog(client.stop):
        try:
            _run(app, client.start, mouse=mouse)
        finally:
            client.stop()
    return app.return_code or 0


def run_attached(app: TrunklineApp, *, mouse: bool = False) -> int:
    """Run the dashboard of a manager that is elsewhere and goes on; return the exit code."""
    with Watchdog(lambda: None):
        _run(app, _nothing, mouse=mouse)
    return app.return_code or 0


def _run(app: TrunklineApp, start: Callable[[], None], *, mouse: bool) -> None:
    """Run the dashboard; `start` is called once its first frame is drawn.

    Garbage is sought again from then on, but not in what stays: with a thousand connections a look at all
    there is takes a tenth of a second, in which no key is answered and no heartbeat goes out.
    """

    def begin() -> None:
        gc.set_threshold(_YOUNG)
        _spare_what_stays()
        gc.enable()
        start()
        app.set_timer(_SETTLED, _spare_what_stays)

    app.begin = begin
    app.run(mouse=mouse)


def _spare_what_stays() -> None:
    gc.collect(1)
    gc.freeze()


def _nothing() -> None:
    """Start nothing: the manager runs already."""
