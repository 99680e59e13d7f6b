"""A raw UDP client."""

from __future__ import annotations

import asyncio
import socket
from types import TracebackType
from typing import Self


class RawDatagrams:
    """A connected UDP socket, which hears when the port is closed."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.connect((host, port))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def send(self, content: bytes) -> None:
        self._socket.send(content)

    async def next(self) -> bytes:
        async with asyncio.timeout(60):
            return await asyncio.get_running_loop().sock_recv(self._socket, 65535)

    async def hears_nothing(self) -> bool:
        """Whether nothing comes while the loop turns for 0.2 s."""
        try:
            async with asyncio.timeout(0.2):
                await asyncio.get_running_loop().sock_recv(self._socket, 65535)
        except TimeoutError:
            return True
        return False
