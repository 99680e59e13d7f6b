"""What the log is made of: lines as they are told, and the small entries that are kept of them."""

from __future__ import annotations

import enum
from collections.abc import Iterable

import msgspec


class Level(enum.IntEnum):
    """How much a line matters; a log that shows one level shows those before it as well."""

    PROBLEM = 0
    """Something is wrong."""
    CHANGE = 1
    """Something is different, or right again."""
    DETAIL = 2
    """All goes on as it should: an answered heartbeat."""


class LogLine(msgspec.Struct, frozen=True):
    """One line of the log, as it is told."""

    time: float
    """Wall time in seconds since 1970."""
    subject: str
    """The connection, host or listener that it is about; empty for all."""
    word: str
    """What happened, in one word."""
    tone: str
    text: str
    level: Level = Level.CHANGE


class Kind(msgspec.Struct, frozen=True):
    """What entries share that tell of the same."""

    word: str
    tone: str
    level: Level


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One line of the log, as it is kept: small, printable, and numbered without end."""

    number: int
    time: float
    subject: str
    kind: Kind
    text: str

    def holds(self, words: Iterable[str]) -> bool:
        """Whether it holds all of some words, which are in small letters."""
        haystack = f"{self.subject} {self.kind.word} {self.text}".lower()
        for word in words:  # noqa: SIM110 - twice as fast as all(), and run a hundred thousand times
            if word not in haystack:
                return False
        return True
