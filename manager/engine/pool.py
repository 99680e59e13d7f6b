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
from dataclasses import dataclass

from manager.endpoint import Endpoint
from manager.engine.ejection import Ejections
from manager.model import Failure, FailureClass, Stage
from manager.settings import Strategy

_HOPELESS = (FailureClass.CONFIGURATION, FailureClass.PERMANENT)
_BEFORE_AN_ADDRESS = (Stage.SECRET, Stage.LOOKUP, Stage.CONNECT)
_NONE: frozenset[Endpoint] = frozenset()
"""Most pools have tried none and are without hope of none: one empty set does for all."""
_SAMPLES = 9
"""Latencies of an endpoint that are compared with those of another, by their median."""


@dataclass(slots=True)
class Use:
    """An endpoint that a session is opened at, and the addresses of its name."""

    endpoint: Endpoint
    answers: tuple[str, ...] = ()
    """Addresses that the name was looked up to."""
    address: str | None = None
    """The one of them in use."""

    def blamed(self, failure: Failure) -> str | None:
        """Return the address that failed, where that says nothing of the others."""
        several = len(self.answers) > 1 and failure.stage not in _BEFORE_AN_ADDRESS
        return self.address if several else None


class Pool:
    """The endpoints of one connection."""

    __slots__ = (
        "_chance",
        "_ejections",
        "_endpoints",
        "_hopeless",
        "_latencies",
        "_strategy",
        "_tried",
        "_use",
        "reserved",
    )

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
        self._tried: frozenset[object] = _NONE
        """Endpoints, and addresses of them, that have failed since a session proved stable last."""
        self._hopeless: frozenset[Endpoint] = _NONE
        """Endpoints whose last failure was one that trying again will not change."""
        self._latencies: dict[Endpoint, deque[float]] = {}
        self.reserved: Endpoint | None = None
        """The endpoint of the spare, which is not opened a second time."""
        self._use = Use(endpoints[-1])
        self._use = Use(self._choose(0.0, None))

    @property
    def current(self) -> Endpoint:
        """The endpoint in use, or the one that is tried next."""
        return self._use.endpoint

    # --- what becomes of the endpoint in use ------------------------------------------------------------

    def ordered(self, addresses: Sequence[str], now: float) -> list[str]:
        """Return the addresses of the endpoint in use in the order in which to try them."""
        return self.ordered_for(self._use, addresses, now)

    def ordered_for(self, use: Use, addresses: Sequence[str], now: float) -> list[str]:
        """Return the addresses of any endpoint in the order in which to try them."""
        use.answers, use.address = tuple(dict.fromkeys(addresses)), None
        return sorted(use.answers, key=lambda each: max(0.0, self._until_of(use, each) - now))

    def using(self, address: str) -> None:
        """Note which address the endpoint in use is opened at."""
        self._use.address = address

    def measured(self, latency: float) -> None:
        """Note the round trip of a heartbeat, in seconds."""
        if len(self._endpoints) > 1:
            self._latencies.setdefault(self.current, deque(maxlen=_SAMPLES)).append(latency)

    def holds(self) -> None:
        """Note that a session has proved stable: a new round begins."""
        self._tried = self._hopeless = _NONE
        self.proved(self._use)

    def failed(self, failure: Failure, now: float) -> bool:
        """Set aside what failed; return whether an endpoint is left in this round that was not tried."""
        use, endpoint = self._use, self.current
        if failure.kind in _HOPELESS:
            self._hopeless |= {endpoint}
        else:
            self._hopeless -= {endpoint}
        self._tried |= {endpoint}
        address = use.blamed(failure)
        self.set_aside(use, failure, now)
        if address is not None:
            self._tried |= {(endpoint, address)}
            if any((endpoint, each) not in self._tried for each in use.answers):
                self._tried -= {endpoint}
                return True
        return self._untried()

    def withheld(self) -> bool:
        """Pass the endpoint over without blame: no login is left on its host. Return as `failed` does."""
        self._tried |= {self.current}
        return self._untried()

    def begin_round(self) -> None:
        """Take every endpoint for one that was not tried yet, because somebody wishes it."""
        self._tried = _NONE

    def move(self, at: float) -> None:
        """Choose the endpoint that is opened at this time."""
        free = [each for each in self._endpoints if each != self.reserved]
        untried = [each for each in free if each not in self._tried]
        self._use = Use(self._choose(at, untried or free))

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
        return self._use.address or "" if len(self._use.answers) > 1 else ""

    # --- the spare --------------------------------------------------------------------------------------

    def beside(self, at: float) -> tuple[Endpoint, float]:
        """Choose an endpoint beside the one in use; return with it from when on it is not set aside."""
        endpoint = self._choose(at, [each for each in self._endpoints if each != self.current])
        return endpoint, self._ejections.until(endpoint)

    def set_aside(self, use: Use, failure: Failure, now: float) -> None:
        """Set aside what failed; the round of the endpoint in use is not touched."""
        address, use.address = use.blamed(failure), None
        if address is not None:
            self._ejections.failed((use.endpoint, address), now)
            if any(self._until_of(use, each) <= now for each in use.answers):
                return
        self._ejections.failed(use.endpoint, now)

    def proved(self, use: Use) -> None:
        """Forget the failures of an endpoint whose session has proved stable."""
        self._ejections.holds(use.endpoint)
        self._ejections.holds((use.endpoint, use.address))

    def take_over(self, use: Use) -> None:
        """Take the endpoint of the spare for the one in use."""
        self._use, self.reserved = use, None

    def aside(self, now: float) -> dict[str, float]:
        """Return until when endpoints are set aside, by label; those that are not stand not in it."""
        until = {each.label: self._ejections.until(each) for each in self._endpoints}
        return {label: instant for label, instant in until.items() if instant > now}

    # --- the choice -------------------------------------------------------------------------------------

    def _untried(self) -> bool:
        return any(each not in self._tried for each in self._endpoints)

    def _until_of(self, use: Use, address: str) -> float:
        return self._ejections.until((use.endpoint, address))

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
