"""Follows the manager: a snapshot, then every event; after a gap or a failure, from a snapshot again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Protocol

from manager.client import ManagerClient
from manager.events import Event, Gap
from manager.model import Position
from tui import formats
from tui.board import Board

AGAIN_AFTER = 2.0
"""Seconds until a manager that did not answer is asked again."""
_ANSWER_WITHIN = 10.0
_TURN = 0.005
"""Seconds for which events are taken in a row before keys and pictures get their turn."""


class Viewer(Protocol):
    """Who is told of what comes in."""

    board: Board

    def loaded(self) -> None:
        """A snapshot is in the board."""

    def told(self, event: Event, *, fresh: bool) -> None:
        """An event came in; one that is not fresh is older than the snapshot."""

    def troubled(self, sentence: str) -> None:
        """The manager cannot be followed; an empty sentence: it can again."""


class Follower:
    """Keeps a viewer's board true for as long as it runs."""

    def __init__(self, client: ManagerClient, viewer: Viewer) -> None:
        self._client = client
        self._viewer = viewer
        self._told = Position("", 0)
        """The last event that the viewer was told of."""

    async def run(self) -> None:
        """Follow until cancelled; whatever the client raises becomes a sentence."""
        while True:
            try:
                await self._follow()
                trouble, why = "the manager has ended its stream of events", ""
            except Exception as error:  # noqa: BLE001 - a face outlives whatever the way to its manager raises
                trouble, why = "the manager does not answer", str(error) or type(error).__name__
            again = formats.clock(time.time() + AGAIN_AFTER)
            told = (trouble, f"asked again {again}", "the rest may be old", why)
            self._viewer.troubled(" · ".join(filter(None, told)))
            await asyncio.sleep(AGAIN_AFTER)

    async def _follow(self) -> None:
        """Follow without a break; returns after the stream has ended."""
        since = await self._load()
        if self._told.epoch != since.epoch:
            # What happened before the screen was there belongs to the log as well.
            self._told = Position(since.epoch, 0)
        position = self._told
        while await self._read(position):
            position = self._told = await self._load()

    async def _load(self) -> Position:
        before = time.monotonic()
        async with asyncio.timeout(_ANSWER_WITHIN):
            snapshot = await self._client.snapshot()
        self._viewer.board.load(snapshot, (before + time.monotonic()) / 2)
        self._viewer.troubled("")
        self._viewer.loaded()
        return snapshot.position

    async def _renew(self, epoch: str) -> bool:
        """Take a new snapshot in the midst of a stream that missed nothing; whether it may be read on."""
        self._told = Position(epoch, self._told.seq + 1)
        return (await self._load()).epoch == epoch

    async def _read(self, position: Position) -> bool:
        """Pass events on; whether some were missed, so that a snapshot is needed."""
        board, turn_over = self._viewer.board, time.monotonic() + _TURN
        stream = self._client.events(position)
        try:
            async for event in stream:
                if isinstance(event, Gap):
                    if event.missed or not await self._renew(position.epoch):
                        return True
                    continue
                self._told = Position(position.epoch, event.seq)
                self._viewer.told(event, fresh=event.seq > board.position.seq)
                if time.monotonic() >= turn_over:
                    await asyncio.sleep(0)
                    turn_over = time.monotonic() + _TURN
            return False
        finally:
            if isinstance(stream, AsyncGenerator):
                await stream.aclose()
