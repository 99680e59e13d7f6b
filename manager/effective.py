"""The settings that count for one connection, each with where it comes from, and no secret among them."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from pathlib import Path

import msgspec

from manager.access import Access
from manager.endpoint import is_secret_name
from manager.secret import MASK, Secret, SecretSource
from manager.settings import ConnectionSettings
from manager.sources import BUILT_IN

PROGRAM = "program"
"""Where a value comes from that is neither of a file nor built in."""

_APART = ("name", "endpoints", "policy", "policy_name", "tls", "sources")
"""Fields that are shown in a way of their own."""
_DERIVED = {"username": "aor"}
"""Settings that are taken from another where they are not set."""
_ALL_SECRET = ("query",)
"""Tables in which every value counts as a secret."""


class SettingRow(msgspec.Struct, frozen=True):
    """One setting."""

    section: str
    """`connection`, `policy` or `tls`; `service` for what is set of that."""
    key: str
    """As it stands in the file: `password`, `endpoints[0]`, `headers.Authorization`."""
    value: str
    """As text; `***` and the kind of reference for a secret, empty where it is not set."""
    source: str
    """`config.toml:12`, `config.toml:5 [defaults]`, `preset gentle`, `built-in` or `program`."""


def rows_of(settings: ConnectionSettings) -> tuple[SettingRow, ...]:
    """Return every setting of a connection, in the order of the sections and of the fields in them."""
    return (*_connection(settings), *_policy(settings), *_struct(settings, "tls", settings.tls))


def service_rows_of(access: Access) -> tuple[SettingRow, ...]:
    """Return everything that can be set of the service itself; nothing where a file sets none of it."""
    network = access.network
    values: dict[str, object] = {
        "read_group": access.read_group and access.read_group.name,
        "act_group": access.act_group and access.act_group.name,
        "listen": network and network.place,
        "cert_file": network and network.cert_file,
        "key_file": network and network.key_file,
        "read_token": network and network.read_token,
        "act_token": network and network.act_token,
    }
    if not access.sources.lines:
        return ()
    return tuple(
        SettingRow("service", key, _text(key, value), access.sources.of(key)) for key, value in values.items()
    )


def _connection(settings: ConnectionSettings) -> Iterator[SettingRow]:
    yield SettingRow("connection", "type", settings.type, _source(settings, "type", changed=True))
    for place, endpoint in enumerate(settings.endpoints):
        key = f"endpoints[{place}]"
        value = endpoint.label if endpoint.weight == 1 else f"{endpoint.label} weight {endpoint.weight:g}"
        yield SettingRow("connection", key, value, _source(settings, key, changed=True))
    yield from _struct(settings, "connection", settings)


def _policy(settings: ConnectionSettings) -> Iterator[SettingRow]:
    yield SettingRow(
        "policy",
        "policy",
        settings.policy_name,
        _source(settings, "policy", changed=settings.policy_name != "default"),
    )
    yield from _struct(settings, "policy", settings.policy)


def _struct(settings: ConnectionSettings, section: str, struct: msgspec.Struct) -> Iterator[SettingRow]:
    for field in msgspec.structs.fields(struct):
        if field.name in _APART:
            continue
        value = getattr(struct, field.name)
        default = field.default_factory() if callable(field.default_factory) else field.default
        for key, each in _parts(field.name, value):
            yield SettingRow(
                section,
                key,
                _text(key, each),
                _source(settings, key, changed=value != default),
            )


def _parts(name: str, value: object) -> Iterator[tuple[str, object]]:
    """Yield a value, or what a table or array holds, each by its key."""
    if isinstance(value, dict) and value:
        yield from ((f"{name}.{key}", each) for key, each in value.items())
    elif isinstance(value, tuple) and value:
        yield from ((f"{name}[{place}]", each) for place, each in enumerate(value))
    else:
        yield name, value


def _text(key: str, value: object) -> str:
    table, _, name = key.partition(".")
    if isinstance(value, SecretSource):
        return MASK if value.plain is not None else f"{MASK} ({_reference(value)})"
    named_so = isinstance(value, str) and value and (table in _ALL_SECRET or is_secret_name(name or key))
    if isinstance(value, Secret) or named_so:
        return MASK
    if value is None or value in ((), {}):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, enum.Enum):
        return str(value.value)
    if isinstance(value, Path):
        return _path(value)
    if key == "proxy" and "@" in str(value):
        return f"{MASK}@{str(value).rpartition('@')[2]}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _reference(source: SecretSource) -> str:
    return f"file {_path(source.file)}" if source.file is not None else str(source)


def _path(path: Path) -> str:
    try:
        return f"~/{path.relative_to(Path.home())}"
    except (ValueError, RuntimeError):
        return str(path)


def _source(settings: ConnectionSettings, key: str, *, changed: bool) -> str:
    if not settings.sources.file:
        return PROGRAM if changed else BUILT_IN
    source = settings.sources.of(key)
    return _DERIVED.get(key, source) if source == BUILT_IN else source
