"""The dashboard as it is used: over SSH and in tmux, on a real Asterisk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.asterisk import Asterisk
from tests.real.connections import until
from tests.real.ssh import SshServer
from tests.terminal import Terminal

ROOT = Path(__file__).parents[2]
SETTINGS = """
[connections.pbx-ami]
type = "ami"
endpoints = ["ami://127.0.0.1:{ports.ami}"]
username = "monitor"
password = "secret-of-monitor"
[connections.desk-tcp]
type = "sip"
endpoints = ["sip:127.0.0.1:{ports.tcp};transport=tcp"]
aor = "sip:6001@127.0.0.1"
username = "6001"
password = "secret-of-6001"
"""
LINE_COLOUR = b"38;5;"
"""The beginning of one of 256 colours, where the 16 million would be `38;2;`."""


@pytest.fixture
def settings(asterisk: Asterisk, tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(SETTINGS.format(ports=asterisk.ports))
    path.chmod(0o600)
    return path


@pytest.fixture
def ssh(machine: None, tmp_path: Path) -> Iterator[SshServer]:
    folder = tmp_path / "ssh"
    folder.mkdir()
    with SshServer(folder) as server:
        yield server


def program(settings: Path) -> list[str]:
    return [sys.executable, "-m", "tui", "--config", str(settings)]


def environment(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}


def manager_sessions(asterisk: Asterisk) -> int:
    """Return how many are logged in to the manager interface now."""
    return asterisk.cli("manager show connected").count("127.0.0.1")


def logins(asterisk: Asterisk) -> int:
    return asterisk.log.count("Manager 'monitor' logged on")


async def test_over_ssh_it_shows_itself_obeys_a_key_and_ends_with_the_client(
    ssh: SshServer, asterisk: Asterisk, settings: Path, tmp_path: Path
) -> None:
    command = ssh.login(program(settings), environment(tmp_path))
    terminal = Terminal(command, {"PATH": os.environ["PATH"], "TERM": "xterm-256color"}, (120, 40))
    try:
        await terminal.shows("2 up")
        await terminal.shows("Asterisk 22")
        assert LINE_COLOUR in terminal.written
        assert b"38;2;" not in terminal.written
        assert len(asterisk.contacts("6001")) == 1
        before = logins(asterisk)
        # The first row is the SIP one; the last is Asterisk's manager interface.
        terminal.press("Gr")
        await until(lambda: logins(asterisk) == before + 1)
        await terminal.shows("2 up")
        os.kill(terminal.pid, signal.SIGKILL)
        killed = time.monotonic()
        await until(lambda: asterisk.contacts("6001") == [] and manager_sessions(asterisk) == 0)
        assert time.monotonic() - killed < 5
    finally:
        terminal.close()


async def test_in_tmux_it_shows_itself_obeys_a_key_and_gives_the_pane_back(
    asterisk: Asterisk, settings: Path, tmp_path: Path
) -> None:
    pane = Pane(tmp_path / "tmux", environment(tmp_path))
    try:
        pane.press(" ".join(program(settings)), "Enter")
        await until(lambda: "2 up" in pane.text and "Asterisk 22" in pane.text)
        assert "\x1b[38;5;" in pane.coloured or "\x1b[38;2;" in pane.coloured
        asterisk.kill()
        await until(lambda: "refuses" in pane.text, 60)
        asterisk.launch()
        await until(lambda: "2 up" in pane.text, 60)
        before = logins(asterisk)
        pane.press("G", "r")
        await until(lambda: logins(asterisk) == before + 1)
        pane.press("q")
        await until(lambda: "q again quits" in pane.text)
        pane.press("q")
        await until(lambda: "healthy" not in pane.text and "Events" not in pane.text)
        assert asterisk.contacts("6001") == []
        assert manager_sessions(asterisk) == 0
    finally:
        pane.close()


class Pane:
    """A shell in a tmux of the test's own."""

    def __init__(self, place: Path, environment: dict[str, str]) -> None:
        self._place = place
        self._environment = environment | {"PATH": os.environ["PATH"], "TERM": "xterm-256color"}
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", "120", "-y", "40", "/bin/sh")

    def _tmux(self, *words: str) -> str:
        command = ["tmux", "-S", str(self._place), *words]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=True)
        return done.stdout

    def press(self, *keys: str) -> None:
        self._tmux("send-keys", *keys)

    @property
    def text(self) -> str:
        return self._tmux("capture-pane", "-p")

    @property
    def coloured(self) -> str:
        return self._tmux("capture-pane", "-e", "-p")

    def close(self) -> None:
        self._tmux("kill-server")
