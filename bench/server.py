"""A lab server in a process of its own: `down SECONDS` takes it away, `logins` tells of logins,
`pings` how many there were since it was last asked."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from typing import Any

from bench.child import answer
from manager.lab.ami import AmiServer
from manager.lab.faults import Fault
from manager.lab.server import LabServer
from manager.lab.websocket import WebSocketServer
from manager.secret import Secret

USER, PASSWORD = "monitor", "bench"


def server_of(kind: str) -> LabServer:
    if kind == "ami":
        return AmiServer(username=USER, password=Secret(PASSWORD))
    return WebSocketServer()


async def main(kind: str) -> None:
    async with server_of(kind) as server:
        server.logged_in_at = deque(maxlen=100_000)
        if isinstance(server, AmiServer):
            server.actions = deque(maxlen=100_000)

        async def handle(words: list[Any]) -> object:
            match words:
                case ["port"]:
                    return server.port
                case ["logins"]:
                    return list(server.logged_in_at)
                case ["pings"]:
                    assert isinstance(server, AmiServer)
                    pings = server.actions.count("Ping")
                    server.actions.clear()
                    return pings
                case ["hang"]:
                    server.fault = Fault.HANG
                    return time.monotonic()
                case ["down", seconds]:
                    server.fault = Fault.REFUSE
                    await asyncio.sleep(seconds)
                    server.logged_in_at.clear()
                    server.fault = None
                    return time.monotonic()
            raise ValueError(words)

        await answer(handle)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
