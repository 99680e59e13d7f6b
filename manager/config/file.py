"""The configuration file as a whole: where it is, who may read it, what it becomes."""

from __future__ import annotations

import shlex
import stat
from pathlib import Path
from typing import Any

import msgspec

from manager.access import Access
from manager.config.access import read_access
from manager.config.connections import read_connection, read_defaults
from manager.config.document import Document, read_document
from manager.config.installed import InstalledTypes
from manager.config.mistakes import Mistake, dotted
from manager.config.policies import Policies
from manager.config.section import Section, kind_of
from manager.settings import ConnectionSettings

_OTHERS = 0o077
_A_CONNECTION = "at least one table [connections.NAME]"
_NAMED_SECRETS = 3


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """What a configuration file says."""

    path: Path
    connections: tuple[ConnectionSettings, ...]
    """In the order of the file."""
    access: Access = Access()


def load(path: Path) -> Configuration:
    """Read a configuration file.

    Raises:
        ConfigError: it cannot be read or used; it tells every mistake at once.
    """
    document = read_document(path)
    access, connections = _read_tables(document)
    if document.notes.plain_secrets and document.mode & _OTHERS:
        document.notes.mistakes.insert(0, _readable_by_others(document))
    document.demand_no_mistakes()
    return Configuration(path=path, connections=tuple(connections), access=access)


def _read_tables(document: Document) -> tuple[Access, list[ConnectionSettings]]:
    notes = document.notes
    root = Section(document.content, (), notes)
    defaults = _table(root, "defaults")
    policies = Policies(_table(root, "policies") or {}, notes)
    policy = read_defaults(Section(defaults or {}, ("defaults",), notes), policies)
    access = read_access(Section(_table(root, "service") or {}, ("service",), notes))
    tables = _table(root, "connections")
    if tables is not None and not tables:
        notes.mistake(("connections",), "no connection", _A_CONNECTION)
    root.unknown()
    types = InstalledTypes()
    found = [
        read_connection(name, table, defaults=policy, policies=policies, types=types, notes=notes)
        for name, table in (tables or {}).items()
    ]
    return access, [settings for settings in found if settings is not None]


def _table(root: Section, name: str) -> dict[str, Any] | None:
    """Return a table of the file, empty where it is missing; None where it is no table."""
    value = root.raw(name)
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    root.mistake(name, kind_of(value), f"a table: [{name}]")
    return None


def _readable_by_others(document: Document) -> Mistake:
    places = [dotted(place) for place in document.notes.plain_secrets]
    named = ", ".join(places[:_NAMED_SECRETS])
    more = len(places) - _NAMED_SECRETS
    if more > 0:
        named += f" and {more} more"
    return Mistake(
        found=f"plain secrets ({named}) in a file with permissions {stat.S_IMODE(document.mode):o}",
        expected="a file that only its owner can read, or secrets by reference ({ env = … })",
        command=f"chmod 600 {shlex.quote(str(document.path))}",
    )
