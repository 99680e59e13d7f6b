"""How long after a server's return its clients are back, and how hard they knock meanwhile.

panoramisk tries every 2 s from the loss on, a peek looks every second: after exactly 20 s one of the two is
always lucky. So outages of several seconds last longer or shorter by parts of such a period.
"""

from __future__ import annotations

import asyncio
import statistics
from dataclasses import dataclass

from bench.child import Child
from bench.table import Row, yes

NUMBER = 60
DOWN = (0.5, 5.0, 20.0)
RUNS = 4
PERIOD = 2.0
PATIENCE = 120.0
SIDES = ("ours", "plain", "theirs")
NAMES = {"websocket": "WebSocket", "ami": "AMI"}
PEERS = {"websocket": "websockets' own reconnecting iterator", "ami": "panoramisk's own reconnection"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """One outage of one side; seconds."""

    lag: float
    """Median over the clients."""
    worst: float
    peak: int
    """Most connects within 100 ms, from the return on."""
    connects: int
    """From the loss until all are back."""
    peeks: int


async def outage(kind: str, side: str, down: float) -> Outcome:
    async with Child("server", kind) as server:
        port = await server.ask("port")
        async with Child("clients", side, kind, port, NUMBER) as clients:
            await until_all_up(clients)
            await asyncio.sleep(1.0)
            before = await clients.ask("connects")
            back = await server.ask("down", down)
            logins: list[float] = []
            async with asyncio.timeout(PATIENCE):
                while len(logins) < NUMBER:
                    await asyncio.sleep(0.1)
                    logins = await server.ask("logins")
            await until_all_up(clients)
            after = await clients.ask("connects")
    connects = after["connects"][len(before["connects"]) :]
    lags = [login - back for login in logins[:NUMBER]]
    attempts = after["attempts"] - before["attempts"]
    return Outcome(
        lag=max(0.0, statistics.median(lags)),
        worst=max(lags),
        peak=busiest([each for each in connects if each >= back - 0.05]),
        connects=len(connects),
        peeks=len(connects) - attempts,
    )


async def until_all_up(clients: Child) -> None:
    async with asyncio.timeout(PATIENCE):
        while await clients.ask("up") < NUMBER:
            await asyncio.sleep(0.1)


def busiest(times: list[float]) -> int:
    return max((sum(start <= each < start + 0.1 for each in times) for start in times), default=0)


def lengths(down: float) -> list[float]:
    """Return how long the outages of the runs last: about `down`, evenly spread over a period."""
    if down < PERIOD:
        return [down] * RUNS
    return [down + PERIOD * ((run + 0.5) / RUNS - 0.5) for run in range(RUNS)]


async def outages(kind: str, down: float) -> dict[str, list[Outcome]]:
    found: dict[str, list[Outcome]] = {side: [] for side in SIDES}
    for length in lengths(down):
        for side, outcome in zip(
            SIDES, await asyncio.gather(*(outage(kind, side, length) for side in SIDES)), strict=True
        ):
            found[side].append(outcome)
    return found


def told(outcomes: list[Outcome]) -> str:
    lag = statistics.median(each.lag for each in outcomes)
    worst = statistics.median(each.worst for each in outcomes)
    peak = max(each.peak for each in outcomes)
    peeks = statistics.median(each.peeks for each in outcomes)
    attempts = statistics.median(each.connects for each in outcomes) - peeks
    beside = f" and {peeks:.0f} peeks" if peeks else ""
    return f"{lag:.2f} s (last {worst:.1f} s), peak {peak}, {attempts:.0f} connects{beside}"


def row(kind: str, down: float, found: dict[str, list[Outcome]]) -> Row:
    lag = {side: statistics.median(each.lag for each in found[side]) for side in SIDES}
    peak = max(each.peak for each in found["ours"])
    connects = {side: statistics.median(each.connects - each.peeks for each in found[side]) for side in SIDES}
    if kind == "websocket":
        target = "median ≤ ½, peak ≤ 10 a 100 ms"
        met = lag["ours"] <= lag["theirs"] / 2 and peak <= 10
    else:
        share = 0.5 if down >= 20 else 1.0
        target = f"median at most 1 s behind, connects ≤ {'½' if share < 1 else 'theirs'}"
        met = lag["ours"] <= lag["theirs"] + 1.0 and connects["ours"] <= connects["theirs"] * share
    spread = f", {min(lengths(down)):g} to {max(lengths(down)):g}" if down >= PERIOD else ""
    return Row(
        f"{NUMBER} {NAMES[kind]} clients, server away for {down:g} s{spread}",
        f"{told(found['ours'])}; plain schedule: {told(found['plain'])}",
        PEERS[kind],
        told(found["theirs"]),
        target,
        yes(met, _WHY_NOT),
    )


_WHY_NOT = (
    "the return is seen up to a second late, is given 0.25 s to settle, and 80 connects a second take 0.75 s"
)


def run() -> list[Row]:
    async def all_of_them() -> list[Row]:
        rows = []
        for kind in PEERS:
            rows += [row(kind, down, await outages(kind, down)) for down in DOWN]
        return rows

    return asyncio.run(all_of_them())
