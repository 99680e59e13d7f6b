"""The whole dashboard on a terminal: its start, and what it writes and takes while little happens."""

from __future__ import annotations

import asyncio
import json
import socket
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.child import Child
from bench.screen import Screen, Spent
from bench.server import PASSWORD, USER
from bench.table import Row, yes

NUMBER = 100
LEAST_UP = 20
"""Connections that are up beside those that wait, so that heartbeats are seen to happen."""
RUNS = 5
SETTLED = 15.0
"""Seconds until what a start has left behind is done with."""
WINDOW = 20.0
"""Seconds, with two heartbeats of each connection in them."""
CALM = """
[defaults]
heartbeat_interval = 10
heartbeat_timeout = 9
jitter = 0
base_delay = 30
max_delay = 30
"""
"""A wait is as long as the longest of the default numbers."""
CONNECTION = """
[connections.pbx-{each}]
type = "ami"
endpoints = ["ami://{host}:{port}"]
group = "pbx{group}"
username = "{user}"
password = {{ env = "BENCH" }}
"""


@contextmanager
def running(settings: str, *options: str) -> Iterator[Screen]:
    """Run the whole program on a configuration, in a home of its own."""
    with tempfile.TemporaryDirectory() as home:
        path = Path(home, "config.toml")
        path.write_text(settings)
        command = [sys.executable, "-m", "tui", "--config", str(path), *options]
        with Screen(command, {"HOME": home, "BENCH": PASSWORD}) as screen:
            yield screen


def connections(port: int, number: int, *, first: int = 0, group: int | None = None) -> str:
    return "".join(
        CONNECTION.format(
            each=each, host="127.0.0.1", port=port, user=USER, group=each if group is None else each % group
        )
        for each in range(first, first + number)
    )


@contextmanager
def held(number: int, start_rate: int = 0, kind: str = "held") -> Iterator[tuple[Screen, Control]]:
    """Run the dashboard over connections that are no sockets, `slow` too, or their manager alone (`bare`)."""
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-m", "bench.shown", kind, *map(str, (theirs.fileno(), number, start_rate))]
    with ours, theirs, Screen(command, fds=[theirs.fileno()]) as screen:
        yield screen, Control(ours)


class Control:
    """Tells a dashboard over held connections what is to happen to them."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._answers = end.makefile("r")

    def rate(self, events: int) -> None:
        """Have so many events happen a second from now on."""
        self._end.sendall(json.dumps(["rate", events]).encode() + b"\n")

    @property
    def sent(self) -> int:
        """How many events there have been."""
        self._end.sendall(b'["sent"]\n')
        return int(self._answers.readline())


def trivial() -> float:
    with Screen([sys.executable, "-m", "bench.shown", "trivial"]) as screen:
        return screen.shows("the first frame is here")


async def start() -> list[Row]:
    ours, bare, written = [], [], []
    async with Child("server", "ami") as server:
        port = await server.ask("port")
        settings = CALM + connections(port, NUMBER, group=4)
        for _ in range(RUNS):
            bare.append(await asyncio.to_thread(trivial))
            seconds, octets = await asyncio.to_thread(_start, settings)
            ours.append(seconds)
            written.append(octets)
    mine, theirs, octets = map(statistics.median, (ours, bare, written))
    return [
        Row(
            f"start to the first frame with names and phases, {NUMBER} connections",
            f"{mine * 1000:.0f} ms, {mine / theirs:.2f}×, {octets / 1000:.1f} kB until settled",
            "a Textual app with Header and Footer",
            f"{theirs * 1000:.0f} ms",
            "≤ 1.3×, ≤ 25 kB",
            yes(mine <= 1.3 * theirs and octets <= 25_000),
        )
    ]


def _start(settings: str) -> tuple[float, int]:
    with running(settings) as screen:
        screen.until(lambda: "pbx" in screen.text and ("connecting" in screen.text or " up" in screen.text))
        seconds = screen.last_byte - screen.began
        screen.shows(f"{NUMBER} up")
        screen.settled()
        return seconds, screen.written


async def quiet() -> list[Row]:
    async with Child("server", "ami") as server:
        port = await server.ask("port")

        with running(CALM + connections(port, NUMBER, group=4)) as screen:
            await asyncio.to_thread(screen.shows, f"{NUMBER} up")
            answered = 0
            while answered < 3 * NUMBER:
                # Until then there is no usual latency that a row could show.
                await asyncio.to_thread(screen.read, 0.5)
                answered += await server.ask("pings")
            await asyncio.to_thread(screen.settled)
            await server.ask("pings")
            spent = await asyncio.to_thread(screen.spent, WINDOW)
            pings = await server.ask("pings")
    return [
        Row(
            f"bytes a second, {NUMBER} connections up, {pings} heartbeats seen in {WINDOW:.0f} s",
            f"{spent.bytes:,.0f} B",
            "nothing",
            "0 B",
            "0 B",
            yes(spent.bytes == 0 and pings >= NUMBER),
        )
    ]


async def counting(waiting: int, target: float) -> list[Row]:
    """Bytes while some wait, each in a group of its own, so that none shares a row."""
    async with Child("server", "ami") as server:
        port, closed = await server.ask("port"), _closed_port()
        settings = CALM + connections(port, max(NUMBER - waiting, LEAST_UP), group=4)
        settings += connections(closed, waiting, first=NUMBER)
        spent, pings = await _counted(server, settings, waiting)
        slow, _ = await _counted(server, settings, waiting, "--slow")
    visible = "one" if waiting == 1 else f"as many as fit of {waiting}"
    rows = [
        Row(
            f"bytes a second, {visible} counting down, {pings} heartbeats seen",
            f"{spent.bytes:,.0f} B",
            "",
            "",
            f"≤ {target:,.0f} B",
            yes(spent.bytes <= target),
        ),
        Row(
            "the same with `--slow`",
            f"{slow.bytes:,.0f} B",
            "without",
            f"{spent.bytes:,.0f} B",
            f"≤ {target / 2:,.0f} B",
            yes(slow.bytes <= target / 2),
        ),
    ]
    if waiting > 1:
        rows.append(
            Row(
                f"CPU, {waiting} counting down",
                f"{spent.cpu:.1%} of a core, {spent.drawing:.1%} of it drawing",
                "",
                "",
                "≤ 3 %",
                yes(spent.cpu <= 0.03),
            )
        )
    return rows


async def _counted(server: Child, settings: str, waiting: int, *options: str) -> tuple[Spent, int]:
    with running(settings, *options) as screen:
        await asyncio.to_thread(screen.shows, f"{waiting} waiting")
        await asyncio.to_thread(screen.read, 4.0)
        await server.ask("pings")
        spent = await asyncio.to_thread(screen.spent, WINDOW)
        return spent, await server.ask("pings")


def _closed_port() -> int:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return closed.getsockname()[1]


def many(number: int = 5000) -> list[Row]:
    whole, bare = (_quiet_share(number, kind) for kind in ("held", "bare"))
    return [
        Row(
            f"CPU of the dashboard, {number:,} connections quiet, {number // 25} heartbeats a second",
            f"{whole.drawing:.1%} of a core in its thread, {whole.cpu:.1%} with its manager",
            "the same manager without a dashboard",
            f"{bare.cpu:.1%}",
            "≤ 1 % in its thread",
            yes(whole.drawing <= 0.01),
        )
    ]


def _quiet_share(number: int, kind: str) -> Spent:
    with held(number, 200, kind) as (screen, _):
        screen.shows(f"{number:,} up")
        screen.read(SETTLED)
        return screen.spent(2 * WINDOW)


def run() -> list[Row]:
    rows = [*asyncio.run(start()), *asyncio.run(quiet())]
    for waiting, target in ((1, 150), (NUMBER, 3200)):
        rows += asyncio.run(counting(waiting, target))
    return [*rows, *many()]
