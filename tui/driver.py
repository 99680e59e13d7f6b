"""Writes to the terminal what differs from what stands there, and tells how far the terminal is behind."""

from __future__ import annotations

import errno

from textual.drivers.linux_driver import LinuxDriver

from tui.difference import Difference

_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"
"""Between these two a terminal that knows them draws nothing, so that a picture is never seen in part."""


class ThriftyDriver(LinuxDriver):
    """Textual's own, with fewer bytes."""

    _difference: Difference | None = None
    _begun = False
    written = 0
    """Bytes that the terminal was sent."""

    @property
    def difference(self) -> Difference:
        """What the terminal shows."""
        if self._difference is None:
            self._difference = Difference()
        return self._difference

    @property
    def waiting(self) -> int:
        """How many writes the terminal has not taken yet."""
        writer = self._writer_thread
        return writer._queue.qsize() if writer is not None else 0  # noqa: SLF001 - no public way to its queue

    def run_input_thread(self) -> None:
        """Read keys for as long as there is a terminal; what its end means is the watchdog's to say."""
        try:
            super().run_input_thread()
        except OSError as error:
            if error.errno != errno.EIO:
                raise

    def write(self, data: str) -> None:
        """Write what differs; a picture like the one before it is not written at all."""
        if data == _BEGIN:
            self._begun = True
            return
        if data == _END and self._begun:
            self._begun = False
            return
        shorter = self.difference.shorten(data)
        if shorter:
            whole = _BEGIN + shorter if self._begun else shorter
            self._begun = False
            self.written += len(whole.encode(errors="replace"))
            super().write(whole)
