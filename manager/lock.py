"""One run a configuration: two would log in twice, and take each other's registrations."""

from __future__ import annotations

import errno
import fcntl
import os
import shlex
import sys
import time
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import platformdirs

from manager.errors import TrunklineError
from manager.places import key_of
from manager.text import quoted

_MAX_BYTES = 4096
_LONGEST_COMMAND = 200


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds the lock, as it says in the file."""

    pid: int
    since: float
    """Wall time in seconds since 1970."""
    command: str
    """What runs: `trunkline watch --config F`."""


class AlreadyRunningError(TrunklineError):
    """Another run has this configuration."""

    def __init__(self, config: Path, holder: Holder | None) -> None:
        self.user = _described(holder)
        """Who it is and since when, in words."""
        super().__init__(
            f"{config} is in use by {self.user}",
            hint=f"{_ways_out(holder)}; two at a time would log in twice",
        )
        self.holder = holder
        """Who it is; None where it has not said so yet."""


class LockUnavailableError(TrunklineError):
    """There is no place where a lock could be held."""


class InstanceLock:
    """Holds a configuration for this process, from `with` to its end.

    The lock is the kernel's (`flock`), so it ends with the process however that ends: what a killed one has
    left behind is no obstacle.
    """

    def __init__(self, config: Path) -> None:
        self._config = config
        self._path = platformdirs.user_state_path("trunkline") / f"{key_of(config)}.lock"
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            AlreadyRunningError: another run holds it.
            LockUnavailableError: the folder of the lock cannot be written, or its file system has no locks.
        """
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = self._acquire()
        except OSError as error:
            raise LockUnavailableError(
                f"cannot lock {self._path}: {error.strerror}", hint="set XDG_STATE_HOME to a folder of yours"
            ) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the lock back, and leave no file behind."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        try:
            self._path.unlink(missing_ok=True)
        finally:
            os.close(descriptor)

    def _acquire(self) -> int:
        while True:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                self._hold(descriptor)
                # The holder before us removes the file as it goes: a lock on that one would keep nobody out.
                if self._is_current(descriptor):
                    _write(descriptor)
                    return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)

    def _hold(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            raise AlreadyRunningError(self._config, _read(descriptor)) from None

    def _is_current(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(self._path.stat(follow_symlinks=False), os.fstat(descriptor))
        except FileNotFoundError:
            return False


def _write(descriptor: int) -> None:
    command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    holder = Holder(pid=os.getpid(), since=time.time(), command=command[:_LONGEST_COMMAND])
    os.truncate(descriptor, 0)
    os.pwrite(descriptor, msgspec.json.encode(holder), 0)


def _read(descriptor: int) -> Holder | None:
    try:
        return msgspec.json.decode(os.pread(descriptor, _MAX_BYTES, 0), type=Holder)
    except msgspec.DecodeError:
        return None


def _ways_out(holder: Holder | None) -> str:
    if holder is not None and "serve" in holder.command.split():
        return "attach to it (trunkline, trunkline events --follow), or stop it first"
    return "stop that one first"


def _described(holder: Holder | None) -> str:
    if holder is None:
        return "another run, which is just starting"
    try:
        since = datetime.fromtimestamp(holder.since).astimezone().isoformat(" ", "seconds")
    except (ValueError, OverflowError, OSError):
        since = "an unknown time"
    return f"`{quoted(holder.command, _LONGEST_COMMAND)}` (pid {holder.pid}) since {since}"
