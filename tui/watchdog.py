"""Ends the program on a signal even while a terminal that is not read holds up the main thread."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import sys
import termios
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

log = logging.getLogger(__name__)

_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_LAST_WORDS = 1.5
"""Seconds that `on_give_up` may take."""
_TRIES, _PAUSE = 20, 0.01
_LEAVE = b"\x1b[<u\x1b[?2004l\x1b[?1004l\x1b[?1049l\x1b[?25h"
"""Ends the keyboard protocol, pasting and focus marks, and the alternate screen; shows the cursor."""


class Watchdog:
    """Watches over what runs inside its `with`.

    Python hands a signal to the main thread, and asyncio to its loop. Textual's loop stands still once thirty
    of its writes wait for a terminal that does not read. The interpreter's wake-up descriptor is written to
    by the signal itself, whatever the threads are doing: a thread of its own reads it here. If the `with`
    has not been left `grace` seconds after a signal, that thread calls `on_give_up`, gives the terminal back
    as far as it takes anything, and ends the process with 128 + the signal's number, 5 s after the signal
    at the latest.

    A terminal that goes away counts as SIGHUP. The kernel sends that to the leader of the session alone,
    which may be a `make`, a `sudo` or a script that waits for us. Where we are told, we may be told twice.

    The signals themselves are swallowed here; whoever runs inside catches them to end in good order, with
    `signal.signal`, not with `loop.add_signal_handler`, which takes the wake-up descriptor away.
    """

    def __init__(self, on_give_up: Callable[[], None], grace: float = 3.0) -> None:
        """Prepare; must be entered on the main thread.

        Args:
            on_give_up: closes what must not be left open; called on another thread, given up after 1.5 s.
            grace: seconds that an orderly end may take.
        """
        self._on_give_up = on_give_up
        self._grace = grace
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._read_end = self._write_end = self._earlier_end = -1
        self._earlier: dict[int, Any] = {}
        self._terminal: list[Any] | None = None
        self._gone = False

    def __enter__(self) -> Self:
        self._terminal = _terminal_attributes()
        self._read_end, self._write_end = os.pipe()
        os.set_blocking(self._write_end, False)
        self._earlier_end = signal.set_wakeup_fd(self._write_end, warn_on_full_buffer=False)
        self._earlier = {number: signal.signal(number, _swallow) for number in _ENDING}
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _drop_what_nobody_takes()
        self._over.set()
        os.write(self._write_end, b"\0")
        # Only then: a signal of the thread's own must not come to what was there before.
        self._thread.join()
        for number, handler in self._earlier.items():
            # The kernel may tell later than the terminal looks gone: that must kill nobody who ended well.
            if not (self._gone and number == signal.SIGHUP):
                signal.signal(number, handler)
        signal.set_wakeup_fd(self._earlier_end)
        os.close(self._read_end)
        os.close(self._write_end)

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self._read_end, select.POLLIN)
        if self._terminal is not None:
            # Nothing is asked for: that it is gone is told in any case (poll(2)).
            poll.register(0, 0)
        while True:
            for descriptor, _ in poll.poll():
                if descriptor != self._read_end:
                    poll.unregister(descriptor)
                    self._gone = True
                    os.kill(os.getpid(), signal.SIGHUP)
                elif self._ended():
                    return

    def _ended(self) -> bool:
        """Take the signals that have come; return whether the `with` has been left."""
        for number in os.read(self._read_end, 64):
            if not number:
                return True
            if number in _ENDING and not self._over.wait(self._grace):
                self._give_up(number)
        return False

    def _give_up(self, number: int) -> None:
        last_words = threading.Thread(target=self._close_what_is_open, name="last words", daemon=True)
        last_words.start()
        last_words.join(_LAST_WORDS)
        _give_terminal_back(self._terminal)
        os._exit(128 + number)

    def _close_what_is_open(self) -> None:
        try:
            self._on_give_up()
        except Exception:
            log.exception("closing raised while giving up")


def _swallow(number: int, frame: FrameType | None) -> None:
    """Without a handler the signal would end the process before anything is closed."""


def _drop_what_nobody_takes() -> None:
    """Let go of what a terminal that is gone left in the buffers: it would turn the exit code into 120."""
    for stream in filter(None, (sys.__stdout__, sys.__stderr__)):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def _terminal_attributes() -> list[Any] | None:
    with contextlib.suppress(termios.error, OSError, ValueError):
        return termios.tcgetattr(sys.__stdin__.fileno()) if sys.__stdin__ else None
    return None


def _give_terminal_back(attributes: list[Any] | None) -> None:
    """Restore the terminal as far as it goes without waiting for it."""
    if attributes is None or sys.__stdin__ is None:
        return
    with contextlib.suppress(termios.error, OSError, ValueError):
        # Opened anew, so that not waiting holds for this alone and not for the shell's end as well.
        terminal = os.open(os.ttyname(sys.__stdin__.fileno()), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        _silence_writers()
        termios.tcsetattr(terminal, termios.TCSANOW, attributes)
        for _ in range(_TRIES):
            # What the terminal has not read is thrown away to make room.
            termios.tcflush(terminal, termios.TCOFLUSH)
            with contextlib.suppress(BlockingIOError):
                os.write(terminal, _LEAVE)
                return
            time.sleep(_PAUSE)


def _silence_writers() -> None:
    """Have other threads write to nowhere from now on, also the one whose write waits for the terminal.

    Until that write is over nobody else may write. A signal interrupts it, and Python tries again on the same
    descriptor.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            os.dup2(nowhere, stream.fileno())
    for thread in threading.enumerate():
        if thread.ident is not None and thread is not threading.current_thread():
            signal.pthread_kill(thread.ident, signal.SIGTERM)
