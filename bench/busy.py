"""The whole dashboard under many events: what it writes and takes, how soon a key is answered, its memory."""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from pathlib import Path

from bench import tailed
from bench.dashboard import Control, held
from bench.screen import Screen, Spent
from bench.table import Row, yes

WINDOW = 20.0
RATES = ((200, 40_000), (2000, 60_000))
"""Events a second, and the bytes a second that they may cost at most."""
KEYS = 60
MANY = 100_000
LINE = "2026-11-24 12:00:00 pbx-{0} peerStatus PJSIP/trunk/{1} is busy here, 486 from 203.0.113.{2}\n"


def log() -> list[Row]:
    rows = []
    for rate, most in RATES:
        ours, events = _ours(rate, "held")
        slow, _ = _ours(rate, "slow")
        theirs = _theirs(rate)
        quick = rate > RATES[0][0] or ours.cpu <= 0.10
        rows.append(
            Row(
                f"the whole screen under {events:,.0f} events a second, one in ten a change of phase",
                f"{ours.bytes / 1000:.1f} kB a second, {ours.cpu:.0%} of a core, {ours.drawing:.0%} drawing",
                "toolong following as many lines",
                f"{theirs.bytes / 1000:.0f} kB a second, {theirs.cpu:.0%}",
                f"≤ {most // 1000} kB{', ≤ 10 %' if rate == RATES[0][0] else ''}",
                yes(ours.bytes <= most and quick),
            )
        )
        rows.append(
            Row(
                "the same with `--slow`",
                f"{slow.bytes / 1000:.1f} kB a second, {slow.cpu:.0%} of a core, {slow.drawing:.0%} drawing",
                "without",
                f"{ours.bytes / 1000:.1f} kB a second",
                f"≤ {most // 2000} kB, ≤ 0.6×",
                yes(slow.bytes <= min(most / 2, 0.6 * ours.bytes)),
            )
        )
    return rows


def _ours(rate: int, kind: str) -> tuple[Spent, float]:
    with held(100, kind=kind) as (screen, control):
        screen.shows("100 up")
        control.rate(rate)
        screen.read(3.0)
        before, began = control.sent, time.monotonic()
        spent = screen.spent(WINDOW)
        return spent, (control.sent - before) / (time.monotonic() - began)


def _theirs(rate: int) -> Spent:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "events.log")
        file.write_text("".join(LINE.format(each, each, each) for each in range(100)))
        over = threading.Event()
        writer = threading.Thread(target=_append, args=(file, rate, over))
        with Screen(tailed.command(file)) as screen:
            screen.shows("peerStatus")
            # It follows once it has been brought to the end.
            screen.press("\x1b[F")
            writer.start()
            try:
                screen.read(3.0)
                return screen.spent(WINDOW)
            finally:
                over.set()
                writer.join()


def _append(file: Path, rate: int, over: threading.Event) -> None:
    number, began = 0, time.monotonic()
    with file.open("a") as lines:
        while not over.wait(0.05):
            due = int((time.monotonic() - began) * rate)
            lines.writelines(LINE.format(each % 100, each, each % 256) for each in range(number, due))
            lines.flush()
            number = due


def keys() -> list[Row]:
    with held(1000) as (screen, control):
        screen.shows("1,000 up")
        screen.settled()
        calm, calm_late = _answers(screen)
        control.rate(2000)
        screen.read(5.0)
        middle, late = _answers(screen)
    return [
        Row(
            "key to visible answer, 2,000 events a second, 1,000 connections",
            f"{middle * 1000:.0f} ms, p95 {late * 1000:.0f} ms",
            "the same while nothing happens",
            f"{calm * 1000:.0f} ms, p95 {calm_late * 1000:.0f} ms",
            "p95 ≤ 100 ms",
            yes(late <= 0.1),
        )
    ]


def _answers(screen: Screen) -> tuple[float, float]:
    waits = sorted(_answer(screen, number) for number in range(KEYS))
    return statistics.median(waits), waits[int(0.95 * KEYS) - 1]


def _answer(screen: Screen, number: int) -> float:
    """Open the filter, see its prompt, and close it again."""
    screen.read(0.1 + number % 7 / 40)
    began = time.monotonic()
    screen.press("/")
    screen.shows("rows /")
    waited = screen.last_byte - began
    screen.press("\x1b")
    screen.read(0.3)
    return waited


def memory() -> list[Row]:
    with held(1000) as (screen, control):
        screen.shows("1,000 up")
        control.rate(4000)
        _wait_for(control, screen, MANY)
        control.rate(0)
        screen.settled()
        size = screen.memory / 2**20
    return [
        Row(
            f"memory after {MANY:,} events, 1,000 connections",
            f"{size:.0f} MiB",
            "",
            "",
            "≤ 120 MiB",
            yes(size <= 120),
        )
    ]


def _wait_for(control: Control, screen: Screen, number: int) -> None:
    while control.sent < number:
        screen.read(0.5)


def run() -> list[Row]:
    return [*log(), *keys(), *memory()]
