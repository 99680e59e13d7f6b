"""One side that holds WebSocket connections, or the server that it holds them to, in a process of its own.

python -m bench.holders serve | ours PORT NUMBER | theirs PORT NUMBER
"""

from __future__ import annotations

import asyncio
import gc
import resource
import sys
import time
from pathlib import Path
from typing import Any

from bench.child import answer

INTERVAL = 25.0
PAGE = resource.getpagesize()


def resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


async def serve() -> None:
    from websockets.asyncio.server import ServerConnection
    from websockets.asyncio.server import serve as listen

    async def hold(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async with listen(hold, "127.0.0.1", 0, compression=None, ping_interval=None, backlog=5000) as server:
        port = next(iter(server.sockets)).getsockname()[1]

        async def handle(words: list[Any]) -> object:
            del words
            return port

        await answer(handle)


async def ours(port: int, number: int) -> None:
    from manager import ConnectionManager
    from manager.drivers import websocket  # noqa: F401 - loaded before the memory is measured
    from manager.endpoint import parse_endpoint
    from manager.settings import Policy, WebSocketSettings

    policy = Policy(start_rate=500, heartbeat_interval=INTERVAL)
    async with ConnectionManager() as manager:

        def add() -> None:
            for each in range(number):
                endpoints = (parse_endpoint(f"ws://127.0.0.1:{port}/"),)
                manager.add(WebSocketSettings(name=f"c{each}", endpoints=endpoints, policy=policy))

        def up() -> int:
            return sum(phase.connected for phase in manager.states.values())

        await _hold(add, up)


async def theirs(port: int, number: int) -> None:
    from websockets.asyncio.client import connect

    up, tasks = 0, []

    async def keep(delay: float) -> None:
        nonlocal up
        await asyncio.sleep(delay)
        async with connect(
            f"ws://127.0.0.1:{port}/", compression=None, ping_interval=INTERVAL, open_timeout=60
        ) as connection:
            up += 1
            async for _ in connection:
                pass

    def add() -> None:
        tasks.extend(asyncio.create_task(keep(each / 500)) for each in range(number))

    await _hold(add, lambda: up)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _hold(add: Any, up: Any) -> None:
    async def handle(words: list[Any]) -> object:
        match words:
            case ["add"]:
                before = resident()
                add()
                return before
            case ["up"]:
                return up()
            case ["bytes"]:
                return resident()
            case ["cpu"]:
                return time.process_time()
        raise ValueError(words)

    await answer(handle)


def main(side: str, *arguments: int) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run({"serve": serve, "ours": ours, "theirs": theirs}[side](*arguments))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
