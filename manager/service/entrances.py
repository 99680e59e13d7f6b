"""Every way into a service, as its settings have it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Self

from manager.access import Access
from manager.service.credentials import UnixEntrance
from manager.service.entrance import Entrance
from manager.service.network import NetworkEntrance
from manager.service.socketfile import SocketFile
from manager.service.tokens import Tokens, read_tokens

log = logging.getLogger(__name__)


class Entrances:
    """The Unix socket, and the TCP socket where there is to be one, from `with` to its end."""

    def __init__(self, address: Path, access: Access, tokens: Tokens) -> None:
        self._address = address
        self._access = access
        self._tokens = tokens
        self._stack = ExitStack()
        self._network: NetworkEntrance | None = None

    def __enter__(self) -> Self:
        """Begin to listen.

        Raises:
            manager.service.socketfile.SocketUnavailableError: it cannot listen at the Unix socket.
            manager.errors.TrunklineError: it cannot listen for other machines.
        """
        with ExitStack() as stack:
            self._file = stack.enter_context(SocketFile(self._address, shared=self._access.by_group))
            self._unix = UnixEntrance(self._file.socket, self._access)
            if self._access.network is not None:
                self._network = NetworkEntrance(self._access.network, self._tokens)
                stack.enter_context(closing(self._network.socket))
                log.info("listens for other machines at %s", self._network)
                log.info("the fingerprint of its certificate is %s", self._network.fingerprint)
            self._stack = stack.pop_all()
        self._tell_closed_folder()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def __iter__(self) -> Iterator[Entrance]:
        yield self._unix
        if self._network is not None:
            yield self._network

    async def renew(self, access: Access) -> None:
        """Ask of who comes from now on what the settings say now; where it listens is not changed.

        Raises:
            manager.errors.TrunklineError: tokens or certificate cannot be used, and nothing has changed; or
                the file of the Unix socket is gone, and who may come through that has not.
        """
        tokens = Tokens() if access.network is None else await read_tokens(access.network)
        if self._network is not None:
            self._network.renew(access.network, tokens)
        if _place(access) != _place(self._access):
            log.warning("`listen` of [service] counts from the next start on")
        if access.by_group != self._unix.access.by_group:
            self._file.share(shared=access.by_group)
        self._unix.access = access
        self._tell_closed_folder()

    def _tell_closed_folder(self) -> None:
        if self._unix.access.by_group and (folder := self._file.closed_folder) is not None:
            log.warning(
                "no other user can reach %s: %s is closed to them; --socket names another place",
                self._address,
                folder,
            )


def _place(access: Access) -> tuple[str, int] | None:
    return None if access.network is None else (access.network.host, access.network.port)
