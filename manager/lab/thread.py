"""The lab in a thread with a loop of its own, so that a screen that is held up holds no server up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self

from manager.lab.lab import Lab

_STOP_TIMEOUT = 5.0


class LabThread:
    """Runs a lab from when it is entered until it is left."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._started = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="lab", daemon=True)

    def __enter__(self) -> Self:
        """Start the servers; return once all of them listen.

        Raises:
            OSError: one of them cannot.
        """
        self._thread.start()
        self._started.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the servers.

        Raises:
            Exception: the lab or what was begun in it has a defect; not raised over an error under way.
        """
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(_STOP_TIMEOUT)
        if self._error is not None and error is None:
            raise self._error

    def begin(self, work: Callable[[Lab], Coroutine[Any, Any, None]]) -> None:
        """Begin a coroutine of the lab in the lab's thread; it ends with the lab at the latest.

        Raises:
            RuntimeError: the lab has ended.
        """
        if self._loop is None:
            raise RuntimeError("the lab has not started")
        self._loop.call_soon_threadsafe(self._begin, work)

    def _begin(self, work: Callable[[Lab], Coroutine[Any, Any, None]]) -> None:
        task = asyncio.get_running_loop().create_task(work(self._lab))
        self._tasks.add(task)
        task.add_done_callback(self._forget_if_sound)

    def _forget_if_sound(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is None:
            self._tasks.discard(task)

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except Exception as error:  # noqa: BLE001 - handed to the thread that enters or leaves
            self._error = error
        finally:
            self._started.set()

    async def _main(self) -> None:
        async with self._lab:
            self._loop = asyncio.get_running_loop()
            self._started.set()
            await self._stopping.wait()
            tasks = tuple(self._tasks)
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
