"""WebSocket clients, over the websockets library.

From the outside in: `driver` opens a session, `session` is what stays, `endings` says in plain words why a
handshake was refused or a session ended, `handshake` is what is sent, its secrets read.
"""

from __future__ import annotations

from manager.drivers.base import Driver, Memory
from manager.drivers.websocket.driver import WebSocketDriver
from manager.drivers.websocket.session import WebSocketSession
from manager.settings import WebSocketSettings

__all__ = ["WebSocketDriver", "WebSocketSession", "create"]


def create(settings: WebSocketSettings, memory: Memory) -> Driver:
    """Return the driver of a WebSocket connection."""
    return WebSocketDriver(settings, memory)
