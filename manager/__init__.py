"""trunkline's library: keeps SIP registrations, WebSockets and AMI logins up.

    from manager import ConnectionManager, load

    async with ConnectionManager(load(path).connections) as manager:
        async for event in manager.events():
            ...

Names are imported when they are first used, so that a command that needs few of them starts fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from manager.config import Configuration, load
    from manager.embedded import EmbeddedClient
    from manager.manager import ConnectionManager

_HOMES = {
    "ConnectionManager": "manager.manager",
    "Configuration": "manager.config",
    "EmbeddedClient": "manager.embedded",
    "load": "manager.config",
}

__all__ = ["Configuration", "ConnectionManager", "EmbeddedClient", "load"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'manager' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
