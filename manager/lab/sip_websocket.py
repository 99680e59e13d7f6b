"""One client that speaks SIP over WebSocket: a message a frame, subprotocol `sip` (RFC 7118)."""

from __future__ import annotations

import http
import logging
from collections.abc import Callable

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from manager.lab.faults import Fault
from manager.lab.server import LabServer, Peer

HALF_A_HANDSHAKE = b"HTTP/1.1 101 Switching Pro"
_MAX_MESSAGE = 64 * 1024
_UNHEARD = logging.getLogger(f"{__name__}.frames")
_UNHEARD.disabled = True  # the library logs headers, and with them secrets, at debug level


class SipWebSocket:
    """The WebSocket between a client and a registrar; other subprotocols are refused, as by Asterisk."""

    def __init__(self, server: LabServer, peer: Peer) -> None:
        self._server = server
        self._peer = peer
        self._protocol = ServerProtocol(
            subprotocols=[Subprotocol("sip")], max_size=_MAX_MESSAGE, logger=_UNHEARD
        )

    async def run(self, content: bytes, answer: Callable[[bytes], tuple[bytes, bool]]) -> None:
        """Take messages until one of the two wants no more.

        Args:
            content: what the client has sent so far.
            answer: gives the answer to a message, and whether it accepts a registration.
        """
        over = False
        while content and not over:
            self._protocol.receive_data(content)
            for event in self._protocol.events_received():
                if isinstance(event, Request):
                    if not await self._shake_hands(event):
                        return
                elif isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.BINARY):
                    await self._take(bytes(event.data), answer)
            parts = self._protocol.data_to_send()
            over = b"" in parts
            await self._peer.send(b"".join(parts))
            content = b"" if over else await self._peer.receive()

    def push(self, content: bytes) -> None:
        """Send a SIP message without waiting."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_text(content)
            self._peer.push(b"".join(self._protocol.data_to_send()))

    async def _take(self, message: bytes, answer: Callable[[bytes], tuple[bytes, bool]]) -> None:
        await self._server.thawed(logged_in=self._peer.logged_in)
        reply, accepted = answer(message)
        self._peer.logged_in = self._peer.logged_in or accepted
        if reply:
            self.push(reply)

    async def _shake_hands(self, request: Request) -> bool:
        if self._server.fault is Fault.CLOSE_IN_HANDSHAKE:
            await self._peer.send(HALF_A_HANDSHAKE)
            return False
        response = self._protocol.accept(request)
        self._protocol.send_response(response)
        await self._peer.send(b"".join(self._protocol.data_to_send()))
        return response.status_code == http.HTTPStatus.SWITCHING_PROTOCOLS
