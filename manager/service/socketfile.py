"""The socket of a service in the file system: its user's unless shared, never taken from one that lives."""

from __future__ import annotations

import errno
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from manager.errors import TrunklineError

_LONGEST = 107
"""Bytes of an address; `sun_path` of unix(7) less its end."""
_BACKLOG = 64


class SocketUnavailableError(TrunklineError):
    """A service cannot listen where it should."""


class SocketFile:
    """A listening Unix socket of mode 0600, or 0666 where it is shared, from `with` to its end.

    It is bound beside its place and moved there, so that it never has another mode, and what a killed
    service has left behind is replaced in one step.
    """

    def __init__(self, path: Path, *, shared: bool = False) -> None:
        """Prepare it.

        Args:
            path: where.
            shared: whether others may connect; who may do what is then asked of each.
        """
        self._path = path
        self._mode = 0o666 if shared else 0o600
        self._socket: socket.socket | None = None

    @property
    def socket(self) -> socket.socket:
        """The socket; it listens from when this is entered."""
        if self._socket is None:
            raise RuntimeError("the socket is not open")
        return self._socket

    def __enter__(self) -> Self:
        """Begin to listen.

        Raises:
            SocketUnavailableError: somebody listens there, the place is taken by something else, or it cannot
                be written.
        """
        beside = self._path.with_name(f"{self._path.stem}.{os.getpid()}")
        if len(os.fsencode(beside)) > _LONGEST:
            raise SocketUnavailableError(
                f"{self._path} is too long for a socket", hint="name a shorter one with --socket"
            )
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._demand_free()
            self._listen(beside)
        except OSError as error:
            raise SocketUnavailableError(f"cannot listen at {self._path}: {error.strerror}") from None
        return self

    def share(self, *, shared: bool) -> None:
        """Let others connect from now on, or no longer; those who have stay.

        Raises:
            SocketUnavailableError: the file is gone.
        """
        self._mode = 0o666 if shared else 0o600
        try:
            self._path.chmod(self._mode)
        except OSError as error:
            raise SocketUnavailableError(
                f"cannot change who may reach {self._path}: {error.strerror}"
            ) from None

    @property
    def closed_folder(self) -> Path | None:
        """The folder on the way to it that others cannot pass, be it gone; None where there is none."""
        folders = reversed(self._path.absolute().parents)
        return next((folder for folder in folders if not _lets_others_pass(folder)), None)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening, and leave no file behind unless it is somebody else's by now."""
        own, self._socket = self._socket, None
        if own is None:
            return
        inode = self._inode
        own.close()
        with suppress(OSError):
            if self._path.lstat().st_ino == inode:
                self._path.unlink()

    def _listen(self, beside: Path) -> None:
        beside.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listening.bind(str(beside))
            try:
                beside.chmod(self._mode)
                listening.listen(_BACKLOG)
                self._inode = beside.lstat().st_ino
                beside.replace(self._path)
            except BaseException:
                beside.unlink(missing_ok=True)
                raise
        except BaseException:
            listening.close()
            raise
        self._socket = listening

    def _demand_free(self) -> None:
        try:
            mode = self._path.lstat().st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(mode):
            raise SocketUnavailableError(f"{self._path} is something else than a socket")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
            caller.settimeout(1.0)
            try:
                caller.connect(str(self._path))
            except OSError as error:
                if error.errno in (errno.ECONNREFUSED, errno.ENOENT):
                    return
                raise
        raise SocketUnavailableError(
            f"a service listens at {self._path} already", hint="stop that one first, or name another --socket"
        )


def _lets_others_pass(folder: Path) -> bool:
    try:
        return bool(folder.stat().st_mode & stat.S_IXOTH)
    except OSError:
        return False
