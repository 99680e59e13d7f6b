"""The dashboard as it is used: over SSH and in tmux, on a real Asterisk."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from tests.real.asterisk import Asterisk
from tests.real.connections import until
from tests.real.pane import Pane
from tests.real.program import environment, logins, manager_sessions, program
from tests.real.ssh import SshServer
from tests.terminal import Terminal

LINE_COLOUR = b"38;5;"
"""The beginning of one of 256 colours, where the 16 million would be `38;2;`."""


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
