"""Where clients come in, and who they are found to be."""

from __future__ import annotations

import socket
from http import HTTPStatus
from typing import Any, Protocol

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request

from manager.service.rights import Visitor


class TurnedAwayError(Exception):
    """Somebody is not let in."""

    def __init__(self, status: HTTPStatus, text: str, *, label: str) -> None:
        super().__init__(text)
        self.status = status
        self.label = label
        """Who it is, for the log."""


class Entrance(Protocol):
    """A listening socket and what is asked of who comes through it."""

    @property
    def socket(self) -> socket.socket:
        """The socket; it listens already."""

    @property
    def options(self) -> dict[str, Any]:
        """What `websockets.asyncio.server.serve` is to be told about it."""

    def turn_out(self) -> None:
        """End the handshakes that are under way and that the server does not know of yet."""

    def visitor(self, connection: ServerConnection, request: Request) -> Visitor:
        """Return who has come and what that one may do.

        Raises:
            TurnedAwayError: it is not let in.
        """
