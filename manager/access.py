"""Who may speak to a service beside root and its own user: `[service]` of the file."""

from __future__ import annotations

from pathlib import Path

import msgspec

from manager.secret import SecretSource
from manager.sources import UNKNOWN, Sources


class Group(msgspec.Struct, frozen=True):
    """A group of this machine."""

    name: str
    gid: int


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """How other machines may speak to a service: by TLS, with a token."""

    host: str
    port: int
    cert_file: Path
    key_file: Path
    read_token: SecretSource | None = None
    """Who has it may see everything that is shown."""
    act_token: SecretSource | None = None
    """Who has it may give commands too."""

    @property
    def place(self) -> str:
        """Where it listens, as it is written down: `0.0.0.0:8443`, `[::1]:8443`."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """What others may do; nothing unless it is said."""

    read_group: Group | None = None
    """Who is in it may see everything that is shown."""
    act_group: Group | None = None
    """Who is in it may give commands too."""
    network: Network | None = None
    sources: Sources = UNKNOWN

    @property
    def by_group(self) -> bool:
        """Whether other users of this machine may do anything."""
        return self.read_group is not None or self.act_group is not None
