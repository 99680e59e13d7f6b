"""`trunkline watch` as its user runs it, and what it prints."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any


@asynccontextmanager
async def watching(
    settings: Path, home: Path, *, ending: signal.Signals = signal.SIGTERM
) -> AsyncIterator[list[dict[str, Any]]]:
    """Run `trunkline watch` and gather its lines, to the last one once it has been ended by a signal."""
    lines: list[dict[str, Any]] = []
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tui",
        "watch",
        "--config",
        str(settings),
        env={"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONUTF8": "1"},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None

    async def gather(stdout: asyncio.StreamReader) -> None:
        while text := await stdout.readline():
            lines.append(json.loads(text))

    reader = asyncio.create_task(gather(process.stdout))
    try:
        yield lines
        process.send_signal(ending)
        async with asyncio.timeout(10):
            await reader
            assert await process.wait() == (0 if ending is signal.SIGTERM else -ending)
    finally:
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        if process.returncode is None:
            process.kill()
            await process.wait()


def phases(lines: list[dict[str, Any]]) -> dict[str, str]:
    """Return the last phase of each connection that was told."""
    return {line["connection"]: line["phase"] for line in lines if "phase" in line}
