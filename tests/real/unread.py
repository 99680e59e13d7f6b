"""A dashboard in a terminal that nobody reads, and the times of its heartbeats."""

from __future__ import annotations

import array
import asyncio
import fcntl
import os
import signal
import sys
import termios
import time
from collections import deque
from pathlib import Path

from manager.lab.lab import Lab
from manager.lab.thread import LabThread
from tests.terminal import Terminal

ROOT = Path(__file__).parents[2]
INTERVAL = 2.0
"""Seconds between two heartbeats."""
_FLAP_EVERY = 1.0
SETTINGS = """
[defaults]
heartbeat_interval = {interval}
heartbeat_timeout = 1
suspect_timeout = 1
base_delay = 0.2
max_delay = 0.2
max_attempts = 1000
stable_after = 60

[connections.calm]
type = "ami"
group = "calm"
endpoints = ["ami://{ami.host}:{ami.port}"]
username = "{ami.username}"
password = {{ env = "LAB_SECRET" }}

[connections.flapping]
type = "websocket"
endpoints = ["ws://{websocket.host}:{websocket.port}/events"]
query = {{ api_key = {{ env = "LAB_SECRET" }} }}
"""


class _Timed(deque[str]):
    """What a server was asked to do, with the times of its Pings."""

    def __init__(self) -> None:
        super().__init__(maxlen=1000)
        self.pings: list[float] = []

    def append(self, action: str) -> None:
        if action == "Ping":
            self.pings.append(time.monotonic())
        super().append(action)


class UnreadDashboard:
    """Runs from when it is entered, on a server that is calm and one that drops its session every second."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.actions = _Timed()
        self.began = 0.0
        """When the last byte was read, by this machine's monotonic clock."""

    def __enter__(self) -> UnreadDashboard:
        lab = Lab()
        (ami,), (websocket,) = lab.ami.values(), lab.websocket.values()
        ami.actions = self.actions
        self._thread = LabThread(lab).__enter__()
        secret = lab._secrets["lab"].reveal()
        settings = self._folder / "config.toml"
        settings.write_text(SETTINGS.format(interval=INTERVAL, ami=ami, websocket=websocket))
        self._terminal = Terminal(
            [sys.executable, "-m", "tui", "--config", str(settings)],
            {
                "HOME": str(self._folder), "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", "LAB_SECRET": secret,
                "PATH": os.environ["PATH"], "TERM": "xterm-256color",
            },
            (120, 40),
        )  # fmt: skip
        asyncio.run(self._terminal.shows("2 up"))
        self.began = time.monotonic()
        self._thread.begin(_flap)
        return self

    def __exit__(self, *error: object) -> None:
        self._terminal.close()
        self._thread.__exit__(None, None, None)

    @property
    def unread(self) -> int:
        """Bytes that wait in the terminal."""
        number = array.array("i", [0])
        fcntl.ioctl(self._terminal.master, termios.FIONREAD, number)
        return number[0]

    async def terminate(self) -> tuple[float, int]:
        """End it by a signal, still without reading; return after how many seconds, and its exit code."""
        sent = time.monotonic()
        os.kill(self._terminal.pid, signal.SIGTERM)
        code = await self._terminal.ended(reading=False)
        return time.monotonic() - sent, code


async def _flap(lab: Lab) -> None:
    while True:
        await asyncio.sleep(_FLAP_EVERY)
        for server in lab.websocket.values():
            server.drop()
