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

from manager.embedded import EmbeddedClient
from manager.errors import ManagerGoneError
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
    with _signals_interrupt():
        client.start()
        with suppress(KeyboardInterrupt, BrokenPipeError):
            asyncio.run(printer.follow(seconds))
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

    async def follow(self, seconds: float | None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                try:
                    await self._print_all()
                except ManagerGoneError as error:
                    self.lost = True
                    sys.stderr.write(f"trunkline: {error}\n")

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


def _leave_stdout() -> None:
    """Let go of stdout: what a reader did not take by now must neither block the end nor fail it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
