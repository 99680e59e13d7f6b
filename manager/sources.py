"""Where the settings of a connection were written down; where that is a file, in which line."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

BUILT_IN = "built-in"


class Sources(msgspec.Struct, frozen=True, eq=False):
    """Goes with settings and does not count when they are compared: a line that moved changes nothing."""

    file: str = ""
    """Name of the file; empty where a program made the settings."""
    lines: Mapping[str, int] = msgspec.field(default_factory=dict)
    """Lines of what the connection's own table says: `username`, `endpoints[0]`, `headers.Authorization`."""
    policy: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Where the numbers come from that are not its own: `config.toml:5 [defaults]`, `preset gentle`."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sources)

    def __hash__(self) -> int:
        return hash(Sources)

    def of(self, key: str) -> str:
        """Return where a setting comes from."""
        line = self.lines.get(key)
        return self.policy.get(key, BUILT_IN) if line is None else f"{self.file}:{line}"


UNKNOWN = Sources()
"""Of settings that a program made."""
