"""An SSH server of the test's own, on the loopback, and the client's command to log in there."""

from __future__ import annotations

import getpass
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tests.real.server import DEADLINE, free_ports

_SETTINGS = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
"""


class SshServer:
    """Knows one key, and takes no other; ends with the test."""

    def __init__(self, folder: Path) -> None:
        self.port = free_ports(1)[0]
        self._folder = folder
        for name in ("host", "user"):
            key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.run(key, check=True)
        host = (folder / "host.pub").read_text()
        (folder / "known").write_text(f"[127.0.0.1]:{self.port} {host}")
        (folder / "settings").write_text(_SETTINGS.format(port=self.port, folder=folder))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        # It starts itself anew for each client and wants its whole path for that.
        program = shutil.which("sshd")
        assert program, "tests/real/debian.py installs it"
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        command = [program, "-D", "-e", "-f", str(self._folder / "settings")]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._wait()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(DEADLINE)

    def _wait(self) -> None:
        end = time.monotonic() + DEADLINE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                assert time.monotonic() < end, (self._folder / "log").read_text()
                time.sleep(0.05)
            else:
                return

    def login(self, command: Sequence[str], environment: dict[str, str]) -> list[str]:
        """Return the command that runs another one over SSH, on a terminal there."""
        there = shlex.join(["env", *(f"{name}={text}" for name, text in environment.items()), *command])
        options = ["-F", "none", "-tt", "-p", str(self.port), "-i", str(self._folder / "user")]
        options += ["-o", f"UserKnownHostsFile={self._folder / 'known'}", "-o", "BatchMode=yes"]
        return ["ssh", *options, f"{getpass.getuser()}@127.0.0.1", there]
