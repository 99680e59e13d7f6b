"""Files that a person asked for, in the state folder: for their owner alone, whole or not at all."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import platformdirs

from manager.errors import TrunklineError

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
    """A file could not be written, and there is none."""


def write_new(subject: str, ending: str, text: str, now: float) -> Path:
    """Write text into a new file that is named after its subject and the time, and return its path.

    Raises:
        NotWrittenError: it could not be written; the message says where and why.
    """
    folder = platformdirs.user_state_path("trunkline")
    stem = time.strftime(f"{subject}-%Y-%m-%d-%H%M%S", time.localtime(now))
    with _told_plainly(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number in count(1):
            path = folder / (f"{stem}{ending}" if number == 1 else f"{stem}-{number}{ending}")
            try:
                handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                continue
            _fill(handle, path, text)
            return path
    raise AssertionError("numbers do not end")


def _fill(handle: int, path: Path, text: str) -> None:
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as stream:
            stream.write(text)
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise


def shown(path: Path) -> str:
    """Return a path as people write it: `~/.local/state/…`."""
    with suppress(ValueError, RuntimeError):
        path = Path("~") / path.relative_to(Path.home())
    return str(path)


@contextmanager
def _told_plainly(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror or type(error).__name__)
        raise NotWrittenError(f"{reason}: {shown(folder)}", "XDG_STATE_HOME names another") from None
