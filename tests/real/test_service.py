"""The service on a real Asterisk: registrations outlive everything that looks at them."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from manager.service import units
from tests.real.asterisk import Asterisk
from tests.real.connections import until
from tests.real.pane import Pane
from tests.real.program import environment, logins, manager_sessions, program
from tests.real.ssh import SshServer
from tests.terminal import Terminal


@pytest.fixture
def home(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of service and dashboards; the path of a socket has to be short."""
    runtime = tempfile.mkdtemp(prefix="tl-")
    yield environment(tmp_path) | {"XDG_RUNTIME_DIR": runtime, "PATH": os.environ["PATH"]}
    shutil.rmtree(runtime)


@pytest.fixture
def service(settings: Path, home: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([*program(settings, "serve")], env=home, stderr=subprocess.DEVNULL)
    yield process
    process.kill()
    process.wait()


async def test_registrations_outlive_the_ssh_session_the_terminal_and_the_dashboard(
    service: subprocess.Popen[bytes],
    ssh: SshServer,
    asterisk: Asterisk,
    settings: Path,
    home: dict[str, str],
    tmp_path: Path,
) -> None:
    await until(lambda: len(asterisk.contacts("6001")) == 1 and manager_sessions(asterisk) == 1)
    before = asterisk.contacts("6001"), logins(asterisk)

    def untouched() -> bool:
        return (asterisk.contacts("6001"), logins(asterisk)) == before and manager_sessions(asterisk) == 1

    session = Terminal(ssh.login(program(settings), home), home | {"TERM": "xterm-256color"}, (120, 40))
    pane = Pane(tmp_path / "tmux", home)
    dashboard = Terminal(program(settings), home | {"TERM": "xterm-256color"}, (120, 40))
    try:
        pane.press(shlex.join(program(settings)), "Enter")
        await session.shows("2 up")
        await dashboard.shows("2 up")
        await until(lambda: "2 up" in pane.text)
        assert untouched()
        os.kill(session.pid, signal.SIGKILL)
        os.kill(dashboard.pid, signal.SIGKILL)
    finally:
        session.close()
        dashboard.close()
        pane.close()
    await until(lambda: not others(service.pid, settings))
    assert service.poll() is None
    assert untouched()
    service.terminate()
    await until(lambda: service.poll() is not None)
    assert service.returncode == 0
    assert asterisk.contacts("6001") == []
    assert manager_sessions(asterisk) == 0


def others(service: int, settings: Path) -> list[str]:
    """Return the processes with these settings that are not the service."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if words[0] == sys.executable and str(settings) in words and folder.name != str(service):
            found.append(folder.name)
    return found


@pytest.mark.parametrize(
    ("name", "whose"), [("trunkline.service", "--system"), ("trunkline-user.service", "--user")]
)
def test_systemd_takes_the_unit_files_and_finds_the_system_s_hardened(
    machine: None, tmp_path: Path, name: str, whose: str
) -> None:
    unit = tmp_path / "trunkline.service"
    unit.write_text((files(units) / name).read_text().replace("=trunkline ", f"={sys.executable} -m tui "))
    verified = analyze(unit, whose, "verify", "--man=no")
    assert (verified.returncode, verified.stderr) == (0, "")
    if whose == "--system":
        hardened = analyze(unit, whose, "security", "--offline=true", "--threshold=20")
        assert hardened.returncode == 0, hardened.stdout


def analyze(unit: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *words, str(unit)],
        env={"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(unit.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
