"""Ten minutes over real sockets: connections of all types to the lab, whose servers fail at random.

A minute begins with trouble: faults of every kind at every type of server, and operators. It ends calm, and
what is held is counted once every connection is up and stable. The most that was held at any time is noted.
Intervals are short, so that much happens; they change how often, not what.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from msgspec.structs import replace

from manager.events import StateChanged
from manager.manager import ConnectionManager
from manager.model import Phase
from manager.settings import ConnectionSettings, Policy
from tests.soak.alarms import Alarms
from tests.soak.gauges import Stock, files, least, resident, take_stock
from tests.soak.growth import grown
from tests.soak.lab import LabProcess, hosts_for
from tests.soak.memories import short_memories
from tests.soak.operators import Operators
from tests.soak.table import heading, line

POLICY = Policy(
    base_delay=0.5,
    max_delay=4.0,
    max_attempts=4,
    connect_timeout=3.0,
    heartbeat_interval=5.0,
    heartbeat_timeout=2.0,
    suspect_timeout=1.0,
    health_interval=5.0,
    stable_after=2.0,
    cooldown=3.0,
    blocked_retry=3.0,
    login_window=4.0,
)
CALM = 90.0
"""Seconds in which every connection has to be up again after the faults: several times what it takes."""
_STOCKS = 5


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of everything."""

    connections: int = 300
    hosts: int = 10
    minutes: int = 10
    minute: float = 60.0
    """Seconds."""
    trouble: float = 30.0
    """Seconds of it."""
    ring: int = 10_000
    """Events that are held: what they take is the same each time only once the ring is full."""
    seed: int = 1


class Minutes:
    """One run."""

    def __init__(self, scale: Scale, lab: LabProcess, tell: Callable[[str], None]) -> None:
        self._scale = scale
        self._lab = lab
        self._tell = tell
        self._chance = random.Random(scale.seed)
        self._opened = 0
        self._most = (0, 0, 0)
        """Tasks, files and bytes of memory, at once and at any time."""
        self.faults: list[str] = []

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        await self._lab.connect()
        settings = self._lab.connections()
        empty = take_stock()
        stocks: list[Stock] = []
        self._tell(heading("minute"))
        async with ConnectionManager(settings) as manager, self._watch():
            manager.ring._events = deque(maxlen=self._scale.ring)
            manager.on("connection:stateChanged", self._count)
            for minute in range(1, self._scale.minutes + 1):
                began = loop.time()
                await self._be_troubled(manager, settings)
                if not await self._calm(manager):
                    self.faults.append(f"minute {minute}: not all are up: {_not_stable(manager)}")
                stocks.append(await self._take_stock(began + self._scale.minute))
                self.faults += [f"minute {minute}: {fault}" for fault in await self._balance(manager)]
                counts = {"sessions": self._opened, "events": manager.ring.last}
                self._tell(line(minute, stocks[-1], **counts, cpu=time.process_time()))
        self.faults += grown(stocks[1], stocks[-1])
        tasks, most_files, memory = self._most
        self._tell(f"most at once: {tasks} tasks, {most_files} files, {memory / 2**20:.1f} MiB")
        self.faults += self._left(empty, take_stock())
        await self._lab.disconnect()

    def _count(self, event: StateChanged) -> None:
        self._opened += event.phase is Phase.UP and event.previous is Phase.CONNECTING

    @asynccontextmanager
    async def _watch(self) -> AsyncIterator[None]:
        """Note twice a second what is held."""

        async def look() -> None:
            while True:
                now = len(asyncio.all_tasks()), files(), resident()
                self._most = tuple(map(max, self._most, now))
                await asyncio.sleep(0.5)

        looking = asyncio.create_task(look())
        try:
            yield
        finally:
            looking.cancel()
            await asyncio.wait([looking])

    async def _be_troubled(
        self, manager: ConnectionManager, settings: tuple[ConnectionSettings, ...]
    ) -> None:
        """Let things go wrong; return when servers are mended and operators have gone."""
        operators = Operators(manager, self._chance)
        trouble = asyncio.create_task(self._lab.ask("trouble", self._scale.trouble))
        while not trouble.done():
            operators.act()
            if self._chance.random() < 0.1:
                await self._reload(manager, settings)
            await asyncio.wait([trouble], timeout=self._chance.uniform(0.0, 1.0))
        await trouble
        await operators.leave()
        await manager.reload(settings)

    async def _reload(self, manager: ConnectionManager, settings: tuple[ConnectionSettings, ...]) -> None:
        """Take a connection out, and weigh another anew."""
        _, heavier, *others = self._chance.sample(settings, len(settings))
        await manager.reload([replace(heavier, weight=self._chance.uniform(0.5, 2.0)), *others])

    async def _calm(self, manager: ConnectionManager) -> bool:
        """Return whether every connection is up and stable in time."""
        try:
            async with asyncio.timeout(CALM):
                while _not_stable(manager):
                    await asyncio.sleep(0.2)
        except TimeoutError:
            return False
        return True

    async def _take_stock(self, until: float) -> Stock:
        """Take stock a few times until then, or within a few seconds if that is near or over."""
        left = max(until - asyncio.get_running_loop().time(), 3.0)
        stocks = []
        for _ in range(_STOCKS):
            await asyncio.sleep(left / _STOCKS)
            stocks.append(take_stock())
        return least(stocks)

    async def _balance(self, manager: ConnectionManager) -> list[str]:
        """Return what the servers hold beside one session each, and the ring beside its events."""
        held, found = await self._lab.ask("held"), []
        statuses = manager.get_connection_status().values()
        streams = sum("udp" not in status.endpoint for status in statuses)
        registrations = sum(status.type == "sip" for status in statuses)
        if held != {"streams": streams, "bindings": registrations}:
            found.append(f"servers hold {held}, not {streams} streams and {registrations} bindings")
        if manager.ring._readers:
            found.append(f"{len(manager.ring._readers)} readers are left at the ring")
        return found

    def _left(self, before: Stock, after: Stock) -> Iterator[str]:
        """Yield what outlives the manager."""
        for name in ("tasks", "timers", "files"):
            if getattr(after, name) > getattr(before, name):
                yield f"{name} outlive the manager: {getattr(after, name) - getattr(before, name)}"


def _not_stable(manager: ConnectionManager) -> dict[str, str]:
    return {
        name: str(status.phase)
        for name, status in manager.get_connection_status().items()
        if status.phase is not Phase.UP or not status.stable
    }


def run(scale: Scale, tell: Callable[[str], None]) -> list[str]:
    """Run the minutes and return every fault; `tell` is given the table."""
    hosts = hosts_for(scale.connections, scale.hosts)
    with (
        LabProcess(hosts, POLICY, scale.seed) as lab,
        short_memories(),
        Alarms(drivers_may_raise=False) as alarms,
    ):
        minutes = Minutes(scale, lab, tell)
        asyncio.run(minutes.run())
    return minutes.faults + alarms.heard
