"""Notices that the manager's loop stands still, and who holds it up: a driver or a listener that blocks.

A blocked loop sends no heartbeat and notices nothing by itself, so a thread looks from outside. It puts a
beat on the loop and looks twice a second whether it came back. Only its own looks are counted, so that a
machine or a process that was asleep is not taken for a loop that stands still. While it does, the stack of
the loop's thread says where, and the name of the running task which connection; both go to the log at once,
and to the loop once it turns again.

Code that blocks without letting go of the interpreter is noticed too, but only once it is over.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import sysconfig
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

log = logging.getLogger(__name__)

INTERVAL = 0.5
"""Seconds from one look to the next."""
PATIENCE = 3
"""Looks in a row that a beat may be away."""
_JOIN = 1.0
"""Seconds that the thread gets to end; it may be in a log that nobody reads."""
_LIBRARY = sysconfig.get_path("stdlib")


@dataclass(frozen=True, slots=True)
class Stall:
    """A loop that stood still."""

    seconds: float
    """How long, as of now."""
    connection: str
    """Whose task was running; empty where it was nobody's."""
    where: str
    """The innermost line outside of Python's own library: `ping/driver.py:41 in heartbeat`."""


class Watchdog:
    """Watches the running loop from a thread of its own."""

    def __init__(self, turned: Callable[[Stall], None]) -> None:
        """Prepare.

        Args:
            turned: called on the loop once it turns again after it stood still.
        """
        self._turned = turned
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watched = 0
        """The thread of the loop."""
        self._sent = 0.0
        """When the beat that is away was put on the loop."""
        self._away = False
        self._stall: Stall | None = None
        """What was seen while the beat is away."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="manager's watchdog", daemon=True)

    def start(self) -> None:
        """Watch the loop that runs here."""
        self._loop = asyncio.get_running_loop()
        self._watched = threading.get_ident()
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer; the thread has ended when this returns."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(_JOIN)

    def _watch(self) -> None:
        looks = 0
        while not self._over.wait(INTERVAL):
            if not self._away:
                looks = 0
                if not self._send():
                    return
                continue
            if self._loop is None or self._loop.is_closed():  # with the beat still on it
                return
            looks += 1
            if looks == PATIENCE:
                self._stall = self._look()

    def _send(self) -> bool:
        assert self._loop is not None  # noqa: S101 - it is watched from `start` on
        self._sent, self._away, self._stall = time.monotonic(), True, None
        try:
            self._loop.call_soon_threadsafe(self._back)
        except RuntimeError:  # the loop is closed
            return False
        return True

    def _back(self) -> None:
        stall, self._stall = self._stall, None
        seconds = time.monotonic() - self._sent
        self._away = False
        if stall is not None and not self._over.is_set():
            log.critical("the manager's loop turns again after %.1f s", seconds)
            self._turned(Stall(seconds, stall.connection, stall.where))

    def _look(self) -> Stall | None:
        frame = sys._current_frames().get(self._watched)  # noqa: SLF001 - the documented way to look at a thread
        if frame is None or not self._away:
            return None
        task = asyncio.current_task(self._loop)
        name = "a callback" if task is None else task.get_name()
        stall = Stall(time.monotonic() - self._sent, name.partition(" of ")[2], _where(frame))
        frames = "".join(traceback.format_stack(frame))
        log.critical(
            "the manager's loop has stood still for %.1f s in %s, at %s\n%s",
            stall.seconds,
            name,
            stall.where,
            frames,
        )
        return stall


def _where(innermost: FrameType) -> str:
    frame: FrameType | None = innermost
    while frame is not None and _is_librarys(frame.f_code.co_filename):
        frame = frame.f_back
    found = frame or innermost
    path = Path(found.f_code.co_filename)
    return f"{path.parent.name}/{path.name}:{found.f_lineno} in {found.f_code.co_qualname}"


def _is_librarys(file: str) -> bool:
    return file.startswith((_LIBRARY, "<frozen")) and "site-packages" not in file
