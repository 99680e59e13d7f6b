"""Opens WebSocket sessions: one try, one connection, no redirect, no proxy that was not asked for."""

from __future__ import annotations

import socket
import time
from urllib.parse import urlsplit

from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from manager.drivers.base import DriverError, Memory, SessionListener
from manager.drivers.dial import dial, knock
from manager.drivers.failures import failure_of
from manager.drivers.stream import ClientTls
from manager.drivers.tap import Tap
from manager.drivers.tls import client_context
from manager.drivers.websocket.endings import no_common_subprotocol, refused
from manager.drivers.websocket.handshake import Handshake, prepare
from manager.drivers.websocket.opening import Opening
from manager.drivers.websocket.session import Connection, WebSocketSession
from manager.endpoint import Endpoint
from manager.errors import NotConnectedError
from manager.model import Stage
from manager.secret import SecretUnavailableError
from manager.settings import WebSocketSettings

_ARI_PATH = "/ari/events"


class WebSocketDriver:
    """Opens sessions of one WebSocket connection."""

    __slots__ = ("_memory", "_settings")

    def __init__(self, settings: WebSocketSettings, memory: Memory) -> None:
        self._settings = settings
        self._memory = memory

    async def open(self, endpoint: Endpoint, listener: SessionListener) -> WebSocketSession:
        """Open a session: connected, upgraded, the first messages sent.

        Raises:
            DriverError: it could not be opened.
        """
        return await self._open(endpoint, listener, spare=False)

    async def open_standby(self, endpoint: Endpoint, listener: SessionListener) -> WebSocketSession:
        """Open a session as a spare: messages that only subscribe are sent when it is promoted.

        First messages that hold a secret are a login, and sent at once.

        Raises:
            DriverError: it could not be opened.
        """
        return await self._open(endpoint, listener, spare=True)

    async def _open(self, endpoint: Endpoint, listener: SessionListener, *, spare: bool) -> WebSocketSession:
        handshake = await self._prepare(endpoint, listener)
        asking = Stage.LOGIN if handshake.proves_identity else Stage.HANDSHAKE
        tap = Tap(listener, handshake.secrets)
        connection = await self._connect(endpoint, handshake, asking, listener, tap)
        session = WebSocketSession(
            connection, self._settings, handshake, listener, tap, ari=_is_ari(endpoint)
        )
        try:
            self._check_subprotocol(connection, endpoint)
            if spare and not handshake.messages_prove_identity:
                session.postponed = handshake.first_messages
            else:
                await self._greet(session, handshake, listener)
        except BaseException:
            await session.close(graceful=False)
            raise
        self._memory[_key(endpoint)] = "yes"
        return session

    async def peek(self, endpoint: Endpoint) -> None:
        """Connect and close again. Behind a proxy nothing can be seen without asking the proxy for it.

        Raises:
            OSError, UnicodeError: nobody takes the connection, or there is a proxy before it.
        """
        if self._settings.proxy is not None:
            raise OSError("a proxy stands before it")
        assert endpoint.port is not None  # noqa: S101 - parse_endpoint gives every ws address one
        await knock(endpoint.host, endpoint.port)

    async def _prepare(self, endpoint: Endpoint, listener: SessionListener) -> Handshake:
        listener.reached(Stage.SECRET)
        try:
            return await prepare(self._settings, endpoint)
        except SecretUnavailableError as error:
            failure = failure_of(error, Stage.SECRET)
        raise DriverError(failure)

    async def _connect(
        self,
        endpoint: Endpoint,
        handshake: Handshake,
        asking: Stage,
        listener: SessionListener,
        tap: Tap,
    ) -> Connection:
        tls = self._tls(endpoint)
        sock = None
        if handshake.proxy is None:
            sock = await self._dial(endpoint, listener)
        else:
            listener.reached(Stage.CONNECT)
        opening: Opening | None = None
        try:
            opening = self._opening(handshake, sock, tls, asking=asking, listener=listener, tap=tap)
            connection = await opening
        except (OSError, WebSocketException, ImportError, ValueError) as error:
            failure = refused(
                error,
                opening.stage if opening else Stage.CONNECT,
                known=self._is_known(endpoint),
                quote=handshake.quoted,
                now=time.time(),
            )
        except BaseException:
            _close(sock)
            raise
        else:
            assert isinstance(connection, Connection)  # noqa: S101 - made by `create_connection`
            return connection
        _close(sock)
        # Raised here, outside of `except`: the library's exceptions hold the address and must not be kept.
        raise DriverError(failure)

    def _opening(
        self,
        handshake: Handshake,
        sock: socket.socket | None,
        tls: ClientTls | None,
        *,
        asking: Stage,
        listener: SessionListener,
        tap: Tap,
    ) -> Opening:
        settings = self._settings
        return Opening(
            handshake.url.reveal(),
            sock,
            tls,
            asking=asking,
            listener=listener,
            tap=tap,
            additional_headers=[(name, value.reveal()) for name, value in handshake.headers],
            subprotocols=[Subprotocol(name) for name in settings.subprotocols] or None,
            compression="deflate" if settings.compression else None,
            proxy=handshake.proxy.reveal() if handshake.proxy else None,
            max_size=settings.max_message_size,
        )

    def _tls(self, endpoint: Endpoint) -> ClientTls | None:
        if endpoint.scheme != "wss":
            return None
        return client_context(self._settings.tls), self._settings.tls.server_name or endpoint.host

    async def _dial(self, endpoint: Endpoint, listener: SessionListener) -> socket.socket:
        assert endpoint.port is not None  # noqa: S101 - parse_endpoint gives every ws address one
        try:
            return await dial(endpoint.host, endpoint.port, listener)
        except (OSError, UnicodeError) as error:
            failure = failure_of(error, Stage.CONNECT)
        raise DriverError(failure)

    def _check_subprotocol(self, connection: Connection, endpoint: Endpoint) -> None:
        if self._settings.subprotocols and connection.subprotocol is None:
            raise DriverError(no_common_subprotocol(Stage.HANDSHAKE, known=self._is_known(endpoint)))

    async def _greet(
        self, session: WebSocketSession, handshake: Handshake, listener: SessionListener
    ) -> None:
        if handshake.messages_prove_identity and not handshake.proves_identity:
            listener.reached(Stage.LOGIN)
        try:
            for message in handshake.first_messages:
                await session.send(message.reveal())
        except NotConnectedError:
            failure = await session.ended()
        else:
            return
        raise DriverError(failure)

    def _is_known(self, endpoint: Endpoint) -> bool:
        return _key(endpoint) in self._memory


def _key(endpoint: Endpoint) -> str:
    return f"opened {endpoint.label}"


def _is_ari(endpoint: Endpoint) -> bool:
    return urlsplit(endpoint.url.reveal()).path.rstrip("/").endswith(_ARI_PATH)


def _close(sock: socket.socket | None) -> None:
    """Close a socket whether or not the library took it over; it has let go of it by now."""
    if sock is not None:
        sock.close()
