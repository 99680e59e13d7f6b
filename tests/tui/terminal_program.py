"""Run in a terminal by tests: the dashboard under its watchdog.

terminal_program.py FOLDER calm|busy|flood|stuck    writes what it does into FOLDER
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from pathlib import Path

from manager.model import Phase
from tests.tui.fake_client import FakeClient, connection, exchange, waiting
from tui import pace, tempo, watchdog

folder, story = Path(sys.argv[1]), sys.argv[2]
if story != "calm":
    # A flood takes as long as the pictures do that fill the terminal.
    pace.URGENT = pace.CALM = pace.BUSY = 0.01
    tempo.RATE = 100_000_000
    watchdog._LAST_WORDS = 0.5

from tui.app import TrunklineApp  # noqa: E402 - it takes the pace up as it is


def leave(name: str, text: str) -> None:
    """Leave a trace that is never read half written."""
    unfinished = folder / f".{name}"
    unfinished.write_text(text)
    unfinished.replace(folder / name)


class Program(TrunklineApp):
    """The dashboard, whose loop leaves a trace while it runs."""

    def on_mount(self) -> None:
        # Textual calls that of the dashboard by itself; twice, it would take its own signals for the earlier.
        self.run_worker(self._beat() if story == "calm" else self._flood())

    async def _beat(self) -> None:
        while True:
            leave("beat", str(time.monotonic()))
            await asyncio.sleep(0.02)

    async def _flood(self) -> None:
        number = 0
        while True:
            number += 1
            for status in exchange():
                client.change(status.name, phase=Phase.WAITING, attempt=number, **waiting(9, 9))
            if story != "busy":
                # Whole pictures, whatever stands there: less would not fill the terminal.
                self.action_redraw()
            leave("beat", str(time.monotonic()))
            leave("waiting", str(self._waiting()))
            await asyncio.sleep(0.02)


def give_up() -> None:
    leave("gave_up", threading.current_thread().name)
    if story == "stuck":
        time.sleep(60)


statuses = exchange() if story != "calm" else [connection("desk"), connection("ami", "ami")]
client = FakeClient(*statuses)
app = Program(client)
# One that stands still does not end in good order, however long it is waited for; a calm one always does.
with watchdog.Watchdog(give_up, grace=60.0 if story == "calm" else 0.2):
    app.run(mouse=False)
leave("ended", "in good order")
sys.exit(app.return_code or 0)
