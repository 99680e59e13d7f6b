"""Where a service is spoken to: a Unix socket, or another machine by TLS with a token.

Imports little: `trunkline status` is over before anything else of trunkline would be loaded.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from manager.errors import UntrustedError

if TYPE_CHECKING:
    import ssl

TOKEN_VARIABLE = "TRUNKLINE_TOKEN"  # noqa: S105 - the name of a variable
_SCHEME = "wss://"
_LABELLED = re.compile(r"([A-Za-z0-9][\w.-]{0,31})=(.+)", re.DOTALL)
"""A path that would be taken for one begins with `./`."""
_MOST_BYTES = 4096


class NetworkAddress(NamedTuple):
    """A service on another machine."""

    host: str
    port: int
    ca_file: Path | None = None
    """PEM file of whom to trust instead of the system's authorities: one of its own, or the service's
    certificate itself."""
    token_file: Path | None = None
    """File of the token; `TRUNKLINE_TOKEN` where it is not set."""
    fingerprint: str = ""
    """SHA-256 of the certificate that alone is trusted, in hexadecimal; empty where authorities are."""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{_SCHEME}{host}:{self.port}"

    def token(self) -> str:
        """Read the token from where it is kept.

        Raises:
            UntrustedError: there is none, or it is none.
        """
        if self.token_file is None:
            token = os.environ.get(TOKEN_VARIABLE, "")
            where = TOKEN_VARIABLE
        else:
            where = str(self.token_file)
            try:
                with self.token_file.open("rb") as stream:
                    token = stream.read(_MOST_BYTES).decode(errors="replace").strip()
            except OSError as error:
                raise UntrustedError(f"cannot read {self.token_file}: {error.strerror}") from None
        if not token:
            raise UntrustedError(
                f"there is no token for {self} in {where}",
                f"put it into {TOKEN_VARIABLE}, or into a file of your own: --token-file FILE",
            )
        if not fits_header(token):
            raise UntrustedError(
                f"what is in {where} is no token: it has other characters than visible ASCII"
            )
        return token

    def context(self) -> ssl.SSLContext:
        """Return whom to trust.

        Raises:
            UntrustedError: `ca_file` cannot be used.
        """
        import ssl  # noqa: PLC0415 - not for a Unix socket

        if self.fingerprint:
            from manager.service.fingerprint import pinned  # noqa: PLC0415 - as above

            return pinned(self.fingerprint)
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:  # ssl.SSLError is one
            why = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
            raise UntrustedError(f"cannot use {self.ca_file}: {why}") from None
        if self.ca_file is not None:
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        return context


Address = Path | NetworkAddress
"""A Unix socket, or a service on another machine."""


def parse_address(text: str, *, ca_file: Path | None = None, token_file: Path | None = None) -> Address:
    """Read `wss://HOST:PORT` or the path of a Unix socket.

    Raises:
        ValueError: it is neither; the message repeats nothing of it.
    """
    scheme, found, _ = text.partition("://")
    if not found:
        if not text.strip():
            raise ValueError("the path of a socket, or wss://HOST:PORT")
        return Path(text)
    if scheme.lower() != "wss":
        raise ValueError("a service on another machine is wss://HOST:PORT, and nothing without TLS")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or not port or text.partition("://")[2].rstrip("/") != parts.netloc or "@" in parts.netloc:
        raise ValueError("a service on another machine is wss://HOST:PORT; its token comes from elsewhere")
    return NetworkAddress(host, port, ca_file, token_file)


class Named(NamedTuple):
    """An address, and what the service there is called among several; empty where nothing was said."""

    label: str
    address: Address


def parse_named(text: str) -> Named:
    """Read an address with a label in front of it, `berlin=wss://HOST:PORT`, or without.

    Raises:
        ValueError: it is no address; the message repeats nothing of it.
    """
    found = _LABELLED.fullmatch(text)
    return Named("", parse_address(text)) if found is None else Named(found[1], parse_address(found[2]))


def fits_header(token: str) -> bool:
    """Whether a token can be sent: visible ASCII characters."""
    return all("!" <= character <= "~" for character in token)
