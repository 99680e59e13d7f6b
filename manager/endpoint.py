"""Addresses: one place that a connection may be opened at."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

import msgspec

from manager.secret import MASK, Secret

_DEFAULT_PORTS = {"ami": 5038, "amis": 5039, "ws": 80, "wss": 443}
_SIP_TRANSPORTS = ("udp", "tcp", "tls", "ws", "wss")
_SECRET_WORDS = (
    "key",
    "token",
    "secret",
    "password",
    "passwd",
    "pwd",
    "auth",
    "signature",
    "sig",
    "credential",
    "cookie",
)


class EndpointError(ValueError):
    """An address that cannot be used; the message says what is wrong with it and names no secret."""


class Endpoint(msgspec.Struct, frozen=True):
    """One address; `label` is what may be shown, `url` the whole of it with what must not."""

    scheme: str
    host: str
    port: int | None
    """None where the port is to be looked up (SIP: SRV records, then the transport's default)."""
    transport: str
    """`udp`, `tcp`, `tls`, `ws` or `wss`; empty where a SIP address leaves it open (SRV, then UDP).

    For a connection type of another package, the scheme.
    """
    label: str
    url: Secret
    weight: float = 1.0
    """Share of the choices, where the strategy is `weighted`."""

    @property
    def bears_secret(self) -> bool:
        """Whether the address itself holds a password, key or token."""
        return MASK in self.label

    def __str__(self) -> str:
        return self.label


def parse_endpoint(text: str, schemes: Mapping[str, int | None] = MappingProxyType({})) -> Endpoint:
    """Read `ami://`, `amis://`, `ws://`, `wss://`, `sip:` or `sips:` with host, port and transport.

    Args:
        text: the address.
        schemes: of connection types that other packages bring, with their default ports: `redis://host:port`,
            with a path, parameters, or a user and password where the type has a use for them.

    Raises:
        EndpointError: the address is not one of these, or a part of it is wrong.
    """
    scheme = text.partition(":")[0].lower()
    if any(ord(character) <= 0x20 or ord(character) == 0x7F for character in text):
        raise EndpointError("an address holds no spaces and no control characters")
    if scheme in ("sip", "sips"):
        return _parse_sip(scheme, text)
    if scheme in _DEFAULT_PORTS:
        return _parse_url(scheme, text, _DEFAULT_PORTS[scheme])
    if scheme in schemes:
        return _parse_url(scheme, text, schemes[scheme])
    known = " or ".join(f"{each}://" for each in schemes)
    raise EndpointError(f"an address begins with {known or 'ami://, amis://, ws://, wss://, sip: or sips:'}")


def _parse_url(scheme: str, text: str, default_port: int | None) -> Endpoint:
    parts = _split(text)
    try:
        port = parts.port
    except ValueError:
        raise EndpointError("the port is a number from 1 to 65535") from None
    if not parts.hostname:
        raise EndpointError(f"the host is missing after {scheme}://")
    if port == 0:
        raise EndpointError("the port is a number from 1 to 65535")
    if parts.fragment:
        raise EndpointError("an address has no part behind #")
    host = _checked_host(parts.hostname)
    port = port or default_port
    if scheme in ("ami", "amis"):
        if parts.username is not None or parts.path.strip("/") or parts.query:
            raise EndpointError(
                f"an AMI address is {scheme}://host:port; user and password have settings of their own"
            )
        label = f"{_bracketed(host)}:{port}"
        if scheme == "amis":
            label += "/tls"
        return Endpoint(scheme, host, port, "tls" if scheme == "amis" else "tcp", label, Secret(text))
    if parts.username is not None and not parts.password:
        raise EndpointError(f"a user has a password too: {scheme}://user:password@host")
    shown_port = "" if port == default_port else f":{port}"
    userinfo = f"{MASK}@" if parts.username is not None else ""
    label = f"{scheme}://{userinfo}{_bracketed(host)}{shown_port}{parts.path}{masked_query(parts.query)}"
    return Endpoint(scheme, host, port, scheme, label, Secret(text))


def _parse_sip(scheme: str, text: str) -> Endpoint:
    rest = text.partition(":")[2].removeprefix("//")
    if "@" in rest:
        raise EndpointError("a SIP endpoint has no user part; who registers is `aor`")
    address, *parameters = rest.split(";")
    transport = "tls" if scheme == "sips" else ""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.lower() == "transport":
            if value.lower() not in _SIP_TRANSPORTS:
                raise EndpointError("the transport is udp, tcp, tls, ws or wss")
            transport = value.lower()
        elif name.lower() != "lr":
            raise EndpointError(f"a SIP endpoint knows the parameter transport, not {name or 'an empty one'}")
    if scheme == "sips" and transport not in ("tls", "wss"):
        raise EndpointError("sips: goes over tls or wss")
    parts = _split(f"//{address}")
    try:
        port = parts.port
    except ValueError:
        raise EndpointError("the port is a number from 1 to 65535") from None
    if not parts.hostname or parts.path or parts.query or parts.fragment:
        raise EndpointError("a SIP endpoint is sip:host:port;transport=tcp")
    if port == 0:
        raise EndpointError("the port is a number from 1 to 65535")
    host = _checked_host(parts.hostname)
    label = _bracketed(host) + (f":{port}" if port else "") + (f"/{transport}" if transport else "")
    return Endpoint(scheme, host, port, transport, label, Secret(text))


def _split(text: str) -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError:
        raise EndpointError("the host is not a name or an address") from None


def masked_query(query: str) -> str:
    """Return `?query` with the value of every parameter that may be a secret replaced; empty for none."""
    if not query:
        return ""
    pairs = parse_qsl(query, keep_blank_values=True)
    shown = [f"{quote(name)}={MASK if is_secret_name(name) else quote(value)}" for name, value in pairs]
    return "?" + "&".join(shown)


def is_secret_name(name: str) -> bool:
    """Whether a query parameter or header of this name holds a secret (`api_key`, `access-token`…)."""
    lowered = unquote(name).lower()
    return any(word in lowered for word in _SECRET_WORDS)


def _checked_host(host: str) -> str:
    if ":" in host:
        try:
            ipaddress.IPv6Address(host.partition("%")[0])
        except ValueError:
            raise EndpointError("the host is not an IPv6 address") from None
        return host
    labels = host.removesuffix(".").split(".")
    if any(not label or len(label) > 63 or label.startswith("-") for label in labels):
        raise EndpointError("the host is not a name or an address")
    if not all(character.isalnum() or character in "-_." for character in host):
        raise EndpointError("the host is not a name or an address")
    return host


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
