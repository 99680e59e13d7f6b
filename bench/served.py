"""A service and what speaks to it: how soon a dashboard shows it, what a probe costs, how big it is."""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.child import Child
from bench.dashboard import CALM, connections, trivial
from bench.screen import PAGE, Screen
from bench.server import PASSWORD
from bench.table import Row, yes
from manager.errors import TrunklineError
from manager.service import inquiry

RUNS = 7
PROBES = 25
MANY, VERY_MANY, FEW = 1000, 5000, 100
PATIENCE = 120.0
BARE = "import click\n@click.command()\ndef main(): click.echo('all is well')\nmain()"
TRUNKLINE = (sys.executable, "-m", "tui")


def run() -> list[Row]:
    return [*asyncio.run(_attached()), *asyncio.run(_asked()), *asyncio.run(_served())]


async def _attached() -> list[Row]:
    bare, ours = [], []
    with tempfile.TemporaryDirectory(prefix="tl-") as folder:
        address = Path(folder, "s.sock")
        async with Child("attended", address, MANY) as service:
            await _up(service, MANY)
            for _ in range(RUNS):
                bare.append(await asyncio.to_thread(trivial))
                ours.append(await asyncio.to_thread(_first_frame, address, folder))
    mine, theirs = statistics.median(ours), statistics.median(bare)
    return [
        Row(
            f"attach to the first frame with all rows and phases, {MANY:,} connections",
            f"{mine * 1000:.0f} ms, {(mine - theirs) * 1000:.0f} ms more",
            "a Textual app with Header and Footer",
            f"{theirs * 1000:.0f} ms",
            "≤ 400 ms more",
            yes(mine - theirs <= 0.4),
        )
    ]


def _first_frame(address: Path, home: str) -> float:
    with Screen([*TRUNKLINE, "--attach", str(address)], {"HOME": home}) as screen:
        # Connections that are up and of one host share a row.
        screen.until(lambda: f"{MANY:,} up" in screen.text and " on 10.0.0.1 " in screen.text)
        return screen.last_byte - screen.began


async def _asked() -> list[Row]:
    rows = []
    with tempfile.TemporaryDirectory(prefix="tl-") as folder:
        address = Path(folder, "s.sock")
        async with Child("attended", address, FEW) as service:
            await _up(service, FEW)
            ours, bare = await asyncio.to_thread(
                _medians, [*TRUNKLINE, "status", "--attach", str(address)], [sys.executable, "-c", BARE]
            )
            rows.append(
                Row(
                    f"`trunkline status`, whole process, {FEW} connections",
                    f"{ours * 1000:.0f} ms, {ours / bare:.2f}×",
                    "Python with click that prints a line",
                    f"{bare * 1000:.0f} ms",
                    "≤ 1.5×",
                    yes(ours <= 1.5 * bare),
                )
            )
        async with Child("attended", address, VERY_MANY) as service:
            await _up(service, VERY_MANY)
            ours, bare = await asyncio.to_thread(
                _medians,
                [*TRUNKLINE, "status", "--json", "--attach", str(address)],
                [sys.executable, "-c", BARE],
            )
            rows.append(
                Row(
                    f"`trunkline status --json`, whole process, {VERY_MANY:,} connections",
                    f"{ours * 1000:.0f} ms",
                    "Python with click that prints a line",
                    f"{bare * 1000:.0f} ms",
                    "≤ 300 ms",
                    yes(ours <= 0.3),
                )
            )
    return rows


def _medians(*commands: Sequence[str]) -> list[float]:
    """Return the median seconds of each command, run by turns."""
    times: list[list[float]] = [[] for _ in commands]
    for round_number in range(PROBES + 1):
        for command, found in zip(commands, times, strict=True):
            began = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            if round_number:
                found.append(time.perf_counter() - began)
    return [statistics.median(found) for found in times]


async def _served() -> list[Row]:
    async with Child("server", "ami") as server:
        port = await server.ask("port")
        with _serving(CALM + connections(port, FEW, group=4)) as service:
            await asyncio.to_thread(service.until_up, FEW)
            await asyncio.sleep(5.0)
            size = service.memory / 2**20
        with _serving(CALM + connections(port, MANY, group=4)) as service:
            await asyncio.to_thread(service.until_up, MANY)
            service.kill()
            seconds = await asyncio.to_thread(service.begin_again)
    return [
        Row(
            f"memory of `trunkline serve`, {FEW} connections",
            f"{size:.0f} MiB",
            "",
            "",
            "≤ 60 MiB",
            yes(size <= 60),
        ),
        Row(
            f"restart after SIGKILL until every supervisor is started, {MANY:,} connections",
            f"{seconds:.2f} s",
            "",
            "",
            "≤ 2 s",
            yes(seconds <= 2.0),
        ),
    ]


class _Service:
    """`trunkline serve` in a home of its own."""

    def __init__(self, folder: Path, settings: str) -> None:
        self._address = folder / "s.sock"
        self._settings = folder / "config.toml"
        self._settings.write_text(settings)
        self._environment = {"HOME": str(folder), "BENCH": PASSWORD, "PATH": os.environ["PATH"]}
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*TRUNKLINE, "serve", "--config", str(self._settings), "--socket", str(self._address)],
            env=self._environment,
            stderr=subprocess.DEVNULL,
            cwd=Path(__file__).parents[1],
        )

    @property
    def memory(self) -> int:
        """Bytes that are resident."""
        return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * PAGE

    def phases(self) -> list[str]:
        """Return the phase of every connection; none while nobody answers."""
        with suppress(TrunklineError):
            answer = inquiry.ask(self._address)
            if answer["service"]["pid"] == self._process.pid:
                return [status["phase"] for status in answer["snapshot"]["statuses"]]
        return []

    def until_up(self, number: int) -> None:
        end = time.monotonic() + PATIENCE
        while self.phases().count("up") < number:
            if time.monotonic() > end:
                raise RuntimeError("not all came up")
            time.sleep(0.1)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def begin_again(self) -> float:
        """Start it; return the seconds until all its supervisors are."""
        began = time.monotonic()
        self._process = self._start()
        while not (phases := self.phases()) or "stopped" in phases:
            time.sleep(0.01)
        return time.monotonic() - began

    def end(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()


@contextmanager
def _serving(settings: str) -> Iterator[_Service]:
    with tempfile.TemporaryDirectory(prefix="tl-") as folder:
        service = _Service(Path(folder), settings)
        try:
            yield service
        finally:
            service.end()


async def _up(service: Child, number: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while await service.ask("up") < number:
            await asyncio.sleep(0.2)
