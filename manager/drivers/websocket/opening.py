"""The library's client, held to one try on one connection that is already there."""

from __future__ import annotations

import logging
import socket
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from manager.drivers.base import SessionListener
from manager.drivers.stream import ClientTls, open_stream
from manager.drivers.tap import Tap
from manager.drivers.websocket.session import CLOSE_TIMEOUT, Connection
from manager.model import Stage

_SILENT = logging.Logger("websockets", logging.CRITICAL + 1)  # noqa: LOG001 - outside of the tree on purpose
"""The library's logger. At DEBUG it would write the address with its query, every header and every message:
all that may hold a secret. This one belongs to no tree, so no configuration of logging makes it speak; what
went wrong is told by the failures that the session raises."""


class Opening(connect):
    """One opening: says how far it has come, follows no redirect, and leaves nothing when it is cancelled.

    Everything that would wait or try by itself is off: deadlines, keep-alive and retries are the engine's.
    """

    def __init__(
        self,
        url: str,
        sock: socket.socket | None,
        tls: ClientTls | None,
        *,
        asking: Stage,
        listener: SessionListener,
        tap: Tap,
        **options: Any,
    ) -> None:
        """Prepare to open `url` over `sock`, or through `options["proxy"]` where there is none.

        Args:
            url: the address with its query.
            sock: a connected socket; it belongs to the opening from the first step of `await` on.
            tls: how to check the server, where the address asks for TLS.
            asking: the stage that begins when the request goes out.
            listener: who is told of the stages.
            tap: what records the handshake and what follows.
            options: further options of the library.

        Raises:
            InvalidURI: the address cannot be used.
        """
        if tls is not None:
            options["ssl"], options["server_hostname"] = tls
        super().__init__(
            url,
            user_agent_header="trunkline",
            open_timeout=None,
            ping_interval=None,
            close_timeout=CLOSE_TIMEOUT,
            logger=_SILENT,
            create_connection=Connection,
            **options,
        )
        self._sock = sock
        self._tls = tls
        self._asking = asking
        self._listener = listener
        self._tap = tap
        self.stage = Stage.CONNECT
        """How far the opening has come."""

    async def open_tcp_connection(self) -> ClientConnection:
        """Connect and finish TLS; the library sends the request right after this."""
        if self._sock is None:
            connection = await super().open_tcp_connection()
        else:
            if self._tls is not None:
                self._reach(Stage.TLS)
            connection = self.factory(self.ws_uri)
            await open_stream(self._sock, connection, self._tls)
        assert isinstance(connection, Connection)  # noqa: S101 - made by `create_connection`
        connection.tap = self._tap
        self._reach(self._asking)
        return connection

    def process_redirect(self, exc: Exception) -> Exception:
        """Let a redirect be the refusal it is: credentials go to the configured address only."""
        return exc

    def _reach(self, stage: Stage) -> None:
        self.stage = stage
        self._listener.reached(stage)
