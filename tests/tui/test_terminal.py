"""In a real terminal (a pty): ended by signals, held up by one that does not read, quiet otherwise."""

from __future__ import annotations

import errno
import fcntl
import inspect
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from textual.drivers.linux_driver import LinuxDriver

from tui import watchdog
from tui.driver import ThriftyDriver

pytestmark = pytest.mark.waits

ROOT = Path(__file__).parents[2]
NEARLY_FULL = 20
"""Writes that wait for the terminal; at thirty Textual's loop stands still."""
LEAVES_THE_ALTERNATE_SCREEN = b"\x1b[?1049l"


class Terminal:
    """A program in a terminal of 120 by 40."""

    def __init__(self, folder: Path, story: str, *, within: Sequence[str] = ()) -> None:
        self.folder = folder
        self.output = b""
        self.code: int | None = None
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.pid = os.fork()
        if not self.pid:
            os.login_tty(slave)
            os.chdir(ROOT)
            os.environ["PYTHONPATH"] = str(ROOT)
            os.environ.pop("PYTHONUNBUFFERED", None)
            program = str(Path(__file__).with_name("terminal_program.py"))
            words = [*within, sys.executable, program, str(folder), story]
            os.execvp(words[0], words)
        os.close(slave)

    def read(self, seconds: float = 0.05) -> int:
        """Read what is there; return how many bytes there were."""
        if self.master < 0 or not select.select([self.master], [], [], seconds)[0]:
            return 0
        try:
            text = os.read(self.master, 65536)
        except OSError:
            return 0
        self.output += text
        return len(text)

    def until(self, condition: Callable[[], bool], *, reading: bool = True, within: float = 60.0) -> None:
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, self.output[-2000:]
            if reading:
                self.read()
            else:
                time.sleep(0.02)

    def until_quiet(self) -> None:
        """Wait until nothing has been written for longer than anything that ticks takes.

        That is counted in turns of the program's own loop: a slow one must not be taken for a quiet one.
        """
        beats: set[str] = set()

        def quiet() -> bool:
            if self.read(0.02):
                beats.clear()
            beats.add(self.trace("beat"))
            return len(beats) > 60

        self.until(quiet, reading=False)

    def ended(self) -> bool:
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code is not None

    def trace(self, name: str) -> str:
        try:
            return (self.folder / name).read_text()
        except FileNotFoundError:
            return ""

    def frozen(self) -> bool:
        """Whether the loop has left no trace for a while, and the last one before a queue that is full."""
        beat, waiting = self.trace("beat"), int(self.trace("waiting") or 0)
        return bool(beat) and waiting >= NEARLY_FULL and time.monotonic() - float(beat) > 1.0

    def hang_up(self) -> None:
        if self.master >= 0:
            os.close(self.master)
            self.master = -1

    def close(self) -> None:
        if not self.ended():
            os.killpg(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self.hang_up()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Terminal]]:
    started = []

    def start_one(story: str, *, within: Sequence[str] = ()) -> Terminal:
        started.append(Terminal(tmp_path, story, within=within))
        return started[-1]

    yield start_one
    for terminal in started:
        terminal.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_program_in_good_order_and_gives_the_screen_back(start, number):
    terminal = start("calm")
    terminal.until(lambda: b"desk" in terminal.output)
    os.kill(terminal.pid, number)
    terminal.until(terminal.ended)
    while terminal.read():
        pass
    assert terminal.code == 128 + number
    assert terminal.trace("ended") == "in good order"
    assert terminal.trace("gave_up") == ""
    assert LEAVES_THE_ALTERNATE_SCREEN in terminal.output
    assert terminal.output.rindex(b"\x1b[?25h") > terminal.output.rindex(b"\x1b[?25l")
    assert termios.tcgetattr(terminal.master)[3] == terminal.before[3]


def test_a_terminal_that_does_not_read_does_not_keep_the_program_from_ending(start):
    terminal = start("flood")
    terminal.until(lambda: b"desk" in terminal.output)
    terminal.until(terminal.frozen, reading=False)
    os.kill(terminal.pid, signal.SIGTERM)
    terminal.until(terminal.ended, reading=False)
    assert terminal.code == 128 + signal.SIGTERM
    assert terminal.trace("gave_up") == "last words"
    assert terminal.trace("ended") == ""
    while terminal.read():
        pass
    assert LEAVES_THE_ALTERNATE_SCREEN in terminal.output[-200:]


def test_a_busy_program_goes_on_while_its_terminal_does_not_read_and_shows_the_newest_once_it_does(start):
    terminal = start("busy")
    terminal.until(lambda: b"desk" in terminal.output)
    terminal.until(lambda: int(terminal.trace("waiting") or 0) >= 8, reading=False)
    beats: set[str] = set()

    def gone_on() -> bool:
        beats.add(terminal.trace("beat"))
        # It draws fast enough here to have filled the queue long before, if it went on drawing.
        assert int(terminal.trace("waiting")) < NEARLY_FULL
        return len(beats) > 50

    terminal.until(gone_on, reading=False)
    terminal.until(lambda: terminal.trace("waiting") == "0")
    terminal.until(lambda: b"slow terminal" in terminal.output)


def test_last_words_that_do_not_come_to_an_end_are_not_waited_for(start):
    terminal = start("stuck")
    terminal.until(lambda: b"desk" in terminal.output)
    terminal.until(terminal.frozen, reading=False)
    os.kill(terminal.pid, signal.SIGTERM)
    terminal.until(terminal.ended, reading=False)
    assert terminal.code == 128 + signal.SIGTERM


def test_an_end_that_is_forced_takes_less_than_the_five_seconds_that_are_promised():
    grace = inspect.signature(watchdog.Watchdog).parameters["grace"].default
    assert grace + watchdog._LAST_WORDS + watchdog._TRIES * watchdog._PAUSE < 5


def test_a_terminal_that_goes_away_ends_the_program(start):
    terminal = start("calm")
    terminal.until(lambda: b"desk" in terminal.output)
    terminal.hang_up()
    terminal.until(terminal.ended, reading=False)
    assert terminal.code == 128 + signal.SIGHUP


def test_a_terminal_whose_end_is_seen_late_does_not_kill_what_ended_in_good_order(monkeypatch):
    class Late:
        def register(self, descriptor: int, events: int) -> None:
            if events:
                self.pipe = descriptor

        def unregister(self, descriptor: int) -> None:
            assert descriptor == 0

        def poll(self) -> list[tuple[int, int]]:
            select.select([self.pipe], [], [])
            return [(0, select.POLLHUP), (self.pipe, select.POLLIN)]

    monkeypatch.setattr(watchdog, "_terminal_attributes", list)
    monkeypatch.setattr(select, "poll", Late)
    told = []
    before = signal.signal(signal.SIGHUP, lambda number, _: told.append(number))
    try:
        with watchdog.Watchdog(lambda: None):
            pass
        os.kill(os.getpid(), signal.SIGHUP)  # as the kernel's own may come only now
    finally:
        signal.signal(signal.SIGHUP, before)
    assert not told


def test_reading_keys_from_a_terminal_that_has_gone_is_no_failure_of_the_dashboard(monkeypatch):
    def gone(_: LinuxDriver) -> None:
        raise OSError(told, os.strerror(told))

    monkeypatch.setattr(LinuxDriver, "run_input_thread", gone)
    driver = object.__new__(ThriftyDriver)
    told = errno.EIO
    driver.run_input_thread()
    told = errno.EBADF
    with pytest.raises(OSError, match="descriptor"):
        driver.run_input_thread()


def test_a_terminal_that_goes_away_ends_the_program_under_a_script_that_alone_is_told(start):
    # As `make`, `sudo` and `script` do, it waits for what it runs and hands no SIGHUP on.
    terminal = start("calm", within=("sh", "-c", 'trap : HUP; "$@"; exit $?', "sh"))
    terminal.until(lambda: b"desk" in terminal.output)
    terminal.hang_up()
    terminal.until(terminal.ended, reading=False)
    assert terminal.trace("ended") == "in good order"
    assert terminal.code == 128 + signal.SIGHUP


def test_a_terminal_that_reads_again_goes_on_where_it_was(start):
    terminal = start("flood")
    terminal.until(lambda: b"desk" in terminal.output)
    terminal.until(terminal.frozen, reading=False)
    terminal.until(lambda: not terminal.frozen())
    assert not terminal.ended()


def test_nothing_is_written_while_nothing_happens(start):
    terminal = start("calm")
    terminal.until(lambda: b"desk" in terminal.output)
    terminal.until_quiet()
    for key, words in ((b"\r", b"Endpoints"), (b"w", b"nothing was sent"), (b"h", b"What cost it")):
        os.write(terminal.master, key)
        terminal.until(lambda words=words: words in terminal.output)
        terminal.until_quiet()
        terminal.output = b""
        os.write(terminal.master, b"\x1b")
        terminal.until(lambda: b"Events" in terminal.output)
