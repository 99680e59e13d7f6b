"""The errors that a program meets; each is a plain sentence and, where something can be done, a hint."""

from __future__ import annotations


class TrunklineError(Exception):
    """Root of them all."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    @property
    def summary(self) -> str:
        """All of it in one line."""
        return str(self)


class UnknownConnectionError(TrunklineError, LookupError):
    """A name that no connection has."""


class UnknownGroupError(TrunklineError, LookupError):
    """A name of a group that no connection is in."""


class NotConnectedError(TrunklineError):
    """The connection has no usable session now."""


class ManagerGoneError(TrunklineError):
    """The manager that was spoken to has ended."""


class NotAllowedError(TrunklineError):
    """Who asks may not do that."""


class UntrustedError(TrunklineError):
    """A service cannot be spoken to as things are set here: its certificate, an authority, a token."""
