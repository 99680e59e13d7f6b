"""The last messages of every connection, for everyone who reads them at their own pace.

Each connection has a ring of 32 KiB, and all of them 16 MiB together, what Python adds to a message
included. Nothing is taken before the first message. What is dropped is counted: messages are numbered.
"""

from __future__ import annotations

import asyncio
import secrets
import struct
from collections.abc import AsyncIterator

from manager.engine.clock import Clock
from manager.events import Gap
from manager.model import Position
from manager.wire import Life, WireKind, WireMessage, summary_of, text_of

RING_LIMIT = 32 * 1024
"""Bytes that the messages of one connection may take."""
TOTAL_LIMIT = 16 * 1024 * 1024
"""Bytes that all of them may take together."""
LONGEST = 8 * 1024
"""Bytes that are kept of one message."""
BATCH = 200
"""Messages that a reader is given at once."""

_HEAD = struct.Struct("<ddIB")
"""Wall time, monotonic time, bytes left out, kind and direction."""
_OVERHEAD = 56
"""Bytes that an entry takes beside its content and head: a bytes object and two references."""
_KINDS = tuple(WireKind)
_CODES = {kind: number for number, kind in enumerate(_KINDS)}
_SENT = 0x80
_MARGIN = 16
"""Where all is full, a sixteenth is freed at once: sizes are compared once in thousands of messages."""


class WireRings:
    """The rings of all connections, by name."""

    def __init__(self, clock: Clock, *, limit: int = TOTAL_LIMIT) -> None:
        self.clock = clock
        self.epoch = secrets.token_hex(8)
        """Names this run: positions of another run mean nothing here."""
        self.size = 0
        """Bytes that all messages take."""
        self._limit = limit
        self._rings: dict[str, WireRing] = {}
        self._made = 0

    def __getitem__(self, name: str) -> WireRing:
        """Return the ring of a connection, made where there is none."""
        ring = self._rings.get(name)
        if ring is None:
            self._made += 1
            ring = self._rings[name] = WireRing(self, self._made)
        return ring

    def remove(self, name: str) -> None:
        """Let go of the ring of a connection that is no more; its readers finish what it holds."""
        ring = self._rings.pop(name, None)
        if ring is not None:
            ring.close()

    def close(self) -> None:
        """Take no more messages; readers finish what is held."""
        for ring in self._rings.values():
            ring.close()

    def grown(self, size: int) -> None:
        """Count bytes that a ring has taken; where they are too many, the largest rings drop their oldest."""
        self.size += size
        if self.size > self._limit:
            level = self._level(self._limit - self._limit // _MARGIN)
            for ring in self._rings.values():
                ring.shrink(level)

    def _level(self, total: int) -> int:
        """Return the size to which the largest rings must shrink for all to take `total` bytes at most."""
        left = total
        sizes = sorted(ring.size for ring in self._rings.values())
        for place, size in enumerate(sizes):
            share = left // (len(sizes) - place)
            if size > share:
                return share
            left -= size
        return total


class WireRing:
    """The last messages of one connection. Readers hold a position, the ring holds no queue for them."""

    __slots__ = ("_closed", "_first", "_lives", "_number", "_packed", "_readers", "_rings", "size")

    def __init__(self, rings: WireRings, number: int) -> None:
        self.size = 0
        """Bytes that its messages take."""
        self._rings = rings
        self._number = number
        self._first = 1
        """Number of the oldest message that is held, or of the next to come."""
        self._lives: list[Life] = []
        self._packed: list[bytes] = []
        self._readers: set[asyncio.Event] | None = None
        self._closed = False

    @property
    def position(self) -> Position:
        """The place after the newest message."""
        return self._at(self._first + len(self._packed) - 1)

    @property
    def dropped(self) -> int:
        """How many messages were dropped for newer ones."""
        return self._first - 1

    def record(self, life: Life, kind: WireKind, content: bytes, *, sent: bool) -> None:
        """Keep a message that went over the wire just now; every secret in it is masked already."""
        if self._closed:
            return
        left_out = 0
        if len(content) > LONGEST:
            end = _end_of_characters(content, LONGEST)
            left_out = len(content) - end
            content = content[:end]
        clock = self._rings.clock
        code = _CODES[kind] | (_SENT if sent else 0)
        packed = _HEAD.pack(clock.wall(), clock.monotonic(), left_out, code) + content
        self._lives.append(life)
        self._packed.append(packed)
        size = len(packed) + _OVERHEAD
        self.size += size
        self._rings.grown(size)
        if self.size > RING_LIMIT:
            self.shrink(RING_LIMIT)
        if self._readers:
            self._wake()

    def shrink(self, limit: int) -> None:
        """Drop the oldest messages until the others take `limit` bytes at most."""
        freed = count = 0
        while self.size - freed > limit:
            freed += len(self._packed[count]) + _OVERHEAD
            count += 1
        if count:
            del self._packed[:count]
            del self._lives[:count]
            self._first += count
            self.size -= freed
            self._rings.size -= freed

    def close(self) -> None:
        """Take no more messages and count for nothing; readers finish what is held and then stop."""
        if not self._closed:
            self._closed = True
            self._rings.size -= self.size
        self._wake()

    def after(self, since: Position | None) -> tuple[list[WireMessage | Gap], Position]:
        """Return messages after a position without waiting, and the position they lead to.

        From the oldest where it is None. A `Gap` counts those that are no longer held.
        """
        seq = self._seq(since)
        found: list[WireMessage | Gap] = []
        if seq < self._first - 1:
            found.append(Gap(missed=self._first - 1 - seq))
            seq = self._first - 1
        end = min(self._first + len(self._packed) - 1, seq + BATCH)
        found.extend(self._message(number) for number in range(seq + 1, end + 1))
        return found, self._at(end)

    async def wait(self, since: Position | None) -> bool:
        """Return True when there are messages after a position, False when none can follow."""
        ready = asyncio.Event()
        if self._readers is None:
            self._readers = set()
        self._readers.add(ready)
        try:
            while self._seq(since) >= self._first + len(self._packed) - 1:
                if self._closed:
                    return False
                ready.clear()
                await ready.wait()
        finally:
            self._readers.discard(ready)
        return True

    async def read(self, since: Position | None) -> AsyncIterator[WireMessage | Gap]:
        """Yield the messages after a position, then those to come; a `Gap` where some are no longer held."""
        position = since
        while await self.wait(position):
            batch, position = self.after(position)
            for message in batch:
                yield message

    def _seq(self, since: Position | None) -> int:
        newest = self._first + len(self._packed) - 1
        return min(since.seq, newest) if since is not None and since.epoch == self._epoch else 0

    @property
    def _epoch(self) -> str:
        return f"{self._rings.epoch}.{self._number}"

    def _at(self, seq: int) -> Position:
        return Position(self._epoch, seq)

    def _message(self, number: int) -> WireMessage:
        place = number - self._first
        life, packed = self._lives[place], self._packed[place]
        time, monotonic, left_out, code = _HEAD.unpack_from(packed)
        kind, content = _KINDS[code & ~_SENT], packed[_HEAD.size :]
        size = len(content) + left_out
        return WireMessage(
            position=self._at(number),
            time=time,
            monotonic=monotonic,
            sent=bool(code & _SENT),
            kind=kind,
            generation=life.generation,
            endpoint=life.endpoint,
            summary=summary_of(kind, content, size),
            text=text_of(content),
            size=size,
            left_out=left_out,
        )

    def _wake(self) -> None:
        for reader in self._readers or ():
            reader.set()


def _end_of_characters(content: bytes, end: int) -> int:
    """Return where to cut so that no UTF-8 character is cut through; it has four bytes at most."""
    return next((cut for cut in range(end, end - 4, -1) if content[cut] & 0xC0 != 0x80), end)
