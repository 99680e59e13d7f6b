"""What must never be heard in a soak: mistakes of the engine's own, and what is thrown away unfinished."""

from __future__ import annotations

import logging
import sys
import warnings
from types import TracebackType
from typing import Self

_KEPT = 20
_LOUD = {"asyncio": logging.ERROR, "py.warnings": logging.WARNING}
"""From which level on a logger's records are alarms: tasks that raise unheard, sockets left open."""
_OF_DRIVERS = {f"manager.engine.{name}": logging.ERROR for name in ("supervisor", "vigil", "status", "peek")}


class Alarms(logging.Handler):
    """Hears all of them from when it is entered until it is left; other records are let go."""

    def __init__(self, *, drivers_may_raise: bool) -> None:
        """Prepare to listen; a driver's mistake is an alarm too, unless drivers are told to make some."""
        super().__init__(logging.WARNING)
        self._loud = dict(_LOUD) if drivers_may_raise else {**_LOUD, **_OF_DRIVERS}
        self.heard: list[str] = []
        """The first twenty."""

    def __enter__(self) -> Self:
        self._hook = sys.unraisablehook
        sys.unraisablehook = self._unraisable
        self._warnings = warnings.catch_warnings()
        self._warnings.__enter__()
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        logging.getLogger().addHandler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        logging.getLogger().removeHandler(self)
        logging.captureWarnings(False)
        self._warnings.__exit__(kind, error, trace)
        sys.unraisablehook = self._hook

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= self._loud.get(record.name, logging.CRITICAL):
            self._note(f"{record.name}: {record.getMessage()}")

    def _unraisable(self, unraisable: object) -> None:
        self._note(f"raised where nobody hears it: {unraisable.exc_value!r} in {unraisable.object!r}")

    def _note(self, text: str) -> None:
        if len(self.heard) < _KEPT:
            self.heard.append(text)
