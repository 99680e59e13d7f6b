"""What a session says, passed on to its supervisor while it is the current one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from manager.model import Facts, Failure, Stage
from manager.wire import Life, Record, WireKind


class Hearer(Protocol):
    """The supervisor, as a listener needs it."""

    @property
    def generation(self) -> int:
        """Number of the session in use or being opened."""

    @property
    def listening(self) -> bool:
        """Whether a session is in use or being opened."""

    @property
    def record(self) -> Record:
        """Where the messages of its sessions are kept."""

    def ordered(self, addresses: Sequence[str]) -> list[str]:
        """The name of the endpoint was looked up."""

    def using(self, address: str) -> None:
        """The session is opened at this address."""

    def facts_changed(self) -> None:
        """Facts of the current session are new."""

    def refreshed(self, failure: Failure | None) -> None:
        """A refresh of the current session ended."""

    def reported(self, report: str, text: str, fields: Facts) -> None:
        """The current session noticed something."""

    def received(self, message: object) -> None:
        """The current session received a message."""


class GenerationListener:
    """Hears one session; once it has ended or another has taken its place, late calls are dropped.

    What goes over its wire is kept to the last: a Logoff belongs to the session that it ends. That of a spare
    bears the number 0 until it takes over.
    """

    __slots__ = ("_generation", "_hearer", "_life", "stage")

    def __init__(self, hearer: Hearer, endpoint: str, *, standby: bool = False) -> None:
        self._hearer = hearer
        self._generation = hearer.generation
        self._life = Life(0 if standby else hearer.generation, endpoint)
        self.stage = Stage.LOOKUP
        """How far opening has come."""

    def hand_over(self, hearer: Hearer) -> None:
        """Have another one hear the session from now on, as its current one."""
        self._hearer = hearer
        self._generation = hearer.generation
        self._life = Life(hearer.generation, self._life.endpoint)

    @property
    def _current(self) -> bool:
        return self._hearer.generation == self._generation and self._hearer.listening

    def reached(self, stage: Stage) -> None:
        """Note how far opening has come."""
        self.stage = stage

    def ordered(self, addresses: Sequence[str]) -> list[str]:
        """Return the addresses as the pool would have them tried."""
        return self._hearer.ordered(addresses) if self._current else list(addresses)

    def using(self, address: str) -> None:
        """Pass on at which address the session is opened."""
        if self._current:
            self._hearer.using(address)

    def facts_changed(self) -> None:
        """Pass on that the facts are new."""
        if self._current:
            self._hearer.facts_changed()

    def refreshed(self, failure: Failure | None) -> None:
        """Pass on what became of a refresh."""
        if self._current:
            self._hearer.refreshed(failure)

    def reported(self, report: str, text: str, fields: Facts) -> None:
        """Pass on what this type noticed."""
        if self._current:
            self._hearer.reported(report, text, fields)

    def received(self, message: object) -> None:
        """Pass on a message of the peer."""
        if self._current:
            self._hearer.received(message)

    def wire(self, kind: WireKind, content: bytes, *, sent: bool) -> None:
        """Keep a message of the protocol."""
        self._hearer.record(self._life, kind, content, sent=sent)
