"""What may be asked for with which right."""

from __future__ import annotations

import enum
from collections.abc import Mapping

import msgspec

from manager.errors import NotAllowedError


class Right(enum.IntEnum):
    """How much somebody may do; who may do more may do the less as well."""

    NONE = 0
    READ = 1
    ACT = 2


RIGHTS: Mapping[str, Right] = {
    "version": Right.READ,
    "snapshot": Right.READ,
    "events": Right.READ,
    "wire": Right.READ,
    "unsubscribe": Right.READ,
    "history": Right.READ,
    "settings": Right.READ,
    "config": Right.READ,
    "reconnect": Right.ACT,
    "refresh": Right.ACT,
    "pause": Right.ACT,
    "resume": Right.ACT,
    "skip": Right.ACT,
    "acknowledge": Right.ACT,
    "mute": Right.ACT,
    "reload": Right.ACT,
}
"""The right that each method needs; one that does not stand here does not exist."""


class Visitor(msgspec.Struct, frozen=True):
    """Who was let in."""

    label: str
    """For the log: `process 4711 of user 1000`."""
    right: Right
    lacking: str = ""
    """What would give the right to act; empty where that is there."""

    def demand(self, method: str) -> None:
        """Return where this one may ask for a method.

        Raises:
            manager.errors.NotAllowedError: the right that it needs is missing.
        """
        if RIGHTS[method] > self.right:
            raise NotAllowedError(f"`{method}` needs the right to act; you may only look", self.lacking)
