"""The tables of the file and the settings they become: one function a table, one line a name."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote, urlsplit

from msgspec.structs import replace

from manager.config.installed import ConnectionType, InstalledTypes
from manager.config.policies import Chosen, Policies, read_numbers
from manager.config.positions import Place
from manager.config.section import Notes, Section, Value, is_name, kind_of, nearest_of, secret_at, shown
from manager.endpoint import Endpoint, EndpointError, is_secret_name, parse_endpoint
from manager.headers import belongs_to_handshake, is_token, is_value
from manager.plugins import DRIVERS, POLICIES, Plugins
from manager.presets import PRESETS
from manager.secret import Secret, SecretSource
from manager.settings import (
    AmiSettings,
    ConnectionSettings,
    SipSettings,
    Strategy,
    Tls,
    WebSocketSettings,
)
from manager.sources import Sources

_PROXY_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
_A_PROXY = "http://host:port, also https, socks5, socks5h, socks4 or socks4a, without a path"
_AN_AOR = "sip:user@host, without a password and without parameters"
_AOR = re.compile(r"sips?:(?P<user>[^\s@:;?<>\"]+)@[^\s@;?<>\"/]+")
_A_WEIGHT = "a number above 0, at most 1000000"
_TEXTS = 'an array of strings: ["…"]'
_NO_ENDPOINT = (parse_endpoint("ami://none"),)
"""Stands for endpoints that are wrong; a file with a mistake gives no settings, so nobody opens it."""
_IN_A_CONNECTION = "it stands in [connections.NAME], not in [defaults]"


def clashes() -> list[str]:
    """Say of each type and policy of another package that trunkline has one of the same name, and uses it."""
    return Plugins(DRIVERS).clashes(_BUILT_IN) + Plugins(POLICIES).clashes(PRESETS)


def read_defaults(section: Section, policies: Policies) -> Chosen:
    """Read `[defaults]`: the policy that counts where a connection names none."""
    policy = read_numbers(section, policies.chosen(section, "policy", Chosen()))
    section.unknown(dict.fromkeys(_names_of_connections(), _IN_A_CONNECTION))
    if "policy" not in section:
        return policy
    return replace(policy, sources={**policy.sources, "policy": section.notes.where(section.at("policy"))})


def read_connection(
    name: str,
    content: Value,
    *,
    defaults: Chosen,
    policies: Policies,
    types: InstalledTypes,
    notes: Notes,
) -> ConnectionSettings | None:
    """Read `[connections.NAME]`; None where it is too wrong to become anything.

    A policy that it names stands in for that of `[defaults]` altogether; its own numbers count before either.
    """
    place: Place = ("connections", name)
    if not is_name(name):
        notes.mistake(place, "a name that does not fit", "1 to 64 characters that can be seen")
    if not isinstance(content, dict):
        notes.mistake(place, kind_of(content), f"a table: [connections.{name}]")
        return None
    section = Section(content, place, notes)
    kind = _kind(section, types)
    policy = policies.chosen(section, "policy", defaults)
    numbers = read_numbers(section, policy)
    common = {
        "name": name or "?",  # a file with a mistake gives no settings
        "policy": numbers.policy,
        "policy_name": numbers.name,
        "strategy": _strategy(section),
        "tls": _tls(section),
        "weight": section.number("weight", 1.0, _A_WEIGHT, _is_weight),
        "group": section.optional_text("group", "1 to 64 characters that can be seen", is_name),
        "sources": Sources(notes.file, notes.lines(content, place), policy.sources),
    }
    if kind is None:
        section.expect(_names_of_connections())
        if section.raw("type") not in types.names:
            section.unknown()
        return None
    endpoints = _endpoints(section, kind)
    spare = _spare(section) and len(endpoints) > 1
    settings = kind.read(section, common | {"endpoints": endpoints or _NO_ENDPOINT, "spare": spare})
    section.unknown(dict.fromkeys(_names_of_connections(), f"it is no setting of type {kind.name}"))
    return settings


def _kind(section: Section, types: InstalledTypes) -> ConnectionType | None:
    value = section.raw("type")
    if isinstance(value, str) and value in _BUILT_IN:
        return _BUILT_IN[value]
    if isinstance(value, str) and value in types.names:
        return types.find(value, section)
    names = sorted({*_BUILT_IN, *types.names})
    quoted = [f'"{name}"' for name in names]
    expected = f"one of {', '.join(quoted[:-1])} and {quoted[-1]}"
    if value is None:
        section.mistake("type", "nothing", expected)
    else:
        nearest = nearest_of(value, names) if isinstance(value, str) else ""
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


_BUILT_IN = {
    kind.name: kind
    for kind in (
        ConnectionType("ami", _ami, ("ami", "amis"), "ami://pbx1.example.com:5038"),
        ConnectionType("sip", _sip, ("sip", "sips", "ws", "wss"), "sip:pbx1.example.com;transport=tcp"),
        ConnectionType("websocket", _websocket, ("ws", "wss"), "wss://backend.example.com/events"),
    )
}


def _names_of_connections() -> set[str]:
    """Return the names that connections of the built-in types have, the numbers aside."""
    kinds = (AmiSettings, SipSettings, WebSocketSettings, Tls)
    fields: set[str] = set().union(*(kind.__struct_fields__ for kind in kinds))
    return (fields | {"type"}) - {"name", "policy", "policy_name", "sources", "tls"}


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


def _endpoints(section: Section, kind: ConnectionType) -> tuple[Endpoint, ...]:
    expected = f'an array of addresses: ["{kind.example}"]'
    items = section.items("endpoints", expected)
    if not items and (section.raw("endpoints") in (None, [])):
        section.mistake("endpoints", "an empty array" if "endpoints" in section else "nothing", expected)
    found: list[Endpoint] = []
    for place, item in items:
        endpoint = _weighted_endpoint(item, place, kind, section)
        if endpoint is None:
            continue
        if any(endpoint.url == other.url for other in found):
            section.notes.mistake(place, f"{endpoint.label} once more", "each address once")
        if endpoint.bears_secret:
            section.notes.plain_secrets.append(place)
        found.append(endpoint)
    return tuple(found)


def _strategy(section: Section) -> Strategy:
    value = section.raw("strategy")
    if value is None:
        return Strategy.PRIORITY
    if isinstance(value, str) and value in list(Strategy):
        return Strategy(value)
    nearest = nearest_of(value, Strategy) if isinstance(value, str) else ""
    expected = "one of " + ", ".join(f'"{each}"' for each in Strategy)
    section.notes.mistake(section.at("strategy"), shown(value), expected, nearest=nearest)
    return Strategy.PRIORITY


def _spare(section: Section) -> bool:
    spare = section.flag("spare", default=False)
    endpoints = section.raw("endpoints")
    if spare and isinstance(endpoints, list) and len(endpoints) == 1:
        section.mistake("spare", "a spare of a connection with one endpoint", "a second endpoint for it")
    return spare


def _weighted_endpoint(value: Value, place: Place, kind: ConnectionType, section: Section) -> Endpoint | None:
    """Read an address, or a table of one with its weight."""
    if not isinstance(value, dict):
        return _endpoint(value, place, kind, section.notes)
    table = Section(value, place, section.notes)
    address = table.raw("address")
    weight = table.number("weight", 1.0, _A_WEIGHT, _is_weight)
    if "weight" in table and section.raw("strategy") != Strategy.WEIGHTED:
        table.mistake("weight", "a weight that nobody asks for", 'strategy = "weighted" beside endpoints')
    table.unknown()
    endpoint = _endpoint(address, (*place, "address"), kind, section.notes)
    return None if endpoint is None else replace(endpoint, weight=weight)


def _endpoint(value: Value, place: Place, kind: ConnectionType, notes: Notes) -> Endpoint | None:
    if not isinstance(value, str):
        notes.mistake(place, kind_of(value), "an address, a string")
        return None
    try:
        endpoint = parse_endpoint(value, kind.ports)
    except EndpointError as error:
        # An address that cannot be read cannot be masked either.
        notes.mistake(place, "an address that cannot be used", str(error))
        return None
    if endpoint.scheme not in kind.schemes:
        schemes = ", ".join(f"{scheme}:" for scheme in kind.schemes)
        notes.mistake(
            place, f"an address of the scheme {endpoint.scheme}:", f"for type {kind.name}: {schemes}"
        )
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


def _is_weight(value: float) -> bool:
    return 0 < value <= 1_000_000


def _any(text: str) -> bool:
    return bool(text)
