"""Tracebacks for the log, without the messages of exceptions: those may quote a peer or a secret."""

from __future__ import annotations

import traceback


def frames_of(error: BaseException) -> str:
    """Return the type of an exception and where it was raised, several lines."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    inner = "".join(f"\n{frames_of(each)}" for each in getattr(error, "exceptions", ()))
    return f"{type(error).__qualname__}\n{frames}{inner}"
