"""The log in files: as plain lines, for its owner alone, whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs

from manager.errors import TrunklineError
from tui.log.entry import Entry
from tui.log.times import iso
from tui.sanitise import clean

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your share of the disk is used up",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "writing there is not allowed",
    errno.EPERM: "writing there is not allowed",
    errno.ENOTDIR: "there is a file where a folder should be",
    errno.EEXIST: "there is a file where a folder should be",
}


class NotWrittenError(TrunklineError):
    """A file could not be written; there is none, or the one before is as it was."""


def folder() -> Path:
    """Return where files of the log are put."""
    return platformdirs.user_state_path("trunkline")


def as_text(entry: Entry, *, utc: bool) -> str:
    """Return an entry as one line of printable text: time, subject or `-`, word, text."""
    return clean(f"{iso(entry.time, utc=utc)} {entry.subject or '-'} {entry.kind.word} {entry.text}")


def texts(entries: Iterable[Entry], *, utc: bool) -> list[str]:
    """Return entries as lines."""
    return [as_text(entry, utc=utc) for entry in entries]


def save(lines: Iterable[str], heading: str, now: float) -> Path:
    """Write lines under a heading into a new file that is named after the time, and return its path.

    Raises:
        NotWrittenError: it could not be written.
    """
    with _told_plainly():
        path = _free(folder(), time.strftime("log-%Y-%m-%d-%H%M%S", time.localtime(now)))
        _write(path, (f"# {clean(heading)}", *lines))
    return path


def copy(lines: Iterable[str]) -> Path:
    """Write lines into the file of what was copied last, and return its path.

    Raises:
        NotWrittenError: it could not be written.
    """
    path = folder() / "copied.txt"
    with _told_plainly():
        _write(path, lines)
    return path


def _free(place: Path, name: str) -> Path:
    path, number = place / f"{name}.txt", 1
    while path.exists():
        number += 1
        path = place / f"{name}-{number}.txt"
    return path


def _write(path: Path, lines: Iterable[str]) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.writelines(f"{line}\n" for line in lines)
        Path(temporary).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise


@contextmanager
def _told_plainly() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror or type(error).__name__)
        raise NotWrittenError(reason, hint="XDG_STATE_HOME names another folder") from None


def shown(path: Path, width: int) -> str:
    """Return a path as people write it, its end where it is longer than `width`."""
    with suppress(ValueError, RuntimeError):
        path = Path("~") / path.relative_to(Path.home())
    text = str(path)
    return text if len(text) <= width else "…" + text[len(text) - max(width - 1, 1) :]
