"""A program on a pseudo-terminal of 120 by 40 with all colours: what it writes, and what it takes."""

from __future__ import annotations

import fcntl
import os
import pty
import resource
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.grid import Grid

ROOT = Path(__file__).parents[1]
PAGE = resource.getpagesize()
TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE = 120.0
QUIET = 2.0
"""Seconds without a byte after which a screen has settled."""


class Screen:
    """A program, read as fast as it writes."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str] | None = None, *, fds: Sequence[int] = ()
    ) -> None:
        self.written = 0
        """Bytes, in all."""
        self._unread = bytearray()
        self._grid = Grid(120, 40)
        self.last_byte = time.monotonic()
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
        kept |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
        self.began = time.monotonic()
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=kept | dict(environment or {}),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            pass_fds=fds,
        )
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            end = time.monotonic() + 10
            while self._process.poll() is None and time.monotonic() < end:
                self.read(0.1)
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._master)

    def read(self, seconds: float) -> None:
        """Read what comes within some seconds."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not self._read_some(left):
                return

    def _read_some(self, within: float) -> bool:
        if not select.select([self._master], [], [], within)[0]:
            return True
        try:
            chunk = os.read(self._master, 1 << 20)
        except OSError:
            return False
        self.last_byte = time.monotonic()
        self.written += len(chunk)
        self._unread += chunk
        return True

    @property
    def text(self) -> str:
        """What stands on the screen."""
        self._grid.feed(bytes(self._unread))
        self._unread.clear()
        return "\n".join(self._grid.text)

    def until(self, condition: Callable[[], bool], within: float = PATIENCE) -> float:
        """Read until a condition holds; return the seconds that the program has been running then."""
        end = time.monotonic() + within
        while not condition():
            if time.monotonic() > end or self._process.poll() is not None:
                raise RuntimeError(f"the screen did not come to it:\n{self.text}")
            self._read_some(0.05)
        return time.monotonic() - self.began

    def shows(self, words: str, within: float = PATIENCE) -> float:
        return self.until(lambda: words in self.text, within)

    def settled(self) -> None:
        self.until(lambda: time.monotonic() - self.last_byte > QUIET)

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def cpu(self, thread: bool = False) -> float:
        """Return the seconds of CPU that the process has taken, or its main thread alone."""
        own = f"task/{self._process.pid}/" if thread else ""
        fields = Path(f"/proc/{self._process.pid}/{own}stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    @property
    def memory(self) -> int:
        """Bytes that are resident."""
        return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * PAGE

    def spent(self, seconds: float) -> Spent:
        """Read for some seconds; return what it wrote and took, a second."""
        began, written, cpu, own = time.monotonic(), self.written, self.cpu(), self.cpu(thread=True)
        self.read(seconds)
        taken = time.monotonic() - began
        return Spent(
            (self.written - written) / taken,
            (self.cpu() - cpu) / taken,
            (self.cpu(thread=True) - own) / taken,
        )


class Spent:
    """A second of a program, on the average."""

    def __init__(self, bytes_written: float, cpu: float, drawing: float) -> None:
        self.bytes = bytes_written
        self.cpu = cpu
        """Share of a core, of the whole process."""
        self.drawing = drawing
        """Of its main thread alone, which draws."""
