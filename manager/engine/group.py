"""What connections that share a fate learn from each other: that one is back, and that one has died.

A group is a host, or what the configuration calls one. Each connection has a `Sibling` here, by which its
supervisor tells what becomes of it and is told of the others:

- Sibling wake: one that comes back up ends the waits of the others, also of those whose attempt was under way
  and then fails. It does so once in an outage: one that drops before it is stable, and has woken somebody,
  tells again only once it is.
- Sibling doubt: one that dies makes the others that are up send a heartbeat now.
- Peek (`peek.py`): a place that answers again ends the waits for it.

None becomes a storm. A wait that is ended early is followed by its own attempt, with its own number. Who
was woken n times in an outage is deaf as a wait begins, for as long as the nth wait of the schedule, and what
it hears meanwhile counts then: a server that refuses one while it takes all others is not hammered.
A group doubts as a whole and once in five seconds; a death between two of these rounds starts the next one.
"""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Protocol

from manager.endpoint import Endpoint
from manager.engine.clock import Clock
from manager.engine.pacing import Pacing
from manager.engine.peek import Peeks
from manager.engine.policy import Wait, delay, patience
from manager.engine.ticks import Ticks
from manager.engine.vigil import LifeOver
from manager.model import Failure, FailureClass, Phase
from manager.settings import ConnectionSettings, Policy

DOUBT_INTERVAL = 5.0
"""Seconds from one round of doubt in a group to the next."""

_SHARED = (FailureClass.TRANSIENT, FailureClass.OVERLOAD)
"""Failures that may be those of the host; any other is the connection's own."""


def group_of(settings: ConnectionSettings, endpoint: Endpoint) -> str:
    """Return the name of a connection's group: the configured one, else the host of the endpoint in use."""
    return settings.group or endpoint.host


class Reached(Protocol):
    """The supervisor, as the siblings of its connection reach it."""

    def woken_by_sibling(self, sibling: str, at: float) -> bool:
        """End the wait under way at `at` on the monotonic clock; return False where it must not be ended."""

    def woken_by_peek(self, at: float) -> bool:
        """End the wait under way at `at`, as above."""

    def doubted_by_sibling(self, sibling: str) -> bool:
        """Send a heartbeat now; return False where there is no need."""

    async def peek(self, endpoint: Endpoint) -> None:
        """Look at an endpoint without credentials; raise where there is no sign of life."""


class Doubtful(Protocol):
    """Who is up in a group, a connection's session or its spare."""

    @property
    def name(self) -> str:
        """What the others are told that it is called."""

    @property
    def policy(self) -> Policy:
        """By whose `start_rate` a round of doubt goes on."""

    def doubts(self, dead: str) -> bool:
        """Send a heartbeat now because of one that died; return whether one goes."""


class Groups:
    """Every group by its name, the pacing of all hosts, the peeks at all places, the ticks of all watches."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.pacing = Pacing(clock)
        self.peeks = Peeks(clock)
        self.ticks = Ticks()
        self._groups: dict[str, Group] = defaultdict(lambda: Group(clock))

    def group(self, name: str) -> Group:
        """Return the group of this name."""
        return self._groups[name]


class Sibling:
    """One connection among those that share its fate."""

    __slots__ = (
        "_clock",
        "_deaf_until",
        "_ends_at",
        "_groups",
        "_joined",
        "_opening_since",
        "_peeked",
        "_reached",
        "_settings",
        "_told",
        "_untold",
        "_wakes",
        "name",
        "policy",
    )

    def __init__(self, settings: ConnectionSettings, groups: Groups, reached: Reached) -> None:
        self.name = settings.name
        self._settings = settings
        self.policy = settings.policy
        self._groups = groups
        self._clock = groups.clock
        self._reached = reached
        self._joined: Group | None = None
        """The group that it is up in."""
        self._untold = True
        """Whether it was down, and has not told since that it is back."""
        self._told = False
        """Whether that has woken anybody since it was stable last."""
        self._opening_since: float | None = None
        """When the attempt began that failed last or is under way; None for a session that came up."""
        self._wakes = 0
        """How often siblings have woken it since it was stable last."""
        self._deaf_until = 0.0
        """Until when in the wait under way what it hears is put off."""
        self._ends_at: float | None = None
        """When the wait under way ends; None where it does not."""
        self._peeked = False
        """Whether a peek has ended the wait under way."""

    async def turn(self, host: str) -> None:
        """Return when it is this one's turn to open a connection on a host."""
        await self._groups.pacing.turn(host, self.policy.start_rate)

    def opens(self) -> None:
        """Note that an attempt begins."""
        self._opening_since = self._clock.monotonic()

    @contextmanager
    def waits(
        self, endpoint: Endpoint, wait: Wait, failure: Failure, ends_at: float | None
    ) -> Iterator[None]:
        """Hear, for as long as a wait for a try of `endpoint` lasts, of what comes back."""
        self._untold = True
        if wait.phase is Phase.BLOCKED or failure.kind not in _SHARED:
            yield
            return
        self._ends_at, self._peeked = ends_at, False
        deaf_for = delay(self.policy, self._wakes, 0.0) if self._wakes else 0.0
        self._deaf_until = self._clock.monotonic() + max(deaf_for, patience(self.policy, failure))
        with ExitStack() as heard:
            if self.policy.sibling_wake:
                heard.enter_context(self._hearing(self._group(endpoint)))
            if self.policy.peek:
                heard.enter_context(self._groups.peeks.awaited(endpoint, failure, self))
            yield

    @contextmanager
    def _hearing(self, group: Group) -> Iterator[None]:
        group.waiting[self.name] = self
        try:
            back, since = group.back, self._opening_since
            if back is not None and back.name in group.up and since is not None and back.at > since:
                self.hears_of(back.name)
            yield
        finally:
            group.waiting.pop(self.name, None)

    def is_up(self, endpoint: Endpoint) -> Presence:
        """Tell the siblings that this one is up, unless that is no news; and that it dies, if it does."""
        group = self._joined = self._group(endpoint)
        self._groups.peeks.is_up(endpoint)
        self._opening_since = None
        presence = Presence(group, self)
        if self._untold and not self._told:
            self._tell()
        return presence

    def is_stable(self) -> None:
        """Begin anew: the outage is over, and what was kept from the siblings is certain now."""
        if self._untold:
            self._tell()
        self._told = False
        self._wakes = 0

    def hears_of(self, sibling: str) -> bool:
        """Take in that a sibling is back: end the wait now, or when this one is no longer deaf.

        Returns whether the wait ends earlier by that.
        """
        return sibling != self.name and self._ends_wait(
            self._clock.monotonic(), partial(self._reached.woken_by_sibling, sibling)
        )

    def sees_answer(self, at: float) -> None:
        """Take in that the place that it waits for answers again; that counts once a wait."""
        if not self._peeked:
            self._peeked = self._ends_wait(at, self._reached.woken_by_peek)

    async def peek(self, endpoint: Endpoint) -> None:
        """Look at an endpoint by this one's driver."""
        await self._reached.peek(endpoint)

    def _ends_wait(self, at: float, wake: Callable[[float], bool]) -> bool:
        """End the wait at `at`, or when this one is no longer deaf; return whether that is any earlier."""
        at = max(at, self._deaf_until)
        if (self._ends_at is not None and at >= self._ends_at) or not wake(at):
            return False
        self._ends_at = at
        self._wakes += 1
        return True

    def doubts(self, dead: str) -> bool:
        """Send a heartbeat now because of a sibling that died; return whether one goes."""
        return self.policy.sibling_doubt and dead != self.name and self._reached.doubted_by_sibling(dead)

    def _tell(self) -> None:
        self._untold = False
        group = self._joined
        if group is not None and group.up.get(self.name) is self and group.is_back(self.name):
            self._told = True

    def _group(self, endpoint: Endpoint) -> Group:
        return self._groups.group(group_of(self._settings, endpoint))


class Bystander:
    """A spare among those that share the fate of its host: it is doubted with them, and they with it."""

    def __init__(
        self, name: str, settings: ConnectionSettings, groups: Groups, doubted: Callable[[], bool]
    ) -> None:
        self.name = name
        self.policy = settings.policy
        self._settings = settings
        self._groups = groups
        self._doubted = doubted

    async def turn(self, host: str) -> None:
        """Return when it is this one's turn to open a connection on a host."""
        await self._groups.pacing.turn(host, self.policy.start_rate)

    def opens(self) -> None:
        """Nobody has to know that a spare is opened."""

    def is_up(self, endpoint: Endpoint) -> Presence:
        """Be doubted with the siblings as long as this lasts, and have them doubted if it ends in a death."""
        return Presence(self._groups.group(group_of(self._settings, endpoint)), self)

    def doubts(self, dead: str) -> bool:
        """Send a heartbeat now because of another that died; return whether one goes."""
        return self.policy.sibling_doubt and dead != self.name and self._doubted()


class Presence:
    """That one is up in a group, until a `with` ends; where it ends in a death, the others are doubted."""

    __slots__ = ("_group", "_one")

    def __init__(self, group: Group, one: Doubtful) -> None:
        self._group = group
        self._one = one
        group.up[one.name] = one

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        failure = error.failure if isinstance(error, LifeOver) else None
        self._group.leaves(self._one, died=failure is not None and failure.kind in _SHARED)


@dataclass(frozen=True, slots=True)
class Return:
    """Who came back, and when on the monotonic clock."""

    name: str
    at: float


class Group:
    """Who of a group waits, who is up, and what became known in it last."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.waiting: dict[str, Sibling] = {}
        self.up: dict[str, Doubtful] = {}
        self.back: Return | None = None
        self._dead = ""
        """Who died last, until a round of doubt begins; empty for nobody."""
        self._cause = ""
        """Whose death the round under way is about."""
        self._doubtful: list[Doubtful] = []
        """Who is still to be doubted in it."""
        self._rested_at = -math.inf
        """When the next round may begin."""
        self._timer: asyncio.TimerHandle | None = None
        """The next step of a round; there is none without a session that is up, so none outlives them."""

    def is_back(self, name: str) -> bool:
        """Let those who wait hear that one is back; return whether that wakes any of them."""
        self.back = Return(name, self._clock.monotonic())
        woken = [sibling.hears_of(name) for sibling in self.waiting.values()]
        return any(woken)

    def leaves(self, sibling: Doubtful, *, died: bool) -> None:
        """Note that one is no longer up; doubt the others if it died."""
        self.up.pop(sibling.name, None)
        if died:
            self._dead = sibling.name
        if not self.up:
            self._rest()
        elif died and self._timer is None:
            self._plan_round()

    def _rest(self) -> None:
        self._dead = ""
        self._doubtful.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _plan_round(self) -> None:
        start = max(self._clock.monotonic(), self._rested_at)
        self._timer = asyncio.get_running_loop().call_at(start, self._begin_round)

    def _begin_round(self) -> None:
        self._cause, self._dead = self._dead, ""
        self._doubtful = list(reversed(self.up.values()))
        self._rested_at = self._clock.monotonic() + DOUBT_INTERVAL
        self._doubt_next()

    def _doubt_next(self) -> None:
        self._timer = None
        while self._doubtful:
            sibling = self._doubtful.pop()
            rate = sibling.policy.start_rate
            if self.up.get(sibling.name) is sibling and sibling.doubts(self._cause) and rate:
                self._timer = asyncio.get_running_loop().call_later(1.0 / rate, self._doubt_next)
                return
        if self._dead:
            self._plan_round()
