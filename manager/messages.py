"""The messages of one connection, for a program that reads them at its own pace."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Self

BOUND = 1000
"""Messages that are held for a reader; beyond them the oldest is dropped and counted."""


class MessageStream:
    """Messages as they come, over all sessions of the connection. Iterate over it with `async for`.

    Close it when it is no longer read, or use it with `with`.
    """

    def __init__(self, closed: Callable[[MessageStream], None]) -> None:
        self.dropped = 0
        """How many messages were lost because they were not read in time."""
        self._closed = closed
        self._waiting: deque[object] = deque()
        self._ready = asyncio.Event()
        self._ended = False

    def put(self, message: object) -> None:
        """Add a message; the oldest makes room where the bound is reached."""
        if len(self._waiting) >= BOUND:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(message)
        self._ready.set()

    def end(self) -> None:
        """Let the reader finish what is held and then stop."""
        self._ended = True
        self._ready.set()

    def close(self) -> None:
        """Receive no more."""
        self._closed(self)
        self.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> object:
        while not self._waiting:
            if self._ended:
                raise StopAsyncIteration
            self._ready.clear()
            await self._ready.wait()
        return self._waiting.popleft()


class MessageStreams:
    """The streams of all connections, by name."""

    def __init__(self) -> None:
        self._streams: dict[str, set[MessageStream]] = {}
        self._over = False

    def open(self, name: str) -> MessageStream:
        """Return a stream of what this connection receives from now on; one that is over after `end_all`."""
        streams = self._streams.setdefault(name, set())
        stream = MessageStream(streams.discard)
        streams.add(stream)
        if self._over:
            stream.close()
        return stream

    def deliver(self, name: str, message: object) -> None:
        """Hand a message to everyone who reads this connection's."""
        for stream in tuple(self._streams.get(name, ())):
            stream.put(message)

    def end(self, name: str) -> None:
        """End the streams of a connection that is no more."""
        for stream in self._streams.pop(name, ()):
            stream.end()

    def end_all(self) -> None:
        """End every stream, those that are opened from now on included."""
        self._over = True
        for name in tuple(self._streams):
            self.end(name)
