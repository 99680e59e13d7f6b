"""A server program in a Debian system: started, killed, stopped, frozen and thawed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from contextlib import ExitStack
from pathlib import Path

from tests.real.authority import Authority
from tests.real.cable import FAR, Cable
from tests.real.debian import System

DEADLINE = 20.0
"""Seconds that a server gets to do what usually takes half of one."""


class Server(ABC):
    """One run of a server, with configuration, state and log in a folder of its own.

    It listens on the loopback, or at the far end of a cable.
    """

    def __init__(
        self, system: System, name: str, uid: int, authority: Authority, cable: Cable | None = None
    ) -> None:
        self.system = system
        self.host = FAR if cable else "127.0.0.1"
        self._where = cable.inside if cable else []
        self._uid = uid
        self._process: subprocess.Popen[bytes] | None = None
        _remove_leftovers(system.root / "tmp")
        self.folder = system.root / "tmp" / f"{name}-{os.getpid()}-{random.randrange(1 << 32):08x}"
        self.folder.mkdir(mode=0o700)
        self.inside = Path("/", self.folder.relative_to(system.root))
        """The same folder as the server sees it."""
        shutil.copy(authority.server.certificate, self.folder / "server.pem")
        shutil.copy(authority.server.key, self.folder / "server.key")

    @staticmethod
    @abstractmethod
    def version() -> str:
        """Return what the program calls itself, with its version."""

    @property
    @abstractmethod
    def command(self) -> list[str]:
        """The command that runs the server in the foreground."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether the server that was started answers by now."""

    @property
    def log(self) -> str:
        """What the server has printed and logged."""
        files = sorted(self.folder.glob("log/*"))
        return "".join(file.read_text(errors="replace") for file in files if file.is_file())

    def start(self) -> None:
        """Start the server and return when it answers."""
        self.launch()
        deadline = time.monotonic() + DEADLINE
        while not self.is_ready():
            if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.command[0]} did not start:\n{self.log[-4000:]}")
            time.sleep(0.02)

    def launch(self) -> None:
        """Start the server and return at once. It dies with the thread that calls this."""
        assert self._process is None, "it runs already"
        (self.folder / "log").mkdir(exist_ok=True)
        self._hand_over()
        identity = [f"--reuid={self._uid}", f"--regid={self._uid}", "--clear-groups", "--pdeathsig=KILL"]
        with (self.folder / "log" / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [*self._where, "chroot", str(self.system.root), "setpriv", *identity, *self.command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def kill(self) -> None:
        """End the server as a power cut would: no word to anyone."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End the server as an administrator does."""
        self._end(signal.SIGTERM)

    def restart(self) -> None:
        """Kill the server and start it again."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """Hang the server: the kernel goes on accepting connections and acknowledging bytes.

        Returns when the last of its threads stands still; the signal alone leaves them a moment.
        """
        self._signal(signal.SIGSTOP)
        deadline = time.monotonic() + DEADLINE
        while not self._stands_still():
            assert time.monotonic() < deadline, "the server does not stop"
            time.sleep(0.001)

    def thaw(self) -> None:
        """Let a hung server go on."""
        self._signal(signal.SIGCONT)

    def remove(self) -> None:
        """Kill the server if it runs, and remove its folder."""
        if self._process is not None and self._process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder)

    def write(self, files: dict[str, str]) -> None:
        """Write configuration files, by their path in the server's folder."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def _hand_over(self) -> None:
        for path in [self.folder, *self.folder.rglob("*")]:
            os.chown(path, self._uid, self._uid)

    def _stands_still(self) -> bool:
        assert self._process is not None, "it does not run"
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if os.getpgid(int(process.name)) == self._process.pid:
                    threads = [_state(thread) for thread in process.glob("task/*/stat")]
                    if set(threads) - {"T", "Z"}:
                        return False
            except (ProcessLookupError, FileNotFoundError):
                continue
        return True

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "it does not run"
        os.killpg(self._process.pid, number)

    def _end(self, number: signal.Signals) -> None:
        assert self._process is not None, "it does not run"
        self._signal(number)
        try:
            self._process.wait(DEADLINE)
        finally:
            if self._process.poll() is None:
                self._signal(signal.SIGKILL)
                self._process.wait()
            self._process = None


def _state(thread: Path) -> str:
    """Return the letter of a thread's state (proc(5), /proc/pid/stat): `T` is stopped."""
    return thread.read_text().rpartition(")")[2].split()[0]


def _remove_leftovers(folder: Path) -> None:
    """Remove what runs that were killed have left; their number is in the name."""
    for left in folder.iterdir():
        if not Path("/proc", left.name.split("-")[1]).exists():
            shutil.rmtree(left, ignore_errors=True)


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback that are free for TCP and UDP.

    They lie below those that the kernel gives to clients: a client that tries again and again to reach a dead
    server there could at last be given the server's own port, and be connected to itself.
    """
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(15000, 32000)
        if port not in found and _is_free(port):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with ExitStack() as stack:
        try:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                stack.enter_context(socket.socket(socket.AF_INET, kind)).bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
