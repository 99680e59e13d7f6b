"""The program as its user runs it: a process of its own, a home of its own, the lab to talk to."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from manager.lab.ami import AmiServer
from manager.lab.registrar import Registrar
from manager.lab.sip import SipServer
from manager.lab.websocket import WebSocketServer
from manager.secret import Secret
from tests.terminal import PATIENCE, Terminal

CANARY = "canary-9d2f4c"

SETTINGS = """
[defaults]
jitter = 0
base_delay = 0.2
max_delay = 1
heartbeat_interval = 2
heartbeat_timeout = 1.9
suspect_timeout = 1.9
stable_after = 1

[connections.lab-ami]
type = "ami"
endpoints = ["ami://127.0.0.1:{ami}"]
username = "monitor"
password = {{ env = "LAB_SECRET" }}

[connections.lab-desk]
type = "sip"
endpoints = ["sip:127.0.0.1:{sip};transport=tcp"]
aor = "sip:6001@127.0.0.1"
password = {{ env = "LAB_SECRET" }}

[connections.lab-events]
type = "websocket"
endpoints = ["ws://127.0.0.1:{websocket}/events?api_key={canary}"]
headers = {{ Authorization = {{ env = "LAB_SECRET" }} }}
"""


@pytest.fixture
async def ami() -> AsyncIterator[AmiServer]:
    async with AmiServer(username="monitor", password=Secret(CANARY)) as server:
        yield server


@pytest.fixture
async def websocket() -> AsyncIterator[WebSocketServer]:
    async with WebSocketServer(headers={"Authorization": Secret(CANARY)}) as server:
        yield server


@pytest.fixture
async def sip() -> AsyncIterator[SipServer]:
    async with SipServer(Registrar({"6001": Secret(CANARY)})) as server:
        yield server


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def settings(tmp_path: Path, ami: AmiServer, sip: SipServer, websocket: WebSocketServer) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(SETTINGS.format(ami=ami.port, sip=sip.port, websocket=websocket.port, canary=CANARY))
    path.chmod(0o600)
    return path


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    return kept | {"HOME": str(home), "LAB_SECRET": CANARY, "TERM": "xterm-256color", "PYTHONUTF8": "1"}


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another process brings about here, or writes down."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.02)


async def logged_off(ami: AmiServer) -> None:
    """Wait for the last word of a program; its end may be noticed before that is read."""
    await until(lambda: ami.actions[-1] == "Logoff")


def with_hasty_heartbeats(settings: Path) -> None:
    """Have a heartbeat sent every half second."""
    text = settings.read_text()
    for slow, quick in (
        ("heartbeat_interval = 2", "heartbeat_interval = 0.5"),
        ("heartbeat_timeout = 1.9", "heartbeat_timeout = 0.4"),
        ("suspect_timeout = 1.9", "suspect_timeout = 0.4"),
    ):
        assert slow in text
        text = text.replace(slow, quick)
    settings.write_text(text)


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "tui", *map(str, arguments)]


class Running:
    """A `trunkline watch` and the lines that it has printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[dict] = []

    async def line(self, wanted: Callable[[dict], bool]) -> dict:
        """Read until a line fits."""
        assert self.process.stdout
        async with asyncio.timeout(PATIENCE):
            async for text in self.process.stdout:
                self.lines.append(json.loads(text))
                if wanted(self.lines[-1]):
                    return self.lines[-1]
        raise AssertionError(f"the output ended before the line that was waited for: {self.lines[-3:]}")

    async def phase(self, name: str, phase: str) -> dict:
        return await self.line(lambda line: line.get("connection") == name and line["phase"] == phase)

    async def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, read the rest, and return the exit code."""
        self.process.send_signal(number)
        assert self.process.stdout
        async with asyncio.timeout(PATIENCE):
            async for text in self.process.stdout:
                self.lines.append(json.loads(text))
            return await self.process.wait()


@pytest.fixture
def start(environment: dict[str, str]):
    @asynccontextmanager
    async def start(*arguments: str | Path, **options) -> AsyncIterator[Running]:
        process = await asyncio.create_subprocess_exec(
            *command(*arguments),
            env=environment,
            stdout=options.pop("stdout", asyncio.subprocess.PIPE),
            stderr=asyncio.subprocess.PIPE,
            **options,
        )
        try:
            yield Running(process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    return start


@pytest.fixture
def terminals(environment: dict[str, str]) -> Iterator:
    opened: list[Terminal] = []

    def open_terminal(*arguments: str | Path, size: tuple[int, int] = (120, 40), **changes: str) -> Terminal:
        opened.append(Terminal(command(*arguments), environment | changes, size))
        return opened[-1]

    yield open_terminal
    for terminal in opened:
        terminal.close()
