"""SIP, WebSocket and AMI of one host that was away for a while: how long after the first the last is back."""

from __future__ import annotations

import asyncio
import statistics

from bench.table import Row, yes
from manager import ConnectionManager
from manager.events import StateChanged
from manager.lab.faults import Fault
from manager.lab.lab import Lab
from manager.model import Phase
from manager.settings import Policy

DOWN = 40.0
RUNS = 3
SIDES = {
    "default": Policy(),
    "without peek": Policy(peek=False),
    "alone": Policy(peek=False, sibling_wake=False, sibling_doubt=False),
}


async def spread(policy: Policy) -> tuple[float, float]:
    """Return how long after the return the first, and how long after the first the last is up, in seconds."""
    ups: dict[str, float] = {}
    loop = asyncio.get_running_loop()
    async with Lab(policy=policy) as lab, ConnectionManager(lab.connections()) as manager:
        number = len(manager.states)
        while not all(phase is Phase.UP for phase in manager.states.values()):
            await asyncio.sleep(0.05)
        for server in lab.servers:
            server.fault = Fault.REFUSE
        # Over UDP a loss is noticed only by a heartbeat.
        await manager.refresh_status()
        await asyncio.sleep(DOWN)

        def hear(event: StateChanged) -> None:
            if event.phase is Phase.UP:
                ups.setdefault(event.connection, loop.time())

        manager.on("connection:stateChanged", hear)
        lab.mend()
        back = loop.time()
        while len(ups) < number:
            await asyncio.sleep(0.05)
    return min(ups.values()) - back, max(ups.values()) - min(ups.values())


async def all_sides() -> Row:
    found = {
        name: await asyncio.gather(*(spread(policy) for _ in range(RUNS))) for name, policy in SIDES.items()
    }

    def told(name: str) -> str:
        first = statistics.median(each for each, _ in found[name])
        last = statistics.median(each for _, each in found[name])
        return f"first after {first:.1f} s, last {last:.2f} s after it"

    slowest = max(last for name in ("default", "without peek") for _, last in found[name])
    return Row(
        f"SIP, WebSocket and AMI of one host, away for {DOWN:g} s",
        f"{told('default')}; without peek: {told('without peek')}",
        "each alone, plain schedule",
        told("alone"),
        "last ≤ 1.5 s after the first",
        yes(slowest <= 1.5),
    )


def run() -> list[Row]:
    return [asyncio.run(all_sides())]
