"""How often a wrong secret is tried in ten minutes: SIP, WebSocket and AMI against panoramisk alone."""

from __future__ import annotations

import asyncio

from panoramisk import Manager

from bench.table import Row, yes
from manager import ConnectionManager
from manager.lab.ami import AmiServer
from manager.lab.faults import Fault
from manager.lab.lab import Lab
from manager.secret import Secret

SECONDS = 600.0


async def ours() -> int:
    async with Lab() as lab:
        for server in lab.servers:
            server.fault = Fault.WRONG_PASSWORD
        async with ConnectionManager(lab.connections()):
            await asyncio.sleep(SECONDS)
        return sum(server.refused for server in lab.servers)


async def theirs() -> int:
    async with AmiServer(username="monitor", password=Secret("right")) as server:
        manager = Manager(
            host="127.0.0.1",
            port=server.port,
            username="monitor",
            secret="wrong",
            loop=asyncio.get_running_loop(),
        )
        connecting = asyncio.ensure_future(manager.connect())
        await asyncio.sleep(SECONDS)
        refused = server.refused
        connecting.cancel()
        manager.close()
    return refused


async def both() -> Row:
    mine, panoramisk = await asyncio.gather(ours(), theirs())
    return Row(
        "failed logins in 10 min with a wrong secret, SIP, WebSocket and AMI of one host",
        f"{mine} in all",
        "panoramisk, AMI alone",
        str(panoramisk),
        "≤ 4 in all",
        yes(mine <= 4),
    )


def run() -> list[Row]:
    return [asyncio.run(both())]
