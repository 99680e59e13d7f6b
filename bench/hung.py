"""When a peer that has frozen is noticed and given up, by defaults. Clients are begun a second apart.

Together, the first of ours that gives its session up makes the others ask at once; alone, none learns from
another. What is to be reached counts for both.
"""

from __future__ import annotations

import asyncio
import statistics

from websockets.asyncio.client import connect

from bench.child import Child
from bench.table import Row, yes
from manager import ConnectionManager
from manager.endpoint import parse_endpoint
from manager.events import StateChanged
from manager.model import Phase
from manager.settings import Policy, WebSocketSettings

NUMBER = 26
"""So that their heartbeats are spread over a whole interval."""
TOGETHER, ALONE = Policy(), Policy(sibling_doubt=False)


async def ours(policy: Policy, port: int, hang: asyncio.Future[float]) -> tuple[list[float], list[float]]:
    noticed: dict[str, float] = {}
    given_up: dict[str, float] = {}
    loop = asyncio.get_running_loop()

    def hear(event: StateChanged) -> None:
        if hang.done() and event.phase is Phase.SUSPECT:
            noticed.setdefault(event.connection, loop.time() - hang.result())
        if hang.done() and event.phase is Phase.WAITING:
            given_up.setdefault(event.connection, loop.time() - hang.result())

    async with ConnectionManager() as manager:
        manager.on("connection:stateChanged", hear)
        for number in range(NUMBER):
            endpoints = (parse_endpoint(f"ws://127.0.0.1:{port}/"),)
            manager.add(WebSocketSettings(name=f"c{number}", endpoints=endpoints, policy=policy))
            await asyncio.sleep(1.0)
        await hang
        while len(given_up) < NUMBER:
            await asyncio.sleep(0.5)
    return list(noticed.values()), list(given_up.values())


async def theirs(port: int, hang: asyncio.Future[float]) -> list[float]:
    async def keep() -> float:
        connection = await connect(f"ws://127.0.0.1:{port}/")
        await connection.wait_closed()
        return asyncio.get_running_loop().time() - hang.result()

    tasks = []
    for _ in range(NUMBER):
        tasks.append(asyncio.create_task(keep()))
        await asyncio.sleep(1.0)
    return await asyncio.gather(*tasks)


async def all_sides() -> Row:
    hang: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    async with (
        Child("server", "websocket") as one,
        Child("server", "websocket") as another,
        Child("server", "websocket") as third,
    ):
        sides = asyncio.gather(
            ours(TOGETHER, await one.ask("port"), hang),
            ours(ALONE, await another.ask("port"), hang),
            theirs(await third.ask("port"), hang),
        )
        await asyncio.sleep(NUMBER + 2.0)
        await third.ask("hang")
        await another.ask("hang")
        hang.set_result(await one.ask("hang"))
        together, alone, closed = await sides
    latest = max(*together[0], *alone[0]), max(*together[1], *alone[1])
    return Row(
        "a peer that hangs, defaults on both sides",
        f"together {told(*together)}; each alone {told(*alone)}",
        "websockets' keepalive",
        f"closed after {statistics.median(closed):.1f} s (at most {max(closed):.1f})",
        "noticed ≤ 36 s, given up ≤ 42 s",
        yes(latest[0] <= 36 and latest[1] <= 42),
    )


def told(noticed: list[float], given_up: list[float]) -> str:
    return (
        f"noticed after {statistics.median(noticed):.1f} s (at most {max(noticed):.1f}), "
        f"given up after {statistics.median(given_up):.1f} s (at most {max(given_up):.1f})"
    )


def run() -> list[Row]:
    return [asyncio.run(all_sides())]
