"""The people and programs around a manager: they reconnect, refresh, pause, read along, and go away again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from manager.errors import ManagerGoneError, UnknownConnectionError
from manager.manager import ConnectionManager
from manager.model import Phase

_READ_FOR = 20.0
"""Seconds for which somebody reads along."""


class Operators:
    """Everyone who asks something of a manager, by chance."""

    def __init__(self, manager: ConnectionManager, chance: random.Random) -> None:
        self._manager = manager
        self._chance = chance
        self._busy: set[asyncio.Task[None]] = set()

    def act(self) -> None:
        """Have one of them do something now."""
        names = list(self._manager.states)
        name = self._chance.choice(names)
        match self._chance.randrange(8):
            case 0 | 1:
                self._begin(self._manager.force_reconnection(name))
            case 2:
                self._begin(self._manager.refresh_status(name))
            case 3:
                self._begin(self._pause_for_a_while(name))
            case 4:
                self._begin(self._read_events())
            case 5:
                self._begin(self._read_messages(name))
            case 6:
                self._manager.on("connection:stateChanged", _Faulty())
            case 7:
                self._begin(self._manager.refresh_status())

    async def leave(self) -> None:
        """Return when all of them have gone and nothing is paused."""
        for task in self._busy:
            task.cancel()
        while self._busy:
            await asyncio.wait(tuple(self._busy))
        for name, phase in self._manager.states.items():
            if phase is Phase.PAUSED:
                self._manager.resume(name)

    def _begin(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(_unless_gone(work))
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)

    async def _pause_for_a_while(self, name: str) -> None:
        await self._manager.pause(name)
        await asyncio.sleep(self._chance.uniform(0.0, _READ_FOR))
        self._manager.resume(name)

    async def _read_events(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._chance.uniform(0.0, _READ_FOR)):
                async for _ in self._manager.events():
                    pass

    async def _read_messages(self, name: str) -> None:
        with self._manager.messages(name) as messages, suppress(TimeoutError):
            async with asyncio.timeout(self._chance.uniform(0.0, _READ_FOR)):
                async for _ in messages:
                    pass


class _Faulty:
    """A listener that is detached after its third fault."""

    def __call__(self, event: object) -> None:
        raise ValueError("a listener's own mistake")


async def _unless_gone(work: Coroutine[Any, Any, object]) -> None:
    with suppress(UnknownConnectionError, ManagerGoneError):
        await work
