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
    from manager.endpoint import parse_endpoint
    from manager.manager import ConnectionManager
    from manager.model import Phase
    from manager.secret import Secret, SecretSource
    from manager.settings import AmiSettings, Policy, SipSettings, WebSocketSettings

_HOMES = {
    "AmiSettings": "manager.settings",
    "Configuration": "manager.config",
    "ConnectionManager": "manager.manager",
    "EmbeddedClient": "manager.embedded",
    "Phase": "manager.model",
    "Policy": "manager.settings",
    "Secret": "manager.secret",
    "SecretSource": "manager.secret",
    "SipSettings": "manager.settings",
    "WebSocketSettings": "manager.settings",
    "load": "manager.config",
    "parse_endpoint": "manager.endpoint",
}

__all__ = [
    "AmiSettings",
    "Configuration",
    "ConnectionManager",
    "EmbeddedClient",
    "Phase",
    "Policy",
    "Secret",
    "SecretSource",
    "SipSettings",
    "WebSocketSettings",
    "load",
    "parse_endpoint",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'manager' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
