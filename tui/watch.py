"""`trunkline watch`: the manager without a screen; each event is one line of JSON on stdout."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

from manager.client import Reload
from manager.embedded import EmbeddedClient
from manager.errors import ManagerGoneError, TrunklineError
from manager.model import Position
from manager.outputs.jsonlines import line_of

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)

LAST_WORDS = 1.0
"""Seconds that a reader has to take the events of the end."""


def watch(client: EmbeddedClient, seconds: float | None) -> int:
    """Print events until a signal comes, stdout is closed, or `seconds` have passed; return the exit code.

    The manager runs in a thread of its own: a pipe that is not read delays no heartbeat.
    """
    printer = _Printer(client)
    # With a terminal, SIGHUP says that it has gone; a service without one is asked to read its settings anew.
    reloads = not _has_terminal()
    with _signals_interrupt():
        client.start()
        with suppress(KeyboardInterrupt, BrokenPipeError):
            asyncio.run(printer.follow(seconds, reloads=reloads))
    client.stop()
    with suppress(KeyboardInterrupt, BrokenPipeError), _signals_interrupt():
        signal.setitimer(signal.ITIMER_REAL, LAST_WORDS)
        printer.rest()
    signal.setitimer(signal.ITIMER_REAL, 0)
    _leave_stdout()
    return 1 if printer.lost else 0


class _Printer:
    def __init__(self, client: EmbeddedClient) -> None:
        self.lost = False
        """Whether the manager ended by itself."""
        self._client = client
        self._position = Position("", 0)
        self._asked_anew = asyncio.Event()
        """Whether the settings are to be read anew."""

    async def follow(self, seconds: float | None, *, reloads: bool) -> None:
        """Print events as they come; where it `reloads`, SIGHUP has the settings read anew."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                if reloads:
                    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._asked_anew.set)
                reloading = asyncio.create_task(self._reload_when_asked())
                try:
                    await self._print_all()
                except ManagerGoneError as error:
                    self.lost = True
                    sys.stderr.write(f"trunkline: {error}\n")
                finally:
                    reloading.cancel()
                    await asyncio.wait([reloading])

    async def _reload_when_asked(self) -> None:
        while True:
            await self._asked_anew.wait()
            self._asked_anew.clear()
            try:
                await self._client.command(Reload())
            except TrunklineError as error:
                sys.stderr.write(f"trunkline: {error}; nothing has changed\n")

    async def _print_all(self) -> None:
        snapshot = await self._client.snapshot()
        self._position = Position(snapshot.position.epoch, 0)
        while True:
            batch, self._position = await self._client.next_events(self._position)
            for event in batch:
                sys.stdout.write(f"{line_of(event)}\n")
            sys.stdout.flush()

    def rest(self) -> None:
        """Print what happened while the connections were closed."""
        for event in self._client.remaining(self._position):
            sys.stdout.write(f"{line_of(event)}\n")
        sys.stdout.flush()


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Let signals raise at once, also within a write that blocks."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        del number, frame
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def _leave_stdout() -> None:
    """Let go of stdout: what a reader did not take by now must neither block the end nor fail it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
