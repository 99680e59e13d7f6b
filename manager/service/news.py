"""What is new, asked of the manager and put into JSON once for all who wait for it at the same place.

Most subscribers have heard everything and wait for the next event. Seventy of them would otherwise have the
manager's loop answer seventy times, and each event be encoded as often.
"""

from __future__ import annotations

import asyncio

import msgspec

from manager.embedded import EmbeddedClient
from manager.model import Position

_encoder = msgspec.json.Encoder()


class Batch(msgspec.Struct, frozen=True):
    """Some events in a row."""

    events: msgspec.Raw
    """An array of them."""
    position: Position
    """The place that they lead to."""


class _Asked:
    """A question to the manager and how many wait for its answer."""

    def __init__(self, task: asyncio.Task[Batch]) -> None:
        self.task = task
        self.waiting = 0


class News:
    """Hands out events. Belongs to one event loop."""

    def __init__(self, client: EmbeddedClient) -> None:
        self._client = client
        self._asked: dict[Position, _Asked] = {}
        self._last: tuple[Position, Batch] | None = None
        """The last answer, for those who ask for the same a little later."""

    async def after(self, since: Position) -> Batch:
        """Return the events after a position, as soon as there are any.

        Raises:
            manager.errors.ManagerGoneError: the manager has ended.
        """
        if self._last is not None and self._last[0] == since:
            return self._last[1]
        asked = self._asked.get(since)
        if asked is None:
            asked = _Asked(asyncio.create_task(self._ask(since), name="service news"))
            self._asked[since] = asked
        asked.waiting += 1
        try:
            return await asyncio.shield(asked.task)
        finally:
            asked.waiting -= 1
            if not asked.waiting:
                if self._asked.get(since) is asked:
                    del self._asked[since]
                asked.task.cancel()
                await asyncio.gather(asked.task, return_exceptions=True)

    async def _ask(self, since: Position) -> Batch:
        events, position = await self._client.next_events(since)
        batch = Batch(msgspec.Raw(_encoder.encode(events)), position)
        if position != since:
            self._last = (since, batch)
        return batch
