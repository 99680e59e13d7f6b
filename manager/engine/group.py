"""Which connections share a fate."""

from __future__ import annotations

from manager.endpoint import Endpoint
from manager.settings import ConnectionSettings


def group_of(settings: ConnectionSettings, endpoint: Endpoint) -> str:
    """Return the name of a connection's group: the configured one, else the host of the endpoint in use."""
    return settings.group or endpoint.host
