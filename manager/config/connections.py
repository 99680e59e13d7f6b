"""The tables of the file and the settings they become: one function a table, one line a name."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

from manager.config.positions import Place
from manager.config.section import Notes, Section, Value, is_name, kind_of, nearest_of, secret_at, shown
from manager.endpoint import Endpoint, EndpointError, is_secret_name, parse_endpoint
from manager.headers import belongs_to_handshake, is_token, is_value
from manager.secret import Secret, SecretSource
from manager.settings import (
    AmiSettings,
    ConnectionSettings,
    Policy,
    SipSettings,
    Tls,
    WebSocketSettings,
)

_YEAR = 365 * 24 * 3600
_SCHEMES = {
    "ami": ("ami", "amis"),
    "sip": ("sip", "sips", "ws", "wss"),
    "websocket": ("ws", "wss"),
}
_EXAMPLES = {
    "ami": '["ami://pbx1.example.com:5038"]',
    "sip": '["sip:pbx1.example.com;transport=tcp"]',
    "websocket": '["wss://backend.example.com/events"]',
}
_PROXY_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
_A_PROXY = "http://host:port, also https, socks5, socks5h, socks4 or socks4a, without a path"
_AN_AOR = "sip:user@host, without a password and without parameters"
_AOR = re.compile(r"sips?:(?P<user>[^\s@:;?<>\"]+)@[^\s@;?<>\"/]+")
_SOME_SECONDS = "seconds: a number above 0, at most a year"
_SECONDS = "seconds: a number from 0, at most a year"
_TEXTS = 'an array of strings: ["…"]'
_IN_A_CONNECTION = "it stands in [connections.NAME], not in [defaults]"


def read_policy(section: Section, given: Policy) -> Policy:
    """Read the numbers by which a connection is kept up; `given` are those that are not set here."""
    policy = Policy(
        base_delay=_seconds(section, "base_delay", given.base_delay),
        max_delay=_seconds(section, "max_delay", given.max_delay),
        max_attempts=section.integer("max_attempts", given.max_attempts, low=1, high=1000),
        connect_timeout=_seconds(section, "connect_timeout", given.connect_timeout),
        heartbeat_interval=_seconds(section, "heartbeat_interval", given.heartbeat_interval),
        heartbeat_timeout=_seconds(section, "heartbeat_timeout", given.heartbeat_timeout),
        suspect_timeout=_seconds(section, "suspect_timeout", given.suspect_timeout),
        health_interval=_seconds(section, "health_interval", given.health_interval),
        unhealthy_threshold=section.integer(
            "unhealthy_threshold", given.unhealthy_threshold, low=1, high=1000
        ),
        stable_after=_seconds_or_none(section, "stable_after", given.stable_after),
        cooldown=_seconds_or_none(section, "cooldown", given.cooldown),
        blocked_retry=_seconds_or_none(section, "blocked_retry", given.blocked_retry),
        jitter=section.number("jitter", given.jitter, "a number from 0 to 1", lambda value: 0 <= value <= 1),
        login_budget=section.integer("login_budget", given.login_budget, low=1, high=1000),
        login_window=_seconds(section, "login_window", given.login_window),
        start_rate=section.number(
            "start_rate", given.start_rate, "a number from 0.1 to 10000, or 0 for no bound", _is_rate
        ),
        sibling_wake=section.flag("sibling_wake", default=given.sibling_wake),
        sibling_doubt=section.flag("sibling_doubt", default=given.sibling_doubt),
        peek=section.flag("peek", default=given.peek),
    )
    if policy.max_delay < policy.base_delay and ("max_delay" in section or "base_delay" in section):
        name = "max_delay" if "max_delay" in section else "base_delay"
        found = f"max_delay {policy.max_delay:g} below base_delay {policy.base_delay:g}"
        section.mistake(name, found, "max_delay of at least base_delay")
    return policy


def read_defaults(section: Section) -> Policy:
    """Read `[defaults]`."""
    policy = read_policy(section, Policy())
    section.unknown(dict.fromkeys(_names_of_connections(), _IN_A_CONNECTION))
    return policy


def read_connection(name: str, content: Value, defaults: Policy, notes: Notes) -> ConnectionSettings | None:
    """Read `[connections.NAME]`; None where it is too wrong to become anything."""
    place: Place = ("connections", name)
    if not is_name(name):
        notes.mistake(place, "a name that does not fit", "1 to 64 characters that can be seen")
    if not isinstance(content, dict):
        notes.mistake(place, kind_of(content), f"a table: [connections.{name}]")
        return None
    section = Section(content, place, notes)
    kind = _kind(section)
    common = {
        "name": name,
        "policy": read_policy(section, defaults),
        "tls": _tls(section),
        "weight": section.number(
            "weight", 1.0, "a number above 0, at most 1000000", lambda value: 0 < value <= 1_000_000
        ),
        "group": section.optional_text("group", "1 to 64 characters that can be seen", is_name),
    }
    if kind is None:
        section.expect(_names_of_connections())
        section.unknown()
        return None
    settings = _READERS[kind](section, common | {"endpoints": _endpoints(section, kind)})
    others = _names_of_connections() - _names_of(kind)
    section.unknown(dict.fromkeys(others, f"it is no setting of type {kind}"))
    return settings


def _kind(section: Section) -> str | None:
    value = section.raw("type")
    if isinstance(value, str) and value in _READERS:
        return value
    expected = 'one of "ami", "sip" and "websocket"'
    if value is None:
        section.mistake("type", "nothing", expected)
    else:
        nearest = nearest_of(value, _READERS) if isinstance(value, str) else ""
        section.notes.mistake(section.at("type"), shown(value), expected, nearest=nearest)
    return None


def _ami(section: Section, common: dict[str, Any]) -> ConnectionSettings:
    return AmiSettings(
        **common,
        username=section.text("username", "the user of manager.conf, a string"),
        password=section.secret("password"),
    )


def _sip(section: Section, common: dict[str, Any]) -> ConnectionSettings:
    aor = section.text("aor", _AN_AOR, lambda text: _AOR.fullmatch(text) is not None)
    user = _AOR.fullmatch(aor)
    return SipSettings(
        **common,
        aor=aor,
        username=section.optional_text("username", "the user of the digest, a string")
        or (unquote(user["user"]) if user else ""),
        password=section.secret("password"),
        expires=section.integer("expires", 300, low=1, high=2**32 - 1),
        invite_answer=section.integer("invite_answer", 486, low=400, high=699),
    )


def _websocket(section: Section, common: dict[str, Any]) -> ConnectionSettings:
    check_reply = section.optional_text("check_reply", "text that the reply contains", _any)
    check_message = section.optional_text("check_message", "text of a message", _any)
    if "check_reply" in section and "check_message" not in section:
        section.mistake("check_reply", "a reply without a question", "check_message too")
    return WebSocketSettings(
        **common,
        headers=_headers(section),
        query=_query(section),
        subprotocols=_subprotocols(section),
        on_connect=_first_messages(section),
        heartbeat_message=section.optional_text("heartbeat_message", "text of a message", _any),
        check_message=check_message,
        check_reply=check_reply,
        compression=section.flag("compression", default=False),
        proxy=_proxy(section),
        max_message_size=section.integer("max_message_size", 1024 * 1024, low=1, high=2**30),
    )


_READERS: dict[str, Callable[[Section, dict[str, Any]], ConnectionSettings]] = {
    "ami": _ami,
    "sip": _sip,
    "websocket": _websocket,
}
_TYPES: dict[str, type[ConnectionSettings]] = {
    "ami": AmiSettings,
    "sip": SipSettings,
    "websocket": WebSocketSettings,
}


def _names_of(kind: str) -> set[str]:
    """Return the names that a connection of this type has, the numbers aside."""
    fields = set(_TYPES[kind].__struct_fields__) - {"name", "policy", "tls"}
    return fields | set(Tls.__struct_fields__) | {"type"}


def _names_of_connections() -> set[str]:
    return set().union(*(_names_of(kind) for kind in _READERS))


def _tls(section: Section) -> Tls:
    tls = Tls(
        ca_file=section.path("ca_file"),
        cert_file=section.path("cert_file"),
        key_file=section.path("key_file"),
        verify=section.flag("verify", default=True),
        server_name=section.optional_text("server_name", "a host name", _is_host),
    )
    for one, other in (("cert_file", "key_file"), ("key_file", "cert_file")):
        if one in section and other not in section:
            section.mistake(one, f"{one} alone", f"{other} too, the same file if it holds both")
    return tls


def _endpoints(section: Section, kind: str) -> tuple[Endpoint, ...]:
    expected = f"an array of addresses: {_EXAMPLES[kind]}"
    items = section.items("endpoints", expected)
    if not items and (section.raw("endpoints") in (None, [])):
        section.mistake("endpoints", "an empty array" if "endpoints" in section else "nothing", expected)
    found: list[Endpoint] = []
    for place, item in items:
        endpoint = _endpoint(item, place, kind, section.notes)
        if endpoint is None:
            continue
        if any(endpoint.url == other.url for other in found):
            section.notes.mistake(place, f"{endpoint.label} once more", "each address once")
        if endpoint.bears_secret:
            section.notes.plain_secrets.append(place)
        found.append(endpoint)
    return tuple(found)


def _endpoint(value: Value, place: Place, kind: str, notes: Notes) -> Endpoint | None:
    if not isinstance(value, str):
        notes.mistake(place, kind_of(value), "an address, a string")
        return None
    try:
        endpoint = parse_endpoint(value)
    except EndpointError as error:
        # An address that cannot be read cannot be masked either.
        notes.mistake(place, "an address that cannot be used", str(error))
        return None
    if endpoint.scheme not in _SCHEMES[kind]:
        schemes = ", ".join(f"{scheme}:" for scheme in _SCHEMES[kind])
        notes.mistake(place, f"an address of the scheme {endpoint.scheme}:", f"for type {kind}: {schemes}")
        return None
    return endpoint


def _headers(section: Section) -> dict[str, str | SecretSource]:
    headers: dict[str, str | SecretSource] = {}
    for place, name, value in section.pairs("headers", 'a table: { NAME = "VALUE" }'):
        if not is_token(name):
            section.notes.mistake(place, "a name that no header can have", "letters, digits and -")
        elif belongs_to_handshake(name):
            section.notes.mistake(place, "a header that the handshake sets itself", "another header")
        elif isinstance(value, dict) or is_secret_name(name):
            headers[name] = secret_at(value, place, section.notes)
        elif isinstance(value, str):
            headers[name] = value
        else:
            section.notes.mistake(place, kind_of(value), "a string, or the source of a secret")
        if isinstance(value, str) and not is_value(value):
            section.notes.mistake(place, "characters that no header can hold", "one line of text")
    return headers


def _query(section: Section) -> dict[str, str | SecretSource]:
    """Every parameter here counts as a secret; a harmless one may stand in the address."""
    pairs = section.pairs("query", 'a table: { NAME = { env = "VARIABLE" } }')
    return {name: secret_at(value, place, section.notes) for place, name, value in pairs}


def _subprotocols(section: Section) -> tuple[str, ...]:
    found: list[str] = []
    for place, item in section.items("subprotocols", _TEXTS):
        if not isinstance(item, str) or not is_token(item):
            section.notes.mistake(place, kind_of(item), "the name of a subprotocol: letters, digits, . and -")
        elif item in found:
            section.notes.mistake(place, f'"{item}" once more', "each subprotocol once")
        else:
            found.append(item)
    return tuple(found)


def _first_messages(section: Section) -> tuple[str | SecretSource, ...]:
    messages: list[str | SecretSource] = []
    for place, item in section.items("on_connect", _TEXTS):
        if isinstance(item, dict):
            messages.append(secret_at(item, place, section.notes))
        elif isinstance(item, str) and item:
            messages.append(item)
        else:
            section.notes.mistake(place, kind_of(item), "text of a message, or the source of a secret")
    return tuple(messages)


def _proxy(section: Section) -> str | SecretSource | None:
    value = section.raw("proxy")
    if value is None:
        return None
    if isinstance(value, dict):
        return secret_at(value, section.at("proxy"), section.notes)
    if not isinstance(value, str) or not _is_proxy(value):
        section.mistake("proxy", kind_of(value), _A_PROXY)
        return None
    if "@" not in value:
        return value
    section.notes.plain_secrets.append(section.at("proxy"))
    return SecretSource(plain=Secret(value))


def _is_proxy(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    user_and_password = parts.username is None or bool(parts.password)
    bare = not (parts.path.strip("/") or parts.query or parts.fragment)
    usable = parts.scheme in _PROXY_SCHEMES and bool(parts.hostname) and port != 0
    return usable and bare and user_and_password and text.isprintable() and " " not in text


def _is_host(text: str) -> bool:
    return text.isprintable() and not any(character in " /@:?#" for character in text)


def _is_rate(value: float) -> bool:
    return value == 0 or 0.1 <= value <= 10_000


def _any(text: str) -> bool:
    return bool(text)


def _seconds(section: Section, name: str, default: float) -> float:
    return section.number(name, default, _SOME_SECONDS, lambda value: 0 < value <= _YEAR)


def _seconds_or_none(section: Section, name: str, default: float) -> float:
    return section.number(name, default, _SECONDS, lambda value: 0 <= value <= _YEAR)
