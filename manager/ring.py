"""The last events, for everyone who reads them at their own pace."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator
from itertools import islice

from manager.events import Event, Gap
from manager.model import Position


class EventRing:
    """Holds the last events; a reader that falls behind is told how many it missed.

    Readers hold a position, the ring holds no queue for them: a slow one costs nothing.
    """

    def __init__(self, size: int = 10_000) -> None:
        self.epoch = secrets.token_hex(8)
        """Names this run: positions of another run mean nothing here."""
        self.last = 0
        """Number of the newest event; the first has 1."""
        self._events: deque[Event | Gap] = deque(maxlen=size)
        self._readers: set[asyncio.Event] = set()
        self._closed = False

    @property
    def position(self) -> Position:
        """The place after the newest event."""
        return Position(self.epoch, self.last)

    def append(self, event: Event) -> None:
        """Add the event that follows the newest."""
        self.last = event.seq
        self._events.append(event)
        for reader in self._readers:
            reader.set()

    def interrupt(self) -> None:
        """Have every reader take a new snapshot here: more has changed than events tell."""
        self.last += 1
        self._events.append(Gap(missed=0))
        for reader in self._readers:
            reader.set()

    def close(self) -> None:
        """Let every reader finish what is held and then stop: no event follows."""
        self._closed = True
        for reader in self._readers:
            reader.set()

    def after(self, since: Position, limit: int = 1000) -> tuple[list[Event | Gap], Position]:
        """Return up to `limit` events after a position without waiting, and the position they lead to."""
        seq = since.seq if since.epoch == self.epoch else 0
        seq = min(seq, self.last)
        oldest = self.last - len(self._events) + 1
        found: list[Event | Gap] = []
        if seq + 1 < oldest or since.epoch != self.epoch:
            found.append(Gap(missed=oldest - seq - 1))
            seq = oldest - 1
        end = min(self.last, seq + limit)
        found.extend(islice(self._events, seq + 1 - oldest, end + 1 - oldest))
        return found, Position(self.epoch, end)

    async def wait(self, since: Position) -> None:
        """Return when there is an event after a position, or none can follow."""
        ready = asyncio.Event()
        self._readers.add(ready)
        try:
            while not self._closed and since.epoch == self.epoch and since.seq >= self.last:
                ready.clear()
                await ready.wait()
        finally:
            self._readers.discard(ready)

    async def read(self, since: Position) -> AsyncIterator[Event | Gap]:
        """Yield the events after a position, then those to come; a `Gap` where some are no longer held."""
        position = since
        while not self._closed or position != self.position:
            await self.wait(position)
            batch, position = self.after(position)
            for event in batch:
                yield event
