"""A look at whether a registrar is there, without credentials: a connect, or an OPTIONS over UDP."""

from __future__ import annotations

import asyncio
import secrets

from manager.drivers.sip.address import SipUri, host_port
from manager.drivers.sip.lookup import Target, resolve
from manager.drivers.sip.message import Headers, MessageError, Request, Response, parse_message
from manager.drivers.sip.registration import USER_AGENT
from manager.drivers.sip.transport import connected_socket
from manager.endpoint import Endpoint

_MOST = 65_535
"""Bytes of a datagram."""


async def peek(endpoint: Endpoint, aor: SipUri) -> None:
    """Look at the addresses of an endpoint until one gives a sign of life.

    Args:
        endpoint: where to look.
        aor: who asks, over UDP. Asterisk logs a request from nobody it knows as an attack, and fail2ban bans
            for ten of them.

    Raises:
        DriverError, OSError, UnicodeError: none does.
    """
    *others, last = await resolve(endpoint)
    for target in others:
        try:
            return await _look(target, aor)
        except OSError:
            continue
    await _look(last, aor)
    return None


async def _look(target: Target, aor: SipUri) -> None:
    connected = await connected_socket(target, None)
    try:
        if target.transport == "udp":
            loop = asyncio.get_running_loop()
            host, port = connected.getsockname()[:2]
            local = host_port(host.partition("%")[0], port)
            await loop.sock_sendall(connected, _options(target, aor, local))
            while not _is_response(await loop.sock_recv(connected, _MOST)):
                pass
    finally:
        connected.close()


def _options(target: Target, aor: SipUri, local: str) -> bytes:
    """Return an OPTIONS within no dialog (RFC 3261 §11); any response to it is a sign of life."""
    registrar = f"sip:{host_port(target.address.partition('%')[0], target.port)}"
    tag, call_id, branch = (secrets.token_hex(6) for _ in range(3))
    return Request(
        "OPTIONS",
        registrar,
        Headers(
            [
                ("Via", f"SIP/2.0/UDP {local};branch=z9hG4bK{branch};rport"),
                ("Max-Forwards", "70"),
                ("From", f"<{SipUri(aor.host, aor.scheme, aor.userinfo, aor.port)}>;tag={tag}"),
                ("To", f"<{registrar}>"),
                ("Call-ID", call_id),
                ("CSeq", "1 OPTIONS"),
                ("Contact", f"<sip:peek@{local}>"),
                ("Accept", "application/sdp"),
                ("User-Agent", USER_AGENT),
            ]
        ),
    ).encode()


def _is_response(raw: bytes) -> bool:
    try:
        return isinstance(parse_message(raw), Response)
    except MessageError:
        return False
