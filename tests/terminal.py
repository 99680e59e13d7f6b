"""A pseudo-terminal with a program in it, and what the program has drawn there."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import struct
import subprocess
import termios

from tests.grid import Grid

PATIENCE = 60.0


class Terminal:
    """A pseudo-terminal with the program in it."""

    def __init__(self, arguments: list[str], environment: dict[str, str], size: tuple[int, int]) -> None:
        columns, lines = size
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.written = b""
        self.grid = Grid(columns, lines)
        self.process = subprocess.Popen(
            arguments,
            env=environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(slave, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - only the child can
        )
        self.pid = self.process.pid
        os.set_blocking(self.master, False)

    def read(self) -> None:
        try:
            while chunk := os.read(self.master, 65536):
                self.written += chunk
                self.grid.feed(chunk)
        except (BlockingIOError, OSError):
            return

    @property
    def text(self) -> str:
        """What is on the screen, or was left above it."""
        return "\n".join(self.grid.text)

    async def shows(self, text: str) -> None:
        """Wait until a text stands on the screen."""
        try:
            async with asyncio.timeout(PATIENCE):
                while text not in self.text:
                    self.read()
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"{text!r} was not drawn:\n{self.text}") from None

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    async def ended(self, *, reading: bool = True, within: float = PATIENCE) -> int:
        async with asyncio.timeout(within):
            while (code := self.process.poll()) is None:
                if reading:
                    self.read()
                await asyncio.sleep(0.02)
        if reading:
            self.read()
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)
