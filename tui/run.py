"""The dashboard with its manager, from the first frame until the last connection is closed."""

from __future__ import annotations

import gc

from manager.embedded import EmbeddedClient
from tui.app import TrunklineApp
from tui.watchdog import Watchdog


def run_app(app: TrunklineApp, client: EmbeddedClient, *, mouse: bool = False) -> int:
    """Run the manager and its dashboard; return the exit code once every connection is closed.

    A terminal that is not read freezes the screen but not the manager. The watchdog then still ends the
    program on a signal, with Logoff and un-REGISTER sent. `mouse` takes the mouse, and with it the selection
    of the terminal itself.
    """

    def begin() -> None:
        _collect_again()
        client.start()

    app.begin = begin
    with Watchdog(client.stop):
        try:
            app.run(mouse=mouse)
        finally:
            client.stop()
    return app.return_code or 0


def run_attached(app: TrunklineApp, *, mouse: bool = False) -> int:
    """Run the dashboard of a manager that is elsewhere and goes on; return the exit code."""
    app.begin = _collect_again
    with Watchdog(lambda: None):
        app.run(mouse=mouse)
    return app.return_code or 0


def _collect_again() -> None:
    """Take up garbage collection, which the start did without; what was loaded by now is never looked at."""
    gc.freeze()
    gc.enable()
