"""The status of a service in one short exchange, by the standard library alone: for scripts and probes."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from manager.errors import ManagerGoneError, NotAllowedError, TrunklineError, UntrustedError
from manager.places import sockets_to_ask
from manager.service.address import Address, NetworkAddress

if TYPE_CHECKING:
    import ssl

_ANSWERS_WITHIN = 5.0
_REQUEST = "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
_MAX_BYTES = 256 * 2**20
CLOSED_HINT = "the [service] of its settings may name a read_group or an act_group that you are in"


def closed(address: Address) -> str:
    """Return what is told of a socket that the kernel keeps us out of."""
    return f"{address} is closed to you"


def find(config: Path) -> Path | None:
    """Return the socket on which a service of a configuration listens, be it closed to us; None for none."""
    for address in sockets_to_ask(config):
        try:
            _connect(address).close()
        except PermissionError:
            if not _is_there(address):
                continue
        except OSError:
            continue
        return address
    return None


def untrusted(address: Address, error: ssl.SSLCertVerificationError) -> UntrustedError:
    """Return what is told of a service whose certificate is not trusted."""
    return UntrustedError(
        f"the certificate of {address} is not trusted: {error.verify_message}",
        "--ca FILE names its authority, or the certificate itself; --fingerprint tells it by its SHA-256",
    )


def ask(address: Address) -> dict[str, Any]:
    """Return what the service at an address says of itself and its connections (`Overview` of `methods`).

    Raises:
        ManagerGoneError: no service answers there.
        NotAllowedError: it does not let us in.
        UntrustedError: its certificate is not trusted, or there is no token.
        TrunklineError: what answers is no service.
    """
    told = _get(address, "/v1/status")
    try:
        return {"service": dict(told["service"]), "snapshot": dict(told["snapshot"])}
    except (ValueError, KeyError, TypeError):
        raise _no_service(address) from None


def about(address: Address) -> dict[str, Any]:
    """Return what the service at an address says of itself alone (`About` of `methods`).

    Raises:
        ManagerGoneError, NotAllowedError, UntrustedError, TrunklineError: as `ask` does.
    """
    told = _get(address, "/v1/version")
    if not isinstance(told, dict) or "protocol" not in told:
        raise _no_service(address)
    return told


def _get(address: Address, path: str) -> Any:
    try:
        with _secured(address) if isinstance(address, NetworkAddress) else _connect(address) as own:
            own.sendall(f"{_REQUEST.format(path=path)}{_authorization(address)}\r\n".encode())
            answer = b"".join(_received(own))
    except PermissionError:
        raise NotAllowedError(closed(address), CLOSED_HINT) from None
    except OSError as error:
        if getattr(error, "verify_message", ""):
            raise untrusted(address, cast("ssl.SSLCertVerificationError", error)) from None
        raise ManagerGoneError(f"no service answers at {address}") from None
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1:2]
    if status != [b"200"]:
        kind = NotAllowedError if status in ([b"401"], [b"403"]) else TrunklineError
        raise kind(f"the service refuses: {body[:200].decode(errors='replace').strip()}")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise _no_service(address) from None


def _no_service(address: Address) -> TrunklineError:
    return TrunklineError(f"what answers at {address} is no service of trunkline")


def _is_there(address: Path) -> bool:
    try:
        return address.is_socket()
    except OSError:
        return False


def _connect(address: Path) -> socket.socket:
    own = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        own.settimeout(_ANSWERS_WITHIN)
        own.connect(str(address))
    except BaseException:
        own.close()
        raise
    return own


def _secured(address: NetworkAddress) -> socket.socket:
    context = address.context()
    own = socket.create_connection((address.host, address.port), _ANSWERS_WITHIN)
    try:
        return context.wrap_socket(own, server_hostname=address.host)
    except BaseException:
        own.close()
        raise


def _authorization(address: Address) -> str:
    return f"Authorization: Bearer {address.token()}\r\n" if isinstance(address, NetworkAddress) else ""


def _received(own: socket.socket) -> list[bytes]:
    chunks, size = [], 0
    while chunk := own.recv(2**18):
        chunks.append(chunk)
        size += len(chunk)
        if size > _MAX_BYTES:
            raise OSError("too long")
    if not chunks:
        raise OSError("nothing")
    return chunks
