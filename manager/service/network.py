"""The entrance for other machines: TLS, then a token, then what that allows."""

from __future__ import annotations

import socket
import ssl
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request

from manager.access import Network
from manager.errors import TrunklineError
from manager.service import fingerprint
from manager.service.doorway import Doorway
from manager.service.entrance import TurnedAwayError
from manager.service.rights import Right, Visitor
from manager.service.tokens import Tokens

HANDSHAKE_WITHIN = 3.0
"""Seconds for TLS; the request has as many again."""
_PING_EVERY = 20.0
_BEARER = "bearer "
_WANTED = "this service wants a token: Authorization: Bearer TOKEN"
_LACKING = "the act_token of the service's [service] allows it"


class NetworkEntrance:
    """A TCP socket for other machines."""

    def __init__(self, network: Network, tokens: Tokens) -> None:
        """Begin to listen.

        Raises:
            TrunklineError: it cannot listen there, or certificate and key cannot be used.
        """
        self.network = network
        self._tokens = tokens
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        _show(self._context, network)
        try:
            self._doorway = Doorway(network.host, network.port)
        except OSError as error:
            where = f"{network.host}:{network.port}"
            raise TrunklineError(f"cannot listen at {where}: {error.strerror or error}") from None

    def __str__(self) -> str:
        host, port = self._doorway.getsockname()[:2]
        return f"{host} port {port}"

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate that is shown, as people compare it."""
        return fingerprint.written(fingerprint.of_file(self.network.cert_file))

    @property
    def socket(self) -> socket.socket:
        """The socket; it listens already."""
        return self._doorway

    @property
    def options(self) -> dict[str, Any]:
        """TLS, and a ping now and then: nobody tells of a machine that is gone."""
        return {
            "ssl": self._context,
            "ssl_handshake_timeout": HANDSHAKE_WITHIN,
            "ssl_shutdown_timeout": HANDSHAKE_WITHIN,
            "ping_interval": _PING_EVERY,
            "ping_timeout": _PING_EVERY,
        }

    def renew(self, network: Network | None, tokens: Tokens) -> None:
        """Show another certificate and know other tokens from now on; those who are inside stay.

        Raises:
            TrunklineError: certificate and key cannot be used; nothing has changed then.
        """
        if network is not None:
            _show(self._context, network)
        self._tokens = tokens

    def turn_out(self) -> None:
        """End the handshakes that are under way."""
        self._doorway.turn_out()

    def visitor(self, connection: ServerConnection, request: Request) -> Visitor:
        """Return who has come and what its token allows.

        Raises:
            TurnedAwayError: it has no token, or a wrong one.
        """
        host, port = connection.remote_address[:2]
        label = f"{host} port {port}"
        right = self._tokens.right_of(_token_of(request))
        if right is Right.NONE:
            raise TurnedAwayError(HTTPStatus.UNAUTHORIZED, _WANTED, label=label)
        self._doorway.left(connection.remote_address)
        return Visitor(label, right, "" if right is Right.ACT else _LACKING)


def _token_of(request: Request) -> str:
    headers = request.headers.get_all("Authorization")
    if len(headers) != 1 or not headers[0].lower().startswith(_BEARER):
        return ""
    return headers[0][len(_BEARER) :].strip()


def _show(context: ssl.SSLContext, network: Network) -> None:
    """Load certificate and key.

    Raises:
        TrunklineError: they cannot be used.
    """
    try:
        # An empty passphrase: OpenSSL would ask for one on the terminal.
        context.load_cert_chain(network.cert_file, network.key_file, password="")
    except ssl.SSLError:
        raise TrunklineError(
            f"{network.cert_file} and {network.key_file} are no certificate and its key",
            "both are PEM files; the key belongs to the certificate and has no passphrase",
        ) from None
    except OSError as error:
        raise TrunklineError(
            f"cannot read {network.cert_file} or {network.key_file}: {error.strerror}",
            "mend the path or its permissions",
        ) from None
