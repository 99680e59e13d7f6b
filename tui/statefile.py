"""Files that a person asked for, in the state folder: for their owner alone, whole or not at all."""

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
    """Return where such files are put."""
    return platformdirs.user_state_path("trunkline")


def write_new(subject: str, ending: str, lines: Iterable[str], now: float) -> Path:
    """Write lines into a new file that is named after its subject and the time, and return its path.

    Raises:
        NotWrittenError: it could not be written.
    """
    with _told_plainly():
        path = _free(time.strftime(f"{subject}-%Y-%m-%d-%H%M%S", time.localtime(now)), ending)
        _write(path, lines)
    return path


def write_over(name: str, lines: Iterable[str]) -> Path:
    """Write lines into the file of this name in place of what it held, and return its path.

    Raises:
        NotWrittenError: it could not be written.
    """
    path = folder() / name
    with _told_plainly():
        _write(path, lines)
    return path


def _free(stem: str, ending: str) -> Path:
    path, number = folder() / f"{stem}{ending}", 1
    while path.exists():
        number += 1
        path = folder() / f"{stem}-{number}{ending}"
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
