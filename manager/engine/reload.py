"""What other settings mean for the connections that are managed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from manager.settings import ConnectionSettings


@dataclass(frozen=True, slots=True)
class Difference:
    """What has to be done, in the order of the new settings."""

    added: tuple[ConnectionSettings, ...]
    removed: tuple[str, ...]
    changed: tuple[ConnectionSettings, ...]


def difference(now: Mapping[str, ConnectionSettings], wanted: Iterable[ConnectionSettings]) -> Difference:
    """Compare settings by name; secrets count by where they come from, plain ones by what they are.

    Raises:
        ValueError: two connections have one name.
    """
    by_name: dict[str, ConnectionSettings] = {}
    for settings in wanted:
        if settings.name in by_name:
            raise ValueError(f"two connections are named {settings.name!r}")
        by_name[settings.name] = settings
    return Difference(
        added=tuple(settings for name, settings in by_name.items() if name not in now),
        removed=tuple(name for name in now if name not in by_name),
        changed=tuple(
            settings for name, settings in by_name.items() if name in now and settings != now[name]
        ),
    )
