"""What a connection type is to the file, and the types and policies that other packages bring.

A package brings a type by a module under the entry point `trunkline.drivers`. Beside `create`, which the
engine calls (`manager/drivers/base.py`), the module offers:

    SCHEMES = {"redis": 6379}           what its addresses begin with, and the port where none is given

    def read(section: Section, common: dict[str, Any]) -> RedisSettings:
        return RedisSettings(**common, password=section.secret("password"))

`section` is the table of the connection: each name is asked for once, and what is wrong with it is noted with
its line. `common` is what all types have, read already. The settings are a subclass of `ConnectionSettings`
whose `type` is the name of the entry point.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from manager.config.section import Section, shown
from manager.plugins import DRIVERS, PluginError, Plugins
from manager.secret import SecretSource
from manager.settings import ConnectionSettings, Policy
from manager.text import quoted
from manager.trace import frames_of

log = logging.getLogger(__name__)

Reader = Callable[[Section, dict[str, Any]], ConnectionSettings | None]

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_MENDED = "a package that keeps to what CONTRIBUTING says of connection types"


class ConnectionType(msgspec.Struct, frozen=True):
    """How the table of one connection type is read."""

    name: str
    read: Reader
    """Makes settings of a table and of what all types have; None where they became nothing."""
    schemes: tuple[str, ...]
    """What its addresses begin with."""
    example: str
    """Such an address."""
    ports: Mapping[str, int | None] = msgspec.field(default_factory=dict)
    """Of the schemes that only this type knows, the port where an address names none."""


class InstalledTypes:
    """The connection types that other packages bring; a module is imported when its type is met."""

    def __init__(self) -> None:
        self._plugins = Plugins(DRIVERS)

    @property
    def names(self) -> list[str]:
        """Every type that is installed."""
        return self._plugins.names

    def find(self, name: str, section: Section) -> ConnectionType | None:
        """Return an installed type; None, and the mistake noted in the table, where it cannot be used."""
        try:
            return _type_of(name, self._plugins.load(name), self._plugins.package(name))
        except PluginError as error:
            section.mistake("type", f"{shown(name)}, but {error}", error.hint)
            return None


def as_policy(offered: object, package: str) -> Policy:
    """Return the policy that a package offers: a `Policy`, or a mapping of numbers.

    Raises:
        PluginError: it is neither, or a number is out of its bounds.
    """
    if isinstance(offered, Policy):
        return offered
    if not isinstance(offered, Mapping):
        raise PluginError(f"{package} offers {_kind(offered)}", "a Policy, or a mapping of numbers")
    unknown = [name for name in offered if name not in Policy.__struct_fields__]
    if unknown:
        raise PluginError(f"{package} sets {quoted(str(unknown[0]))!r}", "names of [defaults]")
    for name, value in offered.items():
        if isinstance(getattr(Policy(), name), bool) and not isinstance(value, bool):
            raise PluginError(f"{package} sets {name} to {_kind(value)}", "true or false")
    try:
        return Policy(**offered)
    except ValueError as error:
        found, _, expected = str(error).partition("; expected ")
        raise PluginError(f"in {package} {quoted(found)}", expected) from None


def _type_of(name: str, module: object, package: str) -> ConnectionType:
    for function in ("create", "read"):
        if not callable(getattr(module, function, None)):
            raise PluginError(f"{package} has no {function} for it", _MENDED)
    schemes = getattr(module, "SCHEMES", None)
    if not isinstance(schemes, Mapping) or not schemes or not all(map(_is_scheme, schemes.items())):
        raise PluginError(f"{package} has no SCHEMES for it that can be used", _MENDED)
    return ConnectionType(
        name=name,
        read=_Contained(name, module.read, package),  # type: ignore[attr-defined] # seen above
        schemes=tuple(schemes),
        example=f"{next(iter(schemes))}://host.example.com",
        ports=dict(schemes),
    )


class _Contained:
    """Calls the `read` of a package; what it does wrong is a mistake in the table."""

    def __init__(self, name: str, read: Callable[..., object], package: str) -> None:
        self._name = name
        self._read = read
        self._package = package

    def __call__(self, section: Section, common: dict[str, Any]) -> ConnectionSettings | None:
        before = len(section.notes.mistakes)
        settings: ConnectionSettings | None = None
        try:
            offered = self._read(section, common)
            wrong = self._wrong(offered, common)
            settings = offered if isinstance(offered, ConnectionSettings) else None
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it is, it costs this connection alone
            log.error("reading a connection of type %s raised %s", self._name, frames_of(error))
            wrong = f"raised {type(error).__name__}"
        if len(section.notes.mistakes) > before:
            return None
        if wrong:
            section.notes.mistake(
                section.place,
                f'a connection of type "{self._name}", whose reading by {self._package} {wrong}',
                f"{_MENDED}; the log has the details",
            )
            return None
        return settings

    def _wrong(self, settings: object, common: dict[str, Any]) -> str:
        if not isinstance(settings, ConnectionSettings):
            return f"gave {_kind(settings)} and no settings"
        if settings.type != self._name:
            return f"gave settings of the type {quoted(str(settings.type))!r}"
        if any(getattr(settings, name) != value for name, value in common.items()):
            return "did not take over what all types have"
        secrets: object = settings.secrets()
        if not isinstance(secrets, tuple) or not all(isinstance(each, SecretSource) for each in secrets):
            return "gave settings whose secrets() are no tuple of SecretSource"
        return ""


def _is_scheme(item: tuple[object, object]) -> bool:
    scheme, port = item
    named = isinstance(scheme, str) and _SCHEME.fullmatch(scheme) is not None
    return named and (port is None or (type(port) is int and 0 < port < 65536))


def _kind(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
