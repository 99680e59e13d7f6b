"""The log in files: as plain lines."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tui import statefile
from tui.log.entry import Entry
from tui.log.times import iso
from tui.sanitise import clean


def as_text(entry: Entry, *, utc: bool) -> str:
    """Return an entry as one line of printable text: time, subject or `-`, word, text."""
    return clean(f"{iso(entry.time, utc=utc)} {entry.subject or '-'} {entry.kind.word} {entry.text}")


def texts(entries: Iterable[Entry], *, utc: bool) -> list[str]:
    """Return entries as lines."""
    return [as_text(entry, utc=utc) for entry in entries]


def save(lines: Iterable[str], heading: str, now: float) -> Path:
    """Write lines under a heading into a new file that is named after the time, and return its path.

    Raises:
        tui.statefile.NotWrittenError: it could not be written.
    """
    return statefile.write_new("log", ".txt", (f"# {clean(heading)}", *lines), now)


def copy(lines: Iterable[str]) -> Path:
    """Write lines into the file of what was copied last, and return its path.

    Raises:
        tui.statefile.NotWrittenError: it could not be written.
    """
    return statefile.write_over("copied.txt", lines)
