"""What `import manager` costs in a process of its own, against the libraries imported bare."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from bench.table import Row, yes

RUNS = 15
OURS = "import manager"
THEIRS = "import websockets.asyncio.client, panoramisk, tenacity"


def seconds(code: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - started


def run() -> list[Row]:
    seconds(OURS), seconds(THEIRS)
    pairs = [(seconds(OURS), seconds(THEIRS)) for _ in range(RUNS)]
    mine, bare = (statistics.median(side) for side in zip(*pairs, strict=True))
    return [
        Row(
            "import of `manager`, whole process",
            f"{mine * 1000:.0f} ms, {mine / bare:.2f}×",
            "websockets, panoramisk and tenacity bare",
            f"{bare * 1000:.0f} ms",
            "≤ 1.0×",
            yes(mine <= bare),
        )
    ]
