"""What SIP registrations cost: CPU of challenged ones, and of a minute of holding them."""

from __future__ import annotations

import asyncio
import statistics
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.metadata import version

from bench.child import Child
from bench.registrants import EXPIRES
from bench.registrar import USER, grants, registrar
from bench.table import Row, yes
from tests.real.kamailio import Kamailio

NUMBER = 1000
RUNS = 3
MINUTE = 60.0
PATIENCE = 120.0
SIDES = ("ours", "theirs", "driver", "shared")


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU of one side, in seconds."""

    registering: float
    holding: float
    held: int
    """How many are still registered at the end."""


async def costs(server: Kamailio) -> dict[str, Cost]:
    """Let one side after the other register, then all of them hold what they have."""
    async with AsyncExitStack() as stack:
        children: dict[str, Child] = {}
        registering: dict[str, float] = {}
        for side in SIDES:
            child = Child("registrants", side, server.ports.udp, server.secrets[USER], NUMBER)
            children[side] = await stack.enter_async_context(child)
            registering[side] = await register(child)
        before = {side: await child.ask("spent") for side, child in children.items()}
        await asyncio.sleep(MINUTE)
        after = {side: await child.ask("spent") for side, child in children.items()}
        held = {side: await child.ask("up") for side, child in children.items()}
    return {side: Cost(registering[side], after[side] - before[side], held[side]) for side in SIDES}


async def register(child: Child) -> float:
    assert await child.ask("up") == 0
    began = await child.ask("begin")
    async with asyncio.timeout(PATIENCE):
        while await child.ask("up") < NUMBER:
            await asyncio.sleep(0.2)
    return await child.ask("spent") - began


def run() -> list[Row]:
    found: list[dict[str, Cost]] = []
    for _ in range(RUNS):
        with registrar() as server:
            found.append(asyncio.run(costs(server)))
            users = Counter(user.rstrip("0123456789") for user in {user for user, _ in grants(server)})
            assert users == dict.fromkeys(SIDES, NUMBER), users
    registering = {side: statistics.median(each[side].registering for each in found) for side in SIDES}
    holding = {side: statistics.median(each[side].holding for each in found) for side in SIDES}
    held = {side: min(each[side].held for each in found) for side in SIDES}
    ours = registering["ours"]
    met = ours <= registering["theirs"] / 2
    peer = f"aiosipua {version('aiosipua')}"
    return [
        Row(
            f"CPU of {NUMBER:,} challenged SIP registrations over UDP, a socket each",
            f"{ours:.2f} s, {ours / registering['theirs']:.2f}×; "
            f"{ours / registering['shared']:.2f}× of all on one socket; "
            f"{registering['driver']:.2f} s of it the driver",
            peer,
            f"{registering['theirs']:.2f} s a socket each; {registering['shared']:.2f} s all on one socket, "
            "as it is documented",
            "≤ ½ of a socket each",
            yes(met, _WHY_NOT),
        ),
        Row(
            f"CPU of holding them for a minute, {EXPIRES} s each",
            f"{holding['ours']:.2f} s with heartbeats and checks, {held['ours']:,} held; "
            f"refreshes alone {holding['driver']:.2f} s",
            f"{peer}, refreshes alone",
            f"{holding['theirs']:.2f} s, {held['theirs']:,} held; "
            f"all on one socket {holding['shared']:.2f} s, {held['shared']:,} held",
            "measured and told",
            "–",
        ),
    ]


_WHY_NOT = (
    "its client neither sends again nor checks whose binding it was granted; "
    "ours reads, remembers and watches each registration"
)
