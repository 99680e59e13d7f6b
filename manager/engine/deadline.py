"""Deadlines for a driver's calls, and what keeps a driver from confusing us with cancellations."""

from __future__ import annotations

import asyncio
import logging
from types import TracebackType

from manager.drivers.base import Session
from manager.model import Failure, FailureClass, Stage
from manager.trace import frames_of

log = logging.getLogger(__name__)

CLOSE_TIMEOUT = 3.0
"""Seconds that a session gets to close; a polite close takes 2 at most."""

_SILENCE = {
    Stage.LOOKUP: "the name servers do not answer",
    Stage.CONNECT: "packets are dropped on the way (filtered, banned, host down); over UDP it may also hang",
}


class Cancellation(Exception):  # noqa: N818 - shown as "unexpected Cancellation"
    """A driver raised `CancelledError` though nobody had cancelled it: a library did within."""


class Deadline:
    """Bounds a call of a driver; None for no bound. Used with `async with`.

    A class, because a generator's frames and exceptions hold each other, and with them a dead session.

    Raises:
        TimeoutError: the time is over.
        Cancellation: the call was cancelled, but not by us; let through, it would end our task unnoticed.
    """

    __slots__ = ("_entered", "_timeout")

    def __init__(self, seconds: float | None) -> None:
        self._timeout = asyncio.timeout(seconds)
        self._entered = False

    def strike(self) -> None:
        """End the call that it bounds, if one is under way, as if the time were over."""
        if self._entered:
            self._timeout.reschedule(asyncio.get_running_loop().time())

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()
        self._entered = True

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered = False
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


def too_late(stage: Stage, limit: float) -> Failure:
    """Describe an attempt that did not succeed in `limit` seconds."""
    return Failure(
        kind=FailureClass.TRANSIENT,
        stage=stage,
        reason=f"no answer in {limit:g} s ({stage.value})",
        hint=_SILENCE.get(
            stage, "the server accepts connections but does not answer: it hangs or is overloaded"
        ),
    )


async def close_in_time(session: Session, *, graceful: bool) -> None:
    """Close a session, whatever its driver makes of it."""
    try:
        async with Deadline(CLOSE_TIMEOUT):
            await session.close(graceful=graceful)
    except TimeoutError:
        log.error("a session did not close in %g s", CLOSE_TIMEOUT)
    except Exception as error:  # noqa: BLE001 - a driver's mistake must not stop the next attempt
        log.error("closing a session raised %s", frames_of(error))
