"""A flag that one task waits for: what `asyncio.Event` is, for a tenth of its memory."""

from __future__ import annotations

import asyncio
from typing import Literal


class Wake:
    """Set by anybody, waited for by one."""

    __slots__ = ("_set", "_waiter")

    def __init__(self) -> None:
        self._set = False
        self._waiter: asyncio.Future[None] | None = None

    def is_set(self) -> bool:
        """Whether it is set."""
        return self._set

    def set(self) -> None:
        """Set it, and let go of who waits."""
        self._set = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def clear(self) -> None:
        """Take it back."""
        self._set = False

    async def wait(self) -> Literal[True]:
        """Return when it is set."""
        while not self._set:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return True
