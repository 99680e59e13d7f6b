"""When a peer that has frozen is noticed and given up, by defaults. Clients are begun a second apart."""

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
from manager.settings import WebSocketSettings

NUMBER = 26
"""So that their heartbeats are spread over a whole interval."""


async def ours(port: int, hang: asyncio.Future[float]) -> tuple[list[float], list[float]]:
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
            manager.add(
                WebSocketSettings(name=f"c{number}", endpoints=(parse_endpoint(f"ws://127.0.0.1:{port}/"),))
            )
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


async def both() -> Row:
    hang: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    async with Child("server", "websocket") as one, Child("server", "websocket") as other:
        sides = asyncio.gather(ours(await one.ask("port"), hang), theirs(await other.ask("port"), hang))
        await asyncio.sleep(NUMBER + 2.0)
        await other.ask("hang")
        hang.set_result(await one.ask("hang"))
        (noticed, given_up), closed = await sides
    return Row(
        "a peer that hangs, defaults on both sides",
        f"noticed after {statistics.median(noticed):.1f} s (at most {max(noticed):.1f}), given up after "
        f"{statistics.median(given_up):.1f} s (at most {max(given_up):.1f})",
        "websockets' keepalive",
        f"closed after {statistics.median(closed):.1f} s (at most {max(closed):.1f})",
        "noticed ≤ 36 s, given up ≤ 42 s",
        yes(max(noticed) <= 36 and max(given_up) <= 42),
    )


def run() -> list[Row]:
    return [asyncio.run(both())]
