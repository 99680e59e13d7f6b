"""Peeks: a bare look, without credentials, at whether a place that is waited for answers again.

A place is a host with a port and a transport. While connections wait for it, one of their drivers looks
once a second in the first minute of an outage and then every five seconds, however many wait. A place that
turns from failing to answering ends their waits, each once; the attempt of its own that follows keeps its
number.

Nobody peeks after a failure past the connect: a server that hangs accepts connections too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from manager.drivers.base import DriverError
from manager.endpoint import Endpoint
from manager.engine.clock import Clock
from manager.engine.deadline import Deadline, obey_cancellation
from manager.model import Failure, Stage
from manager.trace import frames_of

log = logging.getLogger(__name__)

INTERVAL = 1.0
"""Seconds between two looks at a place…"""
SLOW_AFTER = 60.0
"""…which become more after this many of an outage."""
SLOW_INTERVAL = 5.0
PEEK_TIMEOUT = 1.0
"""Seconds that one look may take."""
SETTLE = 0.25
"""Seconds from the answer to the end of the waits: Asterisk listens 0.15 s before it takes logins."""

_PAST_CONNECT = (Stage.SECRET, Stage.TLS, Stage.HANDSHAKE, Stage.LOGIN)

Place = tuple[str, int | None, str]


class Waiting(Protocol):
    """One connection that waits, as a peek reaches it."""

    @property
    def name(self) -> str:
        """Name of the connection."""

    async def peek(self, endpoint: Endpoint) -> None:
        """Look at an endpoint; raise where there is no sign of life."""

    def sees_answer(self, at: float) -> None:
        """Take in that the place answers again; the wait may end at `at` on the monotonic clock."""


class Peeks:
    """The looks at every place that is waited for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._places: dict[Place, _Look] = {}
        self._ending: set[asyncio.Task[None]] = set()

    @contextmanager
    def awaited(self, endpoint: Endpoint, failure: Failure, waiting: Waiting) -> Iterator[None]:
        """Look at an endpoint for one that waits, where what ended its last try allows it."""
        if failure.stage in _PAST_CONNECT:
            yield
            return
        look = self._places.setdefault(_place(endpoint), _Look(self._clock, endpoint))
        look.join(waiting, failing=failure.stage in (Stage.LOOKUP, Stage.CONNECT))
        try:
            yield
        finally:
            ended = look.leave(waiting)
            if ended is not None:
                self._ending.add(ended)
                ended.add_done_callback(self._ending.discard)

    def is_up(self, endpoint: Endpoint) -> None:
        """Note that a session is up at an endpoint: its outage is over."""
        look = self._places.get(_place(endpoint))
        if look is not None:
            look.begin_anew()
            if not look.awaited:
                del self._places[_place(endpoint)]

    async def stop(self) -> None:
        """Return when no look is under way any more; nobody waits by then."""
        if self._ending:
            await asyncio.wait(tuple(self._ending))


def _place(endpoint: Endpoint) -> Place:
    return endpoint.host, endpoint.port, endpoint.transport


class _Look:
    """The looks at one place: a task for as long as somebody waits, and what it saw last for longer."""

    def __init__(self, clock: Clock, endpoint: Endpoint) -> None:
        self._clock = clock
        self._endpoint = endpoint
        self._waiting: dict[str, Waiting] = {}
        self._task: asyncio.Task[None] | None = None
        self._failing = False
        """Whether the last try or look failed."""
        self._since: float | None = None
        """When somebody first waited in this outage."""
        self._next_at = 0.0
        self._eye = Eye()

    @property
    def awaited(self) -> bool:
        """Whether anybody waits."""
        return bool(self._waiting)

    def join(self, waiting: Waiting, *, failing: bool) -> None:
        """Look for one more; `failing` where its own try has just shown that the place does not answer."""
        now = self._clock.monotonic()
        if self._since is None:
            self._since = now
            self._next_at = now + INTERVAL if failing else now
        self._failing = self._failing or failing
        self._waiting[waiting.name] = waiting
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"peek at {self._endpoint.label}")

    def leave(self, waiting: Waiting) -> asyncio.Task[None] | None:
        """Forget one; return the task that ends, where it was the last."""
        self._waiting.pop(waiting.name, None)
        if self._waiting or self._task is None:
            return None
        task, self._task = self._task, None
        task.cancel()
        return task

    def begin_anew(self) -> None:
        """Forget the outage."""
        self._failing = False
        self._since = self._clock.monotonic() if self._waiting else None

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._next_at - self._clock.monotonic())
            if self._next_at > self._clock.monotonic():
                continue
            self._next_at = self._clock.monotonic() + self._interval()
            one = next(iter(self._waiting.values()))
            answers = await self._eye.sees(self._endpoint, one.peek, PEEK_TIMEOUT)
            turned = answers and self._failing
            self._failing = not answers
            if turned:
                at = self._clock.monotonic() + SETTLE
                for waiting in tuple(self._waiting.values()):
                    waiting.sees_answer(at)

    def _interval(self) -> float:
        started = self._since if self._since is not None else self._clock.monotonic()
        return INTERVAL if self._clock.monotonic() < started + SLOW_AFTER else SLOW_INTERVAL


class Eye:
    """Sees whether an endpoint answers; a mistake of the driver is logged once and counts for no answer."""

    __slots__ = ("_raised",)

    def __init__(self) -> None:
        self._raised = False

    async def sees(
        self, endpoint: Endpoint, peek: Callable[[Endpoint], Awaitable[None]], limit: float
    ) -> bool:
        """Return whether a peek at an endpoint succeeds within `limit` seconds."""
        answers = False
        try:
            async with Deadline(limit):
                await peek(endpoint)
        except (DriverError, OSError, UnicodeError):  # a timeout is an OSError
            pass
        except Exception as error:  # noqa: BLE001 - a driver's mistake costs the peek
            if not self._raised:
                log.error("peeking at %s raised %s", endpoint.label, frames_of(error))
            self._raised = True
        else:
            answers = True
        obey_cancellation()
        return answers
