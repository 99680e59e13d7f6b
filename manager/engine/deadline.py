"""A deadline for a driver's call, and what keeps a driver from confusing us with cancellations."""

from __future__ import annotations

import asyncio
from types import TracebackType


class Cancellation(Exception):  # noqa: N818 - shown as "unexpected Cancellation"
    """A driver raised `CancelledError` though nobody had cancelled it: a library did within."""


class Deadline:
    """Bounds a call of a driver; None for no bound. Used with `async with`.

    A class, because a generator's frames and exceptions hold each other, and with them a dead session.

    Raises:
        TimeoutError: the time is over.
        Cancellation: the call was cancelled, but not by us; let through, it would end our task unnoticed.
    """

    def __init__(self, seconds: float | None) -> None:
        self._timeout = asyncio.timeout(seconds)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._timeout.__aexit__(kind, error, trace)
        if kind is asyncio.CancelledError and not was_cancelled():
            raise Cancellation().with_traceback(trace) from None


def was_cancelled() -> bool:
    """Whether the running task was cancelled, also where a driver has swallowed that."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def obey_cancellation() -> None:
    """Raise the cancellation that a driver has swallowed, if it has."""
    if was_cancelled():
        raise asyncio.CancelledError
