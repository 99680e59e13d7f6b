"""The messages of one connection as they are looked at: so many and no more, filtered, held or followed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from manager.events import Gap
from manager.wire import WireMessage

LIMIT = 1000
"""Messages that are kept; older ones go…"""
LARGEST = 2 * 1024 * 1024
"""…and so do those that are too much together, in characters."""

Entry = WireMessage | Gap


class WireLog:
    """What was read of a connection, and what of it is shown."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._size = 0
        self._held: deque[Entry] = deque()
        self._held_size = 0
        self.shown: list[Entry] = []
        """What matches the filter, the oldest first."""
        self.words = ""
        """What is filtered by, in small letters."""
        self.paused = False
        self.total = 0
        """How many messages there have been."""
        self.dropped = 0
        """How many of them are kept no longer."""

    @property
    def waiting(self) -> int:
        """How many messages came while it was paused."""
        return _messages(self._held)

    @property
    def kept(self) -> int:
        """How many messages are kept, not counting those that wait."""
        return _messages(self._entries)

    def append(self, entries: Iterable[Entry]) -> int:
        """Take entries in; return how many of those that were shown have gone for it."""
        entries = list(entries)
        self.total += _messages(entries)
        if self.paused:
            self._held_size += sum(map(_size, entries))
            self._held.extend(entries)
            self._held_size -= sum(map(_size, self._trim(self._held, self._held_size)))
            return 0
        self._size += sum(map(_size, entries))
        self._entries.extend(entries)
        self.shown.extend(entry for entry in entries if self.matches(entry))
        gone, left = self._trim(self._entries, self._size), 0
        self._size -= sum(map(_size, gone))
        for entry in gone:
            left += left < len(self.shown) and self.shown[left] is entry
        del self.shown[:left]
        return left

    def _trim(self, entries: deque[Entry], size: int) -> list[Entry]:
        gone: list[Entry] = []
        while entries and (len(entries) > LIMIT or size > LARGEST):
            gone.append(entries.popleft())
            size -= _size(gone[-1])
        self.dropped += _messages(gone)
        return gone

    def pause(self, paused: bool) -> int:
        """Show nothing new, or what has come meanwhile; return as `append` does."""
        self.paused = paused
        if paused:
            return 0
        held, self._held, self._held_size = list(self._held), deque(), 0
        self.total -= _messages(held)
        return self.append(held)

    def filter(self, words: str) -> None:
        """Show only messages that hold all of these words."""
        self.words = words.lower()
        self._filter()

    def _filter(self) -> None:
        self.shown = [entry for entry in self._entries if self.matches(entry)]

    def matches(self, entry: Entry) -> bool:
        """Whether an entry is shown; a gap always is."""
        if not self.words or isinstance(entry, Gap):
            return True
        text = f"{entry.summary}\n{entry.text}".lower()
        return all(word in text for word in self.words.split())

    def messages(self) -> Iterator[WireMessage]:
        """Yield the messages that are shown."""
        yield from (entry for entry in self.shown if isinstance(entry, WireMessage))


def _messages(entries: Iterable[Entry]) -> int:
    return sum(isinstance(entry, WireMessage) for entry in entries)


def _size(entry: Entry) -> int:
    return len(entry.text) + len(entry.summary) if isinstance(entry, WireMessage) else 0
