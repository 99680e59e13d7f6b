"""What many quiet WebSocket connections cost: memory of each, and CPU of a minute of heartbeats."""

from __future__ import annotations

import asyncio
import statistics
from dataclasses import dataclass

from bench.child import Child
from bench.table import Row, yes

NUMBERS = (1000, 5000)
RUNS = 3
SETTLED = 32.0
"""Seconds: past the first heartbeats and the proof of stability."""
WINDOW = 50.0
"""Seconds: two heartbeats of each connection."""
PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one side."""

    bytes: float
    """A connection."""
    cpu: float
    """Seconds in the window, of all."""


async def hold(side: str, number: int) -> Cost:
    async with Child("holders", "serve") as server:
        port = await server.ask("port")
        async with Child("holders", side, port, number) as holder:
            before = await holder.ask("add")
            async with asyncio.timeout(PATIENCE):
                while await holder.ask("up") < number:
                    await asyncio.sleep(0.2)
            await asyncio.sleep(SETTLED)
            begin = await holder.ask("cpu")
            await asyncio.sleep(WINDOW)
            cpu = await holder.ask("cpu") - begin
            return Cost((await holder.ask("bytes") - before) / number, cpu)


async def compare(number: int) -> list[Row]:
    sides: dict[str, list[Cost]] = {"ours": [], "theirs": []}
    for _ in range(RUNS):
        for side, cost in zip(
            sides, await asyncio.gather(*(hold(side, number) for side in sides)), strict=True
        ):
            sides[side].append(cost)
    memory = {side: statistics.median(each.bytes for each in costs) for side, costs in sides.items()}
    cpu = {side: statistics.median(each.cpu for each in costs) for side, costs in sides.items()}
    more, busier = memory["ours"] / memory["theirs"], cpu["ours"] / cpu["theirs"]
    peer = "websockets, compression=None, keepalive and a reader task"
    return [
        Row(
            f"memory of {number:,} WebSocket connections that are held, after {SETTLED + WINDOW:g} s",
            f"{memory['ours'] / 1024:.1f} KiB each, {more:.2f}×, the last events and messages included, "
            "which are bounded in all",
            peer,
            f"{memory['theirs'] / 1024:.1f} KiB each",
            "≤ 1.6×",
            yes(more <= 1.6, _WHY_MORE),
        ),
        Row(
            f"CPU of {number:,} WebSocket connections that are held, a heartbeat each every 25 s",
            f"{cpu['ours'] / WINDOW * 1000:.1f} ms a second, {busier:.2f}×",
            peer,
            f"{cpu['theirs'] / WINDOW * 1000:.1f} ms a second",
            "≤ 1.3×",
            yes(busier <= 1.3, _WHY_BUSIER),
        ),
    ]


_WHY_MORE = "a status, a history and the last events and messages are kept of each"
_WHY_BUSIER = "each heartbeat is an event with a new status, and a message on record"


def run() -> list[Row]:
    return [row for number in NUMBERS for row in asyncio.run(compare(number))]
