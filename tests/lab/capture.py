"""Real traffic, and a raw client to replay it: bytes in, bytes out, no parser of the project."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

_CAPTURES = Path(__file__).parents[1] / "captures"
_MARK = re.compile(rb"^(>>> sent|<<< received|<<< closed)[^\n]*\n", re.MULTILINE)


def capture(name: str) -> list[tuple[str, bytes]]:
    """Return the steps of a capture: `sent`, `received` or `closed`, and the bytes of each."""
    parts = _MARK.split((_CAPTURES / name).read_bytes())[1:]
    marks = [mark.decode().split()[1] for mark in parts[::2]]
    return list(zip(marks, parts[1::2], strict=True))


def all_received(name: str) -> bytes:
    """Return all that the real server said."""
    return b"".join(content for mark, content in capture(name) if mark == "received")


class RawClient:
    """A TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, content: bytes) -> None:
        self._writer.write(content)

    async def until(self, end: bytes) -> bytes:
        async with asyncio.timeout(60):
            return await self._reader.readuntil(end)

    async def exactly(self, count: int) -> bytes:
        async with asyncio.timeout(60):
            return await self._reader.readexactly(count)

    async def rest(self) -> bytes:
        """Return what comes until the server closes; a reset is an end like another."""
        content = bytearray()
        async with asyncio.timeout(60):
            with suppress(ConnectionResetError):
                while chunk := await self._reader.read(4096):
                    content += chunk
        return bytes(content)

    async def hears_nothing(self) -> bool:
        """Whether nothing comes, not even a close, while the loop turns for 0.2 s."""
        try:
            async with asyncio.timeout(0.2):
                await self._reader.read(1)
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def connected(port: int, host: str = "127.0.0.1") -> AsyncIterator[RawClient]:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        yield RawClient(reader, writer)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
