"""The login budget: how often credentials may be refused on a host before we leave it alone.

A host that bans by failed logins (fail2ban: 10 in 10 minutes) bans everything we have there. So credentials
that were not accepted before reserve a slot before they are tried. An accepted login gives its slot back,
a refused one keeps it for the length of the window, whichever connection or protocol it belongs to.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from contextlib import asynccontextmanager

from manager.endpoint import Endpoint
from manager.engine.ban import Bans
from manager.engine.clock import Clock
from manager.model import BudgetStatus, Failure
from manager.settings import Policy


class LoginWithheldError(Exception):
    """No slot is free before `seconds` have passed."""

    def __init__(self, host: str, seconds: float) -> None:
        super().__init__(f"the login budget of {host} is used up")
        self.host = host
        self.seconds = seconds


class Slot:
    """A reserved login; kept when `refused` is called, else given back."""

    def __init__(self) -> None:
        self.kept = False

    def refused(self) -> None:
        """Keep the slot: the credentials were refused."""
        self.kept = True


class LoginBudget:
    """Refused and running logins of every host; refusals survive a restart in `ledger`."""

    def __init__(
        self, clock: Clock, ledger: MutableMapping[str, str], changed: Callable[[BudgetStatus], None]
    ) -> None:
        self._clock = clock
        self._ledger = ledger
        self._changed = changed
        self._refusals: dict[str, list[float]] = {}
        """Monotonic times at which a login was refused, by host, oldest first."""
        self._running: dict[str, int] = defaultdict(int)
        self._lines: dict[str, deque[asyncio.Future[None]]] = defaultdict(deque)
        self._policies: dict[str, Policy] = {}
        """By which numbers a host was last asked for."""
        self._bans = Bans()

    def load(self) -> None:
        """Take over the refusals of an earlier run; what cannot be read is left out."""
        wall, now = self._clock.wall(), self._clock.monotonic()
        for host, text in list(self._ledger.items()):
            self._refusals[host] = sorted(now - max(0.0, wall - time) for time in _times(text))

    def statuses(self) -> tuple[BudgetStatus, ...]:
        """Return the budgets that were drawn on."""
        found = (self._status(host, policy) for host, policy in self._policies.items())
        return tuple(status for status in found if status.used)

    def needs_slot(self, host: str, policy: Policy, *, accepted_before: bool) -> bool:
        """Whether a login must reserve: its credentials are unproven, or the host refused someone lately."""
        return not accepted_before or bool(self._recent(host, policy))

    def seconds_to_slot(self, host: str, policy: Policy) -> float:
        """Return how long refusals keep every slot of a host taken; 0 where one is not."""
        recent = self._recent(host, policy)
        if len(recent) < policy.login_budget:
            return 0.0
        freeing = recent[len(recent) - policy.login_budget]
        return freeing + policy.login_window - self._clock.monotonic()

    @asynccontextmanager
    async def slot(self, host: str, policy: Policy, *, override: bool = False) -> AsyncIterator[Slot]:
        """Hold a slot for one login; wait in line while others that run hold them all.

        The line moves: each running login ends by its own connect deadline.

        Raises:
            LoginWithheldError: refusals hold them all, and `override` is not set.
        """
        if not override:
            await self._stand_in_line(host, policy)
        self._running[host] += 1
        slot = Slot()
        try:
            yield slot
        finally:
            self._running[host] -= 1
            if slot.kept:
                self.note_refusal(host, policy)
            self._next_in_line(host)

    async def _stand_in_line(self, host: str, policy: Policy) -> None:
        while self._running[host] + len(self._recent(host, policy)) >= policy.login_budget:
            seconds = self.seconds_to_slot(host, policy)
            if seconds:
                self._next_in_line(host)
                raise LoginWithheldError(host, seconds)
            turn = asyncio.get_running_loop().create_future()
            self._lines[host].append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                # A turn that was given up stays in the line until it is its turn, and is then passed over.
                if not turn.cancelled():
                    self._next_in_line(host)
                raise

    def _next_in_line(self, host: str) -> None:
        while self._lines[host]:
            turn = self._lines[host].popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def note_refusal(self, host: str, policy: Policy) -> None:
        """Draw on the budget for a refusal that no slot was reserved for."""
        recent = [*self._recent(host, policy), self._clock.monotonic()]
        self._refusals[host] = recent
        shift = self._clock.wall() - self._clock.monotonic()
        self._ledger[host] = json.dumps([round(time + shift, 3) for time in recent])
        self._changed(self._status(host, policy))

    def answered(self, host: str) -> None:
        """Note that a host has taken a login."""
        self._bans.answered(host, self._clock.monotonic())

    def judged(self, endpoint: Endpoint, failure: Failure, policy: Policy) -> Failure:
        """Return what ended an attempt, in words about a ban where its host has probably banned us."""
        refusals = self._recent(endpoint.host, policy)
        return self._bans.judged(endpoint, failure, refusals, policy.login_window, self._clock.monotonic())

    def _recent(self, host: str, policy: Policy) -> list[float]:
        self._policies[host] = policy
        now = self._clock.monotonic()
        return [time for time in self._refusals.get(host, ()) if time + policy.login_window > now]

    def _status(self, host: str, policy: Policy) -> BudgetStatus:
        seconds = self.seconds_to_slot(host, policy)
        return BudgetStatus(
            host=host,
            used=len(self._recent(host, policy)),
            limit=policy.login_budget,
            window=policy.login_window,
            next_free=self._clock.wall() + seconds if seconds else None,
        )


def _times(text: str) -> Iterator[float]:
    try:
        found = json.loads(text)
    except ValueError:
        return
    if isinstance(found, list):
        yield from (float(time) for time in found if isinstance(time, (int, float)))
