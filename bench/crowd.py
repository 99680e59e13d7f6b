"""Fifty dashboards and twenty `trunkline events --follow` on one service: what they cost its engine."""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from bench.child import Child
from bench.table import Row, yes

CONNECTIONS = 1000
LOOKERS = 50
FOLLOWERS = 20
WINDOW = 10.0
WINDOWS = 3
PATIENCE = 180.0
BOUND = 0.05
"""Seconds that the engine may be late."""


async def crowd() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="tl-") as folder:
        address = Path(folder, "s.sock")
        async with Child("attended", address, CONNECTIONS) as service, AsyncExitStack() as stack:
            await _until(service, "up", CONNECTIONS)
            alone = await _calm(service)
            alone_burst = await _burst(service)
            lookers = await stack.enter_async_context(Child("lookers", address, LOOKERS))
            followers = [await _follower(address, stack) for _ in range(FOLLOWERS)]
            await _until(service, "clients", LOOKERS + FOLLOWERS)
            await _until(lookers, "up", CONNECTIONS)
            stopped = followers[0]
            stopped.send_signal(signal.SIGSTOP)
            crowded = await _calm(service)
            burst = await _burst(service)
            await _until(lookers, "up", CONNECTIONS)
            async with asyncio.timeout(PATIENCE):
                while await service.ask("clients") > LOOKERS + FOLLOWERS - 1:
                    await _burst(service)
                while await lookers.ask("behind", await service.ask("events")):
                    await asyncio.sleep(0.2)
    what = f"{LOOKERS} dashboards and {FOLLOWERS} `events --follow`, one of them stopped"
    # Whoever did not see it, or was not dropped, has ended this with a timeout.
    return [
        Row(
            f"engine late, {CONNECTIONS:,} connections, {what}",
            _told(crowded),
            "nobody attached",
            _told(alone),
            f"≤ {BOUND * 1000:.0f} ms",
            yes(crowded[0] <= BOUND),
        ),
        Row(
            "the same while all connections are lost and come back at once",
            f"{_told(burst)}; the stopped one is dropped, the others see all back",
            "nobody attached",
            _told(alone_burst),
            "all see it, the stopped one is dropped",
            yes(True),
        ),
    ]


async def _follower(address: Path, stack: AsyncExitStack) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "tui", "events", "--follow", "--json", "--attach", str(address)]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, env=dict(os.environ)
    )

    async def end() -> None:
        process.kill()
        await process.wait()

    stack.push_async_callback(end)
    return process


async def _calm(service: Child) -> tuple[float, float]:
    """Return how late the engine is at most, and in 99 of 100 cases: the middle of several windows."""
    windows = []
    for _ in range(WINDOWS):
        await service.ask("lag")
        await asyncio.sleep(WINDOW)
        windows.append(await service.ask("lag"))
    most, usual = map(statistics.median, zip(*windows, strict=True))
    return most, usual


async def _burst(service: Child) -> tuple[float, float]:
    """Lose every session and wait until all are back."""
    await service.ask("lag")
    await service.ask("lose")
    await asyncio.sleep(1.0)
    await _until(service, "up", CONNECTIONS)
    await asyncio.sleep(1.0)
    most, usual = await service.ask("lag")
    return most, usual


async def _until(child: Child, word: str, number: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while await child.ask(word) < number:
            await asyncio.sleep(0.2)


def _told(lag: tuple[float, float]) -> str:
    return f"{lag[0] * 1000:.0f} ms at most, {lag[1] * 1000:.1f} ms in 99 of 100"


def run() -> list[Row]:
    return asyncio.run(crowd())
