"""Opens sessions at a manager interface."""

from __future__ import annotations

from manager.drivers.ami.login import check_credentials, log_in
from manager.drivers.ami.session import AmiSession
from manager.drivers.base import DriverError, SessionListener
from manager.drivers.dial import dial, knock
from manager.drivers.failures import failure_of
from manager.drivers.tls import client_context
from manager.endpoint import Endpoint
from manager.model import Stage
from manager.secret import Secret, SecretUnavailableError
from manager.settings import AmiSettings

DEFAULT_PORT = 5038

ALL_EVENTS = "on"
SPARE_EVENTS = "system"
"""Those of a spare: FullyBooted and Shutdown are among them, calls are not."""


class AmiDriver:
    """Logs in to Asterisk's manager interface."""

    def __init__(self, settings: AmiSettings) -> None:
        self._settings = settings

    async def open(self, endpoint: Endpoint, listener: SessionListener) -> AmiSession:
        """Open a session: connected, logged in, and booted as far as its user can see.

        Raises:
            DriverError: it could not be opened.
        """
        return await self._open(endpoint, listener, ALL_EVENTS)

    async def open_standby(self, endpoint: Endpoint, listener: SessionListener) -> AmiSession:
        """Open a session as a spare, which is sent no events of calls until it is promoted.

        Raises:
            DriverError: it could not be opened.
        """
        return await self._open(endpoint, listener, SPARE_EVENTS)

    async def _open(self, endpoint: Endpoint, listener: SessionListener, events: str) -> AmiSession:
        secret = await self._read_secret(listener)
        session = AmiSession(listener, secret)
        try:
            await self._connect(session, endpoint, listener)
            await log_in(session, self._settings.username, secret, listener, events=events)
            await session.settle()
        except BaseException:
            await session.close(graceful=False)
            raise
        return session

    async def peek(self, endpoint: Endpoint) -> None:
        """Connect and close again.

        Raises:
            OSError, UnicodeError: nobody takes the connection.
        """
        await knock(endpoint.host, endpoint.port or DEFAULT_PORT)

    async def _read_secret(self, listener: SessionListener) -> Secret:
        listener.reached(Stage.SECRET)
        try:
            secret = await self._settings.password.read()
        except SecretUnavailableError as error:
            raise DriverError(failure_of(error, Stage.SECRET)) from error
        check_credentials(self._settings.username, secret)
        return secret

    async def _connect(self, session: AmiSession, endpoint: Endpoint, listener: SessionListener) -> None:
        settings = self._settings.tls
        tls = None
        if endpoint.scheme == "amis":
            tls = client_context(settings), settings.server_name or endpoint.host
        try:
            stream = await dial(endpoint.host, endpoint.port or DEFAULT_PORT, listener)
        except (OSError, UnicodeError) as error:
            raise DriverError(failure_of(error, Stage.CONNECT)) from error
        if tls:
            listener.reached(Stage.TLS)
        try:
            await session.connection.attach(stream, tls)
        except OSError as error:
            raise DriverError(failure_of(error, Stage.TLS if tls else Stage.CONNECT)) from error
