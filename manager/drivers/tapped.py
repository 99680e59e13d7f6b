"""The WebSocket library's connection, with a tap on what the library itself sends and receives.

That is the handshake and the control frames; messages are recorded whole by whoever sends and takes them.
"""

from __future__ import annotations

from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import Event
from websockets.utils import apply_mask

from manager.drivers import masking
from manager.drivers.tap import Tap
from manager.wire import WireKind

_CONTROL: dict[int, WireKind] = {
    Opcode.PING: WireKind.PING,
    Opcode.PONG: WireKind.PONG,
    Opcode.CLOSE: WireKind.CLOSE,
}
_OPCODE = 0x0F
_HEAD = 2
"""Bytes of a control frame before the key that its payload is masked with (RFC 6455 §5.2, §5.5)…"""
_KEY = 4
"""…and of that key."""


class TappedConnection(ClientConnection):
    """Says what it sends and receives, once it has a `tap`."""

    # The library's own attributes are as many as instances of a class share the names of: one more among them
    # costs each connection 1.5 KiB.
    __slots__ = ("tap",)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.tap: Tap | None = None
        super().__init__(*arguments, **options)

    def process_event(self, event: Event) -> None:
        """Take the response of the handshake, or a frame."""
        if self.tap is not None:
            if isinstance(event, Response):
                self.tap.received(WireKind.HANDSHAKE, event.serialize(), masking.http)
            elif isinstance(event, Frame) and event.opcode in _CONTROL:
                self.tap.received(_CONTROL[event.opcode], bytes(event.data))
        super().process_event(event)

    def send_data(self) -> None:
        """Send the request of the handshake, or frames."""
        if self.tap is not None:
            for raw in self.protocol.writes:
                self._record_sent(self.tap, raw)
        super().send_data()

    def _record_sent(self, tap: Tap, raw: bytes) -> None:
        if self.response is None:
            if raw.startswith(b"GET "):
                tap.sent(WireKind.HANDSHAKE, raw, masking.http)
            return
        kind = _CONTROL.get(raw[0] & _OPCODE) if raw else None
        if kind is not None:
            tap.sent(kind, apply_mask(raw[_HEAD + _KEY :], raw[_HEAD : _HEAD + _KEY]))
