"""One side of a benchmark in a process of its own, asked in lines and answering in JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Self


class Child:
    """A module of this package that runs `answer`."""

    def __init__(self, module: str, *arguments: object) -> None:
        self._command = [sys.executable, "-m", f"bench.{module}", *map(str, arguments)]
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=2**26,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        process = self._running
        if process.returncode is None:
            process.kill()
        await process.communicate()

    @property
    def pid(self) -> int:
        return self._running.pid

    @property
    def _running(self) -> asyncio.subprocess.Process:
        assert self._process is not None
        return self._process

    async def ask(self, *words: object) -> Any:
        """Send a line and return what is answered."""
        stdin, stdout = self._running.stdin, self._running.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write((json.dumps(words) + "\n").encode())
        await stdin.drain()
        line = await stdout.readline()
        if not line:
            raise RuntimeError(f"{' '.join(self._command)} ended")
        return json.loads(line)


async def answer(handle: Callable[[list[Any]], Awaitable[object]]) -> None:
    """Answer each line on stdin until it is closed."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        print(json.dumps(await handle(json.loads(line))), flush=True)
