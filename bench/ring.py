"""Events from 1,000 drivers through the ring to three listeners, against pyee bare with three listeners.

Each driver reports something and has new facts by turns: every second event carries a new status.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import ClassVar

from pyee.base import EventEmitter

from bench.table import Row, yes
from manager import ConnectionManager
from manager.drivers.base import Memory, SessionListener
from manager.endpoint import Endpoint, parse_endpoint
from manager.events import Event, ListenerDetached
from manager.model import FactValue, Failure, Phase
from manager.settings import ConnectionSettings, Policy

DRIVERS = 1000
EVENTS = 200_000
RUNS = 5


class BenchSettings(ConnectionSettings, frozen=True, kw_only=True):
    type: ClassVar[str] = "bench"


class BenchSession:
    def __init__(self, listener: SessionListener) -> None:
        self.facts: dict[str, FactValue] = {"calls": 0}
        self.listener = listener

    def speak(self, turn: int) -> None:
        """Cause an event."""
        if turn % 2:
            self.listener.reported("bench", "text", {})
        else:
            self.facts["calls"] = turn + 1
            self.listener.facts_changed()

    async def heartbeat(self) -> float:
        return 0.0

    async def check(self) -> str:
        return ""

    async def ended(self) -> Failure:
        return await asyncio.get_running_loop().create_future()

    async def close(self, *, graceful: bool) -> None:
        del graceful


class BenchDriver:
    def __init__(self, sessions: list[BenchSession]) -> None:
        self._sessions = sessions

    async def open(self, endpoint: Endpoint, listener: SessionListener) -> BenchSession:
        del endpoint
        session = BenchSession(listener)
        self._sessions.append(session)
        return session

    async def peek(self, endpoint: Endpoint) -> None:
        del endpoint


async def ours() -> tuple[float, bool]:  # noqa: C901 - the callbacks are its own
    """Return events a second, and whether none was lost and the slow listener alone was detached."""
    sessions: list[BenchSession] = []

    def create(settings: ConnectionSettings, memory: Memory) -> BenchDriver:
        del settings, memory
        return BenchDriver(sessions)

    settings = [
        BenchSettings(
            name=f"c{number}", endpoints=(parse_endpoint("ami://host"),), policy=Policy(start_rate=0)
        )
        for number in range(DRIVERS)
    ]
    counts, detached = [0, 0, 0], []
    async with ConnectionManager(settings, drivers={"bench": create}) as manager:
        while not all(phase is Phase.UP for phase in manager.states.values()):
            await asyncio.sleep(0.01)

        def counter(index: int):
            def count(event: Event) -> None:
                del event
                counts[index] += 1

            return count

        def slow(event: Event) -> None:
            del event
            time.sleep(0.3)

        def told(event: ListenerDetached) -> None:
            detached.append(event.listener)

        manager.on("listener:detached", told)
        manager.on("connection:reported", slow)
        for _ in range(3):
            sessions[0].speak(1)
        for index in range(3):
            count = counter(index)
            manager.on("connection:reported", count)
            manager.on("connection:factsChanged", count)
        first = manager.position
        started = time.perf_counter()
        for turn in range(EVENTS // DRIVERS):
            for session in sessions:
                session.speak(turn)
        taken = time.perf_counter() - started
        numbered = manager.position.seq - first.seq
    return EVENTS / taken, counts == [EVENTS] * 3 and len(detached) == 1 and numbered == EVENTS


def theirs() -> float:
    emitter, counts = EventEmitter(), [0, 0, 0]

    def counter(index: int):
        def count(event: object) -> None:
            del event
            counts[index] += 1

        return count

    for index in range(3):
        emitter.add_listener("event", counter(index))
    event = object()
    started = time.perf_counter()
    for _ in range(EVENTS):
        emitter.emit("event", event)
    return EVENTS / (time.perf_counter() - started)


def run() -> list[Row]:
    mine, sound, bare = [], True, []
    for _ in range(RUNS):
        rate, whole = asyncio.run(ours())
        mine.append(rate)
        sound = sound and whole
        bare.append(theirs())
    rate = statistics.median(mine)
    return [
        Row(
            "events of 1,000 drivers through the ring to three listeners, every second with a new status",
            f"{rate:,.0f} a second, {'none lost, the slow listener detached' if sound else 'some LOST'}",
            "pyee bare, three listeners",
            f"{statistics.median(bare):,.0f} a second",
            "≥ 100,000 a second, none lost, one slow listener detached",
            yes(rate >= 100_000 and sound),
        )
    ]
