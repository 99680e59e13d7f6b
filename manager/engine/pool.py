"""Which endpoint next: the strategies, and what a failure means for the one in use.

An endpoint that fails is set aside for a while. The strategy chooses among the others; where all are set
aside, the one whose time is up first is tried. A name with several addresses counts for as many endpoints: it
is set aside itself only when each of them is, and what a lookup gives is tried in its order (RFC 6724, for
SIP RFC 2782), those that are set aside last.

After a loss, and at the first start, every endpoint is opened once without a wait and without a number. When
none is left the numbered attempts begin, and each goes to the next endpoint. Only a session that has proved
stable opens a new round: a server that accepts and drops does not.
"""

from __future__ import annotations

import random
import statistics
from collections import deque
from collections.abc import Callable, Sequence

from manager.endpoint import Endpoint
from manager.engine.ejection import Ejections
from manager.model import Failure, FailureClass, Stage
from manager.settings import Strategy

_HOPELESS = (FailureClass.CONFIGURATION, FailureClass.PERMANENT)
_BEFORE_AN_ADDRESS = (Stage.SECRET, Stage.LOOKUP, Stage.CONNECT)
_SAMPLES = 9
"""Latencies of an endpoint that are compared with those of another, by their median."""


class Pool:
    """The endpoints of one connection."""

    def __init__(
        self,
        endpoints: tuple[Endpoint, ...],
        strategy: Strategy = Strategy.PRIORITY,
        *,
        chance: Callable[[], float] = random.random,
    ) -> None:
        if not endpoints:
            raise ValueError("a connection needs an endpoint")
        self._endpoints = endpoints
        self._strategy = strategy
        self._chance = chance
        self._ejections = Ejections()
        self._tried: set[object] = set()
        """Endpoints, and addresses of them, that have failed since a session proved stable last."""
        self._hopeless: set[Endpoint] = set()
        """Endpoints whose last failure was one that trying again will not change."""
        self._latencies: dict[Endpoint, deque[float]] = {}
        self._answers: tuple[str, ...] = ()
        """Addresses that the name of the endpoint in use was looked up to."""
        self._address: str | None = None
        """The one of them in use."""
        self.current = endpoints[-1]
        self.current = self._choose(0.0, None)
        """The endpoint in use, or the one that is tried next."""

    # --- what becomes of the endpoint in use ------------------------------------------------------------

    def ordered(self, addresses: Sequence[str], now: float) -> list[str]:
        """Return the addresses of the endpoint in use in the order in which to try them."""
        self._answers, self._address = tuple(dict.fromkeys(addresses)), None
        return sorted(self._answers, key=lambda each: max(0.0, self._until_of(each) - now))

    def using(self, address: str) -> None:
        """Note which address the endpoint in use is opened at."""
        self._address = address

    def measured(self, latency: float) -> None:
        """Note the round trip of a heartbeat, in seconds."""
        if len(self._endpoints) > 1:
            self._latencies.setdefault(self.current, deque(maxlen=_SAMPLES)).append(latency)

    def holds(self) -> None:
        """Note that a session has proved stable: a new round begins."""
        self._tried.clear()
        self._hopeless.clear()
        self._ejections.holds(self.current)
        self._ejections.holds((self.current, self._address))

    def failed(self, failure: Failure, now: float) -> bool:
        """Set aside what failed; return whether an endpoint is left in this round that was not tried."""
        endpoint = self.current
        if failure.kind in _HOPELESS:
            self._hopeless.add(endpoint)
        else:
            self._hopeless.discard(endpoint)
        self._tried.add(endpoint)
        address, self._address = self._address, None
        if address is not None and failure.stage not in _BEFORE_AN_ADDRESS and len(self._answers) > 1:
            self._tried.add((endpoint, address))
            self._ejections.failed((endpoint, address), now)
            if any((endpoint, each) not in self._tried for each in self._answers):
                self._tried.discard(endpoint)
                return True
            if any(self._until_of(each) <= now for each in self._answers):
                return self._untried()
        self._ejections.failed(endpoint, now)
        return self._untried()

    def withheld(self) -> bool:
        """Pass the endpoint over without blame: no login is left on its host. Return as `failed` does."""
        self._tried.add(self.current)
        return self._untried()

    def begin_round(self) -> None:
        """Take every endpoint for one that was not tried yet, because somebody wishes it."""
        self._tried.clear()

    def move(self, at: float) -> None:
        """Choose the endpoint that is opened at this time."""
        untried = [each for each in self._endpoints if each not in self._tried]
        self.current = self._choose(at, untried or None)
        self._answers, self._address = (), None

    def kind_of(self, failure: Failure) -> FailureClass:
        """Return the class to decide by: a refusal by one endpoint is not final while others are left."""
        if failure.kind in _HOPELESS and len(self._hopeless) < len(self._endpoints):
            return FailureClass.TRANSIENT
        return failure.kind

    @property
    def preferred(self) -> Endpoint | None:
        """The endpoint to return to; None where the one in use is as good as any."""
        first = self._endpoints[0]
        return first if self._strategy is Strategy.PRIORITY and self.current is not first else None

    def trust(self, endpoint: Endpoint) -> None:
        """Forget the failures of an endpoint that has been found well."""
        self._ejections.holds(endpoint)

    @property
    def address(self) -> str:
        """The address in use, where the name in use has several; else empty."""
        return self._address or "" if len(self._answers) > 1 else ""

    # --- the choice -------------------------------------------------------------------------------------

    def _untried(self) -> bool:
        return any(each not in self._tried for each in self._endpoints)

    def _until_of(self, address: str) -> float:
        return self._ejections.until((self.current, address))

    def _choose(self, at: float, among: Sequence[Endpoint] | None) -> Endpoint:
        endpoints = among or self._endpoints
        well = [each for each in endpoints if self._ejections.until(each) <= at]
        if not well:
            return min(endpoints, key=self._ejections.until)
        match self._strategy:
            case Strategy.PRIORITY:
                return well[0]
            case Strategy.ROUND_ROBIN:
                return self._after_current(well)
            case Strategy.LEAST_LATENCY:
                return min(well, key=self._latency)
            case Strategy.WEIGHTED:
                return self._by_chance(well, [each.weight for each in well])
            case Strategy.RANDOM:
                return self._by_chance(well, [1.0] * len(well))

    def _after_current(self, well: Sequence[Endpoint]) -> Endpoint:
        start = self._endpoints.index(self.current) + 1
        in_turn = (*self._endpoints[start:], *self._endpoints[:start])
        return next(each for each in in_turn if each in well)

    def _latency(self, endpoint: Endpoint) -> float:
        """An endpoint that was never measured is tried first."""
        samples = self._latencies.get(endpoint)
        return statistics.median(samples) if samples else 0.0

    def _by_chance(self, endpoints: Sequence[Endpoint], weights: Sequence[float]) -> Endpoint:
        mark = self._chance() * sum(weights)
        for endpoint, weight in zip(endpoints, weights, strict=True):
            mark -= weight
            if mark < 0:
                return endpoint
        return endpoints[-1]
