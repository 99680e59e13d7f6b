"""Opens a session, and keeps it company."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from manager.drivers.base import DriverError, SessionListener
from manager.drivers.dial import dial, knock
from manager.endpoint import Endpoint
from manager.model import FactValue, Failure, FailureClass, Stage

if TYPE_CHECKING:
    from trunkline_banner import BannerSettings

_LIMIT = 1024
"""Bytes of a line at most."""


class BannerDriver:
    """Connects, and is content with a banner that begins as it should."""

    def __init__(self, settings: BannerSettings) -> None:
        self._settings = settings

    async def open(self, endpoint: Endpoint, listener: SessionListener) -> BannerSession:
        """Open a session.

        Raises:
            OSError: nobody takes the connection.
            DriverError: the banner is another one.
        """
        sock = await dial(endpoint.host, endpoint.port or 0, listener)
        try:
            reader, writer = await asyncio.open_connection(sock=sock, limit=_LIMIT)
        except BaseException:
            sock.close()
            raise
        session = BannerSession(reader, writer)
        try:
            listener.reached(Stage.HANDSHAKE)
            await session.greet(self._settings.greeting)
        except BaseException:
            await session.close(graceful=False)
            raise
        return session

    async def peek(self, endpoint: Endpoint) -> None:
        """Connect and close again.

        Raises:
            OSError, UnicodeError: nobody takes the connection.
        """
        await knock(endpoint.host, endpoint.port or 0)


class BannerSession:
    """One connection; lives once."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._banner = ""
        self._pongs = 0
        self._answered = asyncio.Event()
        self._over: asyncio.Future[Failure] = asyncio.get_running_loop().create_future()
        self._reading: asyncio.Task[None] | None = None

    @property
    def facts(self) -> dict[str, FactValue]:
        """`banner`, the server's first line; `pongs`, how often it answered."""
        return {"banner": self._banner, "pongs": self._pongs}

    async def greet(self, greeting: str) -> None:
        """Read the banner.

        Raises:
            DriverError: it is another one.
        """
        self._banner = (await self._reader.readline()).decode(errors="replace").strip()
        if not self._banner.startswith(greeting):
            raise DriverError(_failure(Stage.HANDSHAKE, "the banner is another one", FailureClass.PERMANENT))
        self._reading = asyncio.create_task(self._read(), name="reader of a banner session")

    async def heartbeat(self) -> float:
        """Send a PING and return after how many seconds its PONG came."""
        began = asyncio.get_running_loop().time()
        self._answered.clear()
        self._writer.write(b"PING\r\n")
        await self._answered.wait()
        return asyncio.get_running_loop().time() - began

    async def check(self) -> str:
        """Return nothing: there is no deeper look."""
        return ""

    async def ended(self) -> Failure:
        """Return when the server has closed."""
        return await asyncio.shield(self._over)

    async def close(self, *, graceful: bool) -> None:
        """Say goodbye where that is polite, and close."""
        if graceful:
            self._writer.write(b"QUIT\r\n")
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])
        if graceful:
            self._writer.close()
        else:
            self._writer.transport.abort()

    async def _read(self) -> None:
        try:
            while line := await self._reader.readline():
                if line.strip() == b"PONG":
                    self._pongs += 1
                    self._answered.set()
        except (OSError, ValueError):
            pass
        if not self._over.done():
            self._over.set_result(_failure(Stage.SESSION, "closed by the server", FailureClass.TRANSIENT))


def _failure(stage: Stage, reason: str, kind: FailureClass) -> Failure:
    return Failure(kind=kind, stage=stage, reason=reason)
