"""One side's clients in a process of their own: `connects` tells when sockets were connected.

python -m bench.clients SIDE KIND PORT NUMBER
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from typing import Any

from bench.child import answer
from bench.server import PASSWORD, USER

CONNECTS: list[float] = []


def note_connects(port: int) -> None:
    """Note every `connect` to the port, whoever makes it."""

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.connect" and arguments[1][1] == port:
            CONNECTS.append(time.monotonic())

    sys.addaudithook(hear)


async def ours(kind: str, port: int, number: int, *, plain: bool) -> None:
    from manager import ConnectionManager
    from manager.endpoint import parse_endpoint
    from manager.secret import Secret, SecretSource
    from manager.settings import AmiSettings, Policy, WebSocketSettings

    shared = not plain
    policy = Policy(sibling_wake=shared, sibling_doubt=shared, peek=shared, start_rate=80 if shared else 0)
    secret = SecretSource(plain=Secret(PASSWORD))
    settings = [
        AmiSettings(
            name=f"c{each}",
            endpoints=(parse_endpoint(f"ami://127.0.0.1:{port}"),),
            username=USER,
            password=secret,
            policy=policy,
        )
        if kind == "ami"
        else WebSocketSettings(
            name=f"c{each}", endpoints=(parse_endpoint(f"ws://127.0.0.1:{port}/"),), policy=policy
        )
        for each in range(number)
    ]
    async with ConnectionManager(settings) as manager:

        async def handle(words: list[Any]) -> object:
            if words == ["up"]:
                return sum(phase.connected for phase in manager.states.values())
            opened = sum(status.generation for status in manager.get_connection_status().values())
            return {"connects": CONNECTS, "attempts": opened}

        await answer(handle)


async def iterator(port: int, number: int) -> None:
    from websockets.asyncio.client import connect

    up = 0

    async def keep() -> None:
        nonlocal up
        async for connection in connect(f"ws://127.0.0.1:{port}/"):
            up += 1
            await connection.wait_closed()
            up -= 1

    await _answer_beside([asyncio.create_task(keep()) for _ in range(number)], lambda: up)


async def panoramisk(port: int, number: int) -> None:
    from panoramisk import Manager

    managers = [
        Manager(host="127.0.0.1", port=port, username=USER, secret=PASSWORD, loop=asyncio.get_running_loop())
        for _ in range(number)
    ]
    tasks = [asyncio.ensure_future(manager.connect()) for manager in managers]
    await _answer_beside(tasks, lambda: sum(manager.authenticated for manager in managers))


async def _answer_beside(tasks: list[Any], up: Any) -> None:
    async def handle(words: list[Any]) -> object:
        return up() if words == ["up"] else {"connects": CONNECTS, "attempts": len(CONNECTS)}

    await answer(handle)
    for task in tasks:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks, return_exceptions=True)


def main(side: str, kind: str, port: int, number: int) -> None:
    note_connects(port)
    if side == "theirs":
        asyncio.run(panoramisk(port, number) if kind == "ami" else iterator(port, number))
    else:
        asyncio.run(ours(kind, port, number, plain=side == "plain"))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
