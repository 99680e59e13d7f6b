"""A week of virtual time: hosts that fail at random, clocks that jump, reloads and operators.

An hour of 1,000 connections with default numbers is 266,000 events and took 11 s of CPU where it was
measured; a week of that would be half an hour. With the preset `gentle`, which sends a third of the probes,
it took 3.3 s. So most connections are gentle, and a seventh of the hosts has default numbers: others each
day, by a reload at midnight, so that each has its turn.

Each day ends without faults. What must be true then, to the last task and timer, is in `Week._balance`.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from msgspec.structs import replace

from manager.drivers.base import Memory
from manager.endpoint import parse_endpoint
from manager.engine.health import aggregate
from manager.events import Gap, replay
from manager.manager import ConnectionManager
from manager.model import Phase, Status
from manager.presets import PRESETS
from manager.secret import SecretSource
from manager.settings import ConnectionSettings
from tests.engine.fakes import CANARY, FakeSettings
from tests.engine.virtual import VirtualClock, VirtualLoop
from tests.soak.alarms import Alarms
from tests.soak.gauges import Stock, least, take_stock
from tests.soak.growth import grown
from tests.soak.hosts import TROUBLES, Driver, Hosts
from tests.soak.memories import short_memories
from tests.soak.operators import Operators
from tests.soak.table import heading, line

QUIET = 45 * 60.0
"""Seconds without faults at the end of a day: a blocked connection is tried again after 30 minutes."""
_SECRET = "SOAK_SECRET_{}"
_STOCKS = 5


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of everything."""

    connections: int = 1000
    hosts: int = 50
    days: int = 7
    day: float = 24 * 3600.0
    """Seconds."""
    pause: float = 60.0
    """Seconds from one trouble to the next, on average."""
    ring: int = 10_000
    """Events that are held: what they take is the same each time only once the ring is full."""
    seed: int = 1


class Week:
    """One run."""

    def __init__(self, scale: Scale, tell: Callable[[str], None], wrap: Callable[[Driver], object]) -> None:
        self._scale = scale
        self._tell = tell
        self._wrap = wrap
        self._chance = random.Random(scale.seed)
        self._clock = VirtualClock()
        self._hosts = Hosts(PRESETS["default"])
        self._settings = {each.name: each for each in self._connections()}
        self._absent: set[str] = set()
        """Names that the configuration lacks at the moment."""
        self._manager = ConnectionManager(
            clock=self._clock, drivers={"fake": self._driver}, chance=self._chance.random
        )
        self._replayed: dict[str, Status] = {}
        self.faults: list[str] = []

    def _connections(self) -> Iterator[FakeSettings]:
        for number in range(self._scale.connections):
            name, host = f"c{number}", f"pbx{number % self._scale.hosts}"
            hosts = (host, f"{host}-spare") if number % 10 == 0 else (host,)
            for each in hosts:
                self._hosts.add(name, each)
            yield FakeSettings(
                name=name,
                endpoints=tuple(parse_endpoint(f"ami://{each}") for each in hosts),
                policy=PRESETS["gentle"],
                password=SecretSource(env=_SECRET.format(host)) if number % 2 else None,
            )

    def _driver(self, settings: ConnectionSettings, memory: Memory) -> object:
        del memory
        secret = next((source.env for source in settings.secrets()), None)
        return self._wrap(Driver(self._hosts, settings.name, secret))

    # --- the days ---------------------------------------------------------------------------------------

    async def run(self) -> None:
        stocks: list[Stock] = []
        self._tell(heading("day"))
        async with self._manager:
            self._manager.ring._events = deque(maxlen=self._scale.ring)
            following = asyncio.create_task(self._follow())
            try:
                for day in range(1, self._scale.days + 1):
                    await self._reload_at_midnight(day)
                    await self._be_troubled()
                    await asyncio.sleep(QUIET)
                    stocks.append(await self._take_stock())
                    self.faults += [f"day {day}: {fault}" for fault in self._balance(stocks[-1])]
                    counts = {"sessions": self._hosts.opened, "events": self._manager.ring.last}
                    self._tell(line(day, stocks[-1], **counts, cpu=time.process_time()))
                self.faults += grown(stocks[1], stocks[-1])
            finally:
                following.cancel()
                await asyncio.wait([following])
        self.faults += self._left()

    async def _be_troubled(self) -> None:
        """Let things go wrong until the day is nearly over; return when all is mended."""
        loop, operators = asyncio.get_running_loop(), Operators(self._manager, self._chance)
        mends: list[asyncio.TimerHandle] = []
        quiet_from = loop.time() + self._scale.day - QUIET
        while loop.time() < quiet_from:
            match self._chance.randrange(50):
                case 0:
                    self._clock.step += self._chance.uniform(-7200.0, 7200.0)
                case 1:
                    self._clock.suspended += self._chance.uniform(1.0, 30_000.0)
                case 2:
                    await self._reload_something()
                case 3:
                    host = self._chance.randrange(self._scale.hosts)
                    os.environ[_SECRET.format(f"pbx{host}")] = f"{CANARY}-{self._chance.random()}"
                case each if each < 12:
                    operators.act()
                case _:
                    mends.append(self._trouble(loop))
            await asyncio.sleep(self._chance.expovariate(1.0 / self._scale.pause))
        for mend in mends:
            mend.cancel()
        await operators.leave()
        self._hosts.mend()
        self._absent.clear()
        await self._manager.reload(self._settings.values())

    def _trouble(self, loop: asyncio.AbstractEventLoop) -> asyncio.TimerHandle:
        """Begin one at a host, or at one of its servers, and see to its end."""
        servers = self._hosts.servers(self._chance.choice(self._hosts.names()))
        if self._chance.random() < 0.5:
            servers = [self._chance.choice(servers)]
        trouble = self._chance.choice(TROUBLES)
        for server in servers:
            trouble.begin(server)

        def mend() -> None:
            for server in servers:
                server.mend()

        return loop.call_later(min(self._chance.lognormvariate(5.0, 1.5), 7200.0), mend)

    # --- configurations ---------------------------------------------------------------------------------

    async def _reload_at_midnight(self, day: int) -> None:
        """Give the hosts whose day it is default numbers, and all others gentle ones."""
        for number, (name, settings) in enumerate(self._settings.items()):
            turn = number % self._scale.hosts % 7 == day % 7
            self._settings[name] = replace(settings, policy=PRESETS["default" if turn else "gentle"])
        await self._manager.reload(self._settings.values())

    async def _reload_something(self) -> None:
        """Take some connections out, put those back that are out, and weigh some others anew."""
        names = self._chance.sample(sorted(self._settings), self._scale.connections // 50)
        out = [name for name in names[::2] if name not in self._absent]
        self._absent = set(out)
        for name in names[1::2]:
            self._settings[name] = replace(self._settings[name], weight=self._chance.uniform(0.5, 2.0))
        await self._manager.reload(
            settings for name, settings in self._settings.items() if name not in self._absent
        )

    # --- what must hold ---------------------------------------------------------------------------------

    async def _follow(self) -> None:
        """Replay the events as they come, and compare once in a while."""
        position, rounds = self._manager.position, 0
        self._replayed = self._manager.get_connection_status()
        while True:
            found, position = self._manager.ring.after(position, self._scale.ring)
            if any(isinstance(each, Gap) for each in found):
                self.faults.append("events were lost between two looks")
            self._replayed = replay(found, self._replayed)
            rounds += 1
            if rounds % 60 == 0 and self._replayed != self._manager.get_connection_status():
                self.faults.append("the replay differs from the snapshot")
            await asyncio.sleep(10.0)

    async def _take_stock(self) -> Stock:
        stocks = []
        for _ in range(_STOCKS):
            await asyncio.sleep(self._chance.uniform(10.0, 20.0))
            stocks.append(take_stock())
        return least(stocks)

    def _balance(self, stock: Stock) -> Iterator[str]:
        """Yield what is not as it has to be at the end of a day."""
        manager, statuses = self._manager, self._manager.get_connection_status()
        down = {name: str(status.phase) for name, status in statuses.items() if status.phase is not Phase.UP}
        if down or len(statuses) != self._scale.connections:
            yield f"not all are up: {len(statuses)} of {self._scale.connections} managed, down {down}"
        twice = {name: number for name, number in self._hosts.sessions().items() if number != 1}
        if twice:
            yield f"not one session each: {twice}"
        away = sum(status.endpoint.count("-spare") for status in statuses.values())
        # A supervisor each, a way back where one is away; the clocks, the replay and this one.
        if stock.tasks != len(statuses) + away + 3:
            yield f"{stock.tasks} tasks for {len(statuses)} connections, {away} of them away"
        # The next heartbeat or check of each, the next look of a way back; the clocks and the replay.
        if stock.timers != len(statuses) + away + 2:
            yield f"{stock.timers} timers for {len(statuses)} connections, {away} of them away"
        # asyncio throws the cancelled ones away when they are the greater part, from 100 on.
        if stock.scheduled > 2 * stock.timers + 100:
            yield f"{stock.scheduled} timers are kept though {stock.timers} will strike"
        if len(manager.ring._events) > self._scale.ring or manager.ring._readers:
            yield f"the ring holds {len(manager.ring._events)} events, {len(manager.ring._readers)} readers"
        if manager.health != aggregate(statuses.values()):
            yield f"the health is {manager.health}, not the mean"
        if self._hosts.ledger.overdrawn:
            yield f"login budgets were overdrawn at {sorted(self._hosts.ledger.overdrawn)}"

    def _left(self) -> Iterator[str]:
        """Yield what outlives the manager."""
        if len(asyncio.all_tasks()) > 1:
            yield f"tasks outlive the manager: {asyncio.all_tasks()}"
        if any(self._hosts.sessions().values()):
            yield f"sessions outlive the manager: {self._hosts.sessions()}"
        if any(not timer.cancelled() for timer in asyncio.get_running_loop()._scheduled):
            yield "timers outlive the manager"


def run(
    scale: Scale, tell: Callable[[str], None], wrap: Callable[[Driver], object] = lambda driver: driver
) -> list[str]:
    """Run the week and return every fault; `tell` gets the table, `wrap` puts something around drivers."""
    secrets = {_SECRET.format(f"pbx{number}"): CANARY for number in range(scale.hosts)}
    os.environ.update(secrets)
    try:
        with (
            short_memories(),
            Alarms(drivers_may_raise=True) as alarms,
            asyncio.Runner(loop_factory=VirtualLoop) as runner,
        ):
            week = Week(scale, tell, wrap)
            runner.run(week.run())
    finally:
        for name in secrets:
            del os.environ[name]
    return week.faults + alarms.heard
