"""SIP addresses: URIs, `"name" <uri>;parameters` of From and Contact, and Via (RFC 3261 §19.1, §20, §25)."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote

import msgspec
from msgspec.structs import replace

Parameters = tuple[tuple[str, str | None], ...]

_NOT_IN_URI = re.compile(r"[\x00-\x20\x7f<>\"]")
_PORT = re.compile(r"[0-9]{1,5}\Z")
_HOST = re.compile(r"[^\s\x00-\x20\x7f@:;?,<>\"\[\]]+\Z")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]+(%[A-Za-z0-9_.-]+)?\Z")
_SENT_PROTOCOL = re.compile(r"\s*([^\s/;,]+)\s*/\s*([^\s/;,]+)\s*/\s*([^\s/;,]+)\s+(.+)\Z", re.DOTALL)


class AddressError(ValueError):
    """Text that is no SIP address."""


class SipUri(msgspec.Struct, frozen=True, gc=False):
    """A `sip:` or `sips:` URI. Parts stay escaped as they were written; IPv6 hosts lose their brackets."""

    host: str
    scheme: str = "sip"
    userinfo: str | None = None
    port: int | None = None
    parameters: Parameters = ()
    headers: str = ""

    @property
    def user(self) -> str | None:
        """The user without the (deprecated) password."""
        return None if self.userinfo is None else self.userinfo.partition(":")[0]

    def parameter(self, name: str) -> str | None:
        """Return the value of a URI parameter, empty where it has none, None where it is not there."""
        return find_parameter(self.parameters, name)

    def __str__(self) -> str:
        user = "" if self.userinfo is None else f"{self.userinfo}@"
        headers = f"?{self.headers}" if self.headers else ""
        address = host_port(self.host, self.port)
        return f"{self.scheme}:{user}{address}{join_parameters(self.parameters)}{headers}"


class NameAddress(msgspec.Struct, frozen=True, gc=False):
    """A value of From, To, Contact or Route."""

    uri: str
    """As written; `parse_uri` takes it apart (it may also be `tel:` or anything else)."""
    display_name: str = ""
    """Without quotes and escapes."""
    parameters: Parameters = ()

    def parameter(self, name: str) -> str | None:
        """Return the value of a header parameter (`tag`, `expires`), as `SipUri.parameter` does."""
        return find_parameter(self.parameters, name)

    def __str__(self) -> str:
        name = ""
        if self.display_name:
            name = '"' + self.display_name.replace("\\", "\\\\").replace('"', '\\"') + '" '
        return f"{name}<{self.uri}>{join_parameters(self.parameters)}"


class Via(msgspec.Struct, frozen=True, gc=False):
    """One hop of a Via header."""

    transport: str
    host: str
    port: int | None = None
    parameters: Parameters = ()

    def parameter(self, name: str) -> str | None:
        """Return the value of a Via parameter (`branch`, `received`), as `SipUri.parameter` does."""
        return find_parameter(self.parameters, name)

    def with_parameter(self, name: str, value: str | None) -> Via:
        """Return a copy in which the parameter has this value."""
        return replace(self, parameters=set_parameter(self.parameters, name, value))

    def __str__(self) -> str:
        hop = host_port(self.host, self.port)
        return f"SIP/2.0/{self.transport} {hop}{join_parameters(self.parameters)}"


def parse_uri(text: str) -> SipUri:
    """Read a `sip:` or `sips:` URI (RFC 3261 §19.1.1).

    Raises:
        AddressError: it is none.
    """
    scheme, colon, rest = text.strip().partition(":")
    if not colon or scheme.lower() not in ("sip", "sips") or _NOT_IN_URI.search(text.strip()):
        raise AddressError("not a sip: or sips: URI")
    # `;` and `?` may stand in a user, so the user is taken off first.
    userinfo, at, rest = rest.rpartition("@") if "@" in rest.partition("?")[0] else ("", "", rest)
    rest, _, headers = rest.partition("?")
    address, _, parameters = rest.partition(";")
    host, port = parse_host_port(address)
    return SipUri(
        host=host,
        scheme=scheme.lower(),
        userinfo=userinfo if at else None,
        port=port,
        parameters=parse_parameters(parameters),
        headers=headers,
    )


def parse_name_address(text: str) -> NameAddress:
    """Read `"name" <uri>;parameters` or a bare `uri;parameters`, whose parameters are the header's (§20.10).

    Raises:
        AddressError: quotes or brackets do not close, or nothing is left of it.
    """
    text = text.strip()
    name = ""
    if text.startswith('"'):
        end = closing_quote(text, 0)
        name = re.sub(r"\\(.)", r"\1", text[1:end], flags=re.DOTALL)
        text = text[end + 1 :].lstrip()
        if not text.startswith("<"):
            raise AddressError("no address behind the name")
    if "<" in text:
        before, _, rest = text.partition("<")
        uri, bracket, after = rest.partition(">")
        if not bracket:
            raise AddressError("the bracket of an address does not close")
        name = name or before.strip()
        parameters = after.strip().removeprefix(";")
    else:
        uri, _, parameters = text.partition(";")
    uri = uri.strip()
    if not uri:
        raise AddressError("empty address")
    return NameAddress(uri, name, parse_parameters(parameters))


@lru_cache(16)  # a response's is read by the flow, and again by the registration
def parse_via(text: str) -> Via:
    """Read one hop of a Via header, spaces around its slashes and colon allowed (§20.42).

    Raises:
        AddressError: it is none.
    """
    match = _SENT_PROTOCOL.match(text)
    if match is None:
        raise AddressError("not a Via")
    _, _, transport, rest = match.groups()
    sent_by, _, parameters = rest.partition(";")
    host, port = parse_host_port(":".join(part.strip() for part in sent_by.split(":")))
    return Via(transport.upper(), host, port, parse_parameters(parameters))


def parse_host_port(text: str) -> tuple[str, int | None]:
    """Read `host`, `host:port` or `[IPv6]:port`; a port of 0 counts as none.

    Raises:
        AddressError: it is neither.
    """
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or not _IPV6.match(host) or (rest and not rest.startswith(":")):
            raise AddressError("not an IPv6 address in brackets")
        port = rest[1:]
    else:
        host, _, port = text.partition(":")
        if not _HOST.match(host):
            raise AddressError("not a host")
    if not port:
        return host, None
    if not _PORT.match(port) or int(port) > 65535:
        raise AddressError("not a port")
    return host, int(port) or None


def host_port(host: str, port: int | None) -> str:
    """Write `host`, `host:port`, with brackets around an IPv6 address."""
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"


def parse_parameters(text: str) -> Parameters:
    """Read `name=value;name;name="quoted; value"`; quotes stay, empty parts are skipped."""
    parameters: list[tuple[str, str | None]] = []
    for part in split_quoted(text, ";"):
        name, equals, value = part.partition("=")
        if name.strip():
            parameters.append((name.strip(), value.strip() if equals else None))
    return tuple(parameters)


def join_parameters(parameters: Parameters) -> str:
    """Write parameters, each behind its semicolon."""
    return "".join(f";{name}" if value is None else f";{name}={value}" for name, value in parameters)


def find_parameter(parameters: Parameters, name: str) -> str | None:
    """Return a parameter's value, the empty string where it has none, None where it is not there."""
    name = name.lower()
    for key, value in parameters:
        if key.lower() == name:
            return value or ""
    return None


def set_parameter(parameters: Parameters, name: str, value: str | None) -> Parameters:
    """Return the parameters with this one set, in its place where it was there already."""
    changed = tuple((key, value) if key.lower() == name.lower() else (key, old) for key, old in parameters)
    return changed if find_parameter(parameters, name) is not None else (*parameters, (name, value))


def same_address(one: SipUri, other: SipUri) -> bool:
    """Whether two URIs mean the same binding.

    RFC 3261 §19.1.4, and forgiving what registrars change when they list one: case, escapes, a default port.
    """
    return one == other or (
        unquote(one.user or "") == unquote(other.user or "")
        and one.host.lower() == other.host.lower()
        and _port(one) == _port(other)
        and all(
            (one.parameter(name) or "").lower() == (other.parameter(name) or "").lower()
            for name in ("transport", "line")
            if one.parameter(name) is not None and other.parameter(name) is not None
        )
    )


def _port(uri: SipUri) -> int:
    secure = uri.scheme == "sips" or (uri.parameter("transport") or "").lower() in ("tls", "wss")
    return uri.port or (5061 if secure else 5060)


def split_quoted(text: str, separator: str) -> list[str]:
    """Split at a separator that stands neither in quotes nor in angle brackets; parts are stripped."""
    if separator not in text or ('"' not in text and "<" not in text):
        return [part for piece in text.split(separator) if (part := piece.strip())]
    parts: list[str] = []
    start = 0
    quoted = bracketed = False
    position = 0
    while position < len(text):
        character = text[position]
        if quoted:
            if character == "\\":
                position += 1
            elif character == '"':
                quoted = False
        elif character == '"':
            quoted = True
        elif character == "<":
            bracketed = True
        elif character == ">":
            bracketed = False
        elif character == separator and not bracketed:
            parts.append(text[start:position].strip())
            start = position + 1
        position += 1
    parts.append(text[start:].strip())
    return [part for part in parts if part]


def closing_quote(text: str, start: int) -> int:
    """Return the place of the quote that closes the one at `start`.

    Raises:
        AddressError: it does not close.
    """
    position = start + 1
    while position < len(text):
        if text[position] == "\\":
            position += 1
        elif text[position] == '"':
            return position
        position += 1
    raise AddressError("a quote does not close")
