"""A small WebSocket server: secrets in headers or query, echo, events at a rate, close codes.

It stands on the part of the websockets library without IO, so that it can also fall silent: pongs are
sent by us, or not.
"""

from __future__ import annotations

import asyncio
import hmac
import http
import json
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import formatdate
from urllib.parse import parse_qs, urlsplit

from websockets.datastructures import Headers
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from manager.lab.faults import Fault
from manager.lab.server import LabServer, Peer
from manager.lab.sip_websocket import HALF_A_HANDSHAKE
from manager.secret import Secret

_SERVER = "Asterisk/22.10.1+dfsg+~cs6.17.60671434-1"
_UNAUTHORISED = b'{"message":"Authentication required"}'
_MESSAGE_PARTS = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)
_MAX_MESSAGE = 1024 * 1024
_UNHEARD = logging.getLogger(f"{__name__}.frames")
_UNHEARD.disabled = True  # the library logs headers, and with them secrets, at debug level


class WebSocketServer(LabServer):
    """A server that echoes each message, whole or fragmented, and sends events on request.

    A handshake has to bear the secrets of `headers` and of `query` (parameters of its address), and to offer
    one of `subprotocols` where there are any. `retry_after` is the patience in seconds that an overloaded
    server asks for.
    """

    def __init__(
        self,
        *,
        headers: Mapping[str, Secret] | None = None,
        query: Mapping[str, Secret] | None = None,
        subprotocols: Sequence[str] = (),
        host: str = "127.0.0.1",
        port: int = 0,
        delay: float = 1.0,
        retry_after: int = 5,
    ) -> None:
        super().__init__(host=host, port=port, delay=delay)
        self.headers = dict(headers or {})
        self.query = dict(query or {})
        self.subprotocols = tuple(Subprotocol(name) for name in subprotocols)
        self.retry_after = retry_after
        self.received = 0
        """Messages that clients have sent."""
        self._open: dict[Peer, ServerProtocol] = {}
        self._rate = 0.0
        self._events = 0

    def emit(self, event: Mapping[str, object]) -> int:
        """Send a JSON object to every client; return how many there are."""
        listening = self._listening()
        for peer, protocol in listening:
            protocol.send_text(json.dumps(event).encode())
            peer.push(_pending(protocol)[0])
        return len(listening)

    async def emit_at(self, rate: float, count: int) -> None:
        """Send `count` events like Asterisk's, `rate` a second."""
        for _ in range(count):
            self._events += 1
            now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "+0000")
            device = {"name": "PJSIP/6001", "state": "INUSE" if self._events % 2 else "NOT_INUSE"}
            event = {"type": "DeviceStateChanged", "timestamp": now, "device_state": device}
            self.emit({**event, "asterisk_id": "02:fc:00:00:00:01", "application": "lab"})
            await asyncio.sleep(1 / rate)

    def close_sessions(self, code: int, reason: str = "") -> int:
        """Send a close frame to every client; return how many there are."""
        listening = self._listening()
        for peer, protocol in listening:
            protocol.send_close(code, reason)
            peer.push(_pending(protocol)[0])
        return len(listening)

    def _listening(self) -> list[tuple[Peer, ServerProtocol]]:
        sessions = [(peer, self._open[peer]) for peer in self.peers]
        return [(peer, protocol) for peer, protocol in sessions if protocol.state is State.OPEN]

    async def serve(self, peer: Peer) -> None:
        try:
            await self._converse(peer)
        finally:
            peer.logged_in = False
            self._open.pop(peer, None)

    async def _converse(self, peer: Peer) -> None:
        protocol = ServerProtocol(
            subprotocols=self.subprotocols or None, max_size=_MAX_MESSAGE, logger=_UNHEARD
        )
        message: list[Frame] = []
        while True:
            content = await peer.receive()
            if content:
                protocol.receive_data(content)
            else:
                protocol.receive_eof()
            for event in protocol.events_received():
                if isinstance(event, Request):
                    if not await self._shake_hands(peer, protocol, event):
                        return
                elif isinstance(event, Frame) and event.opcode in _MESSAGE_PARTS:
                    message.append(event)
                    if event.fin:
                        self._echo(protocol, message)
                        message.clear()
            answer, over = _pending(protocol)
            await peer.send(answer)
            if over or not content:
                return

    def _echo(self, protocol: ServerProtocol, message: list[Frame]) -> None:
        self.received += 1
        if protocol.state is State.OPEN:
            protocol.send_frame(Frame(message[0].opcode, b"".join(part.data for part in message)))

    async def _shake_hands(self, peer: Peer, protocol: ServerProtocol, request: Request) -> bool:
        if self.fault is Fault.CLOSE_IN_HANDSHAKE:
            await peer.send(HALF_A_HANDSHAKE)
            return False
        response = self._response_to(protocol, request)
        protocol.send_response(response)
        await peer.send(_pending(protocol)[0])
        if response.status_code != http.HTTPStatus.SWITCHING_PROTOCOLS:
            return False
        self.count_login(accepted=True)
        peer.logged_in = True
        self._open[peer] = protocol
        return True

    def _response_to(self, protocol: ServerProtocol, request: Request) -> Response:
        if self.fault is Fault.OVERLOAD:
            return _refusal(http.HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": str(self.retry_after)})
        if self.fault is Fault.WRONG_PASSWORD or not self._may_enter(request):
            self.count_login(accepted=False)
            asked = {"WWW-Authenticate": 'Basic realm="Asterisk REST Interface"'}
            kind = {"Content-type": "application/json"}
            return _refusal(http.HTTPStatus.UNAUTHORIZED, {**asked, **kind}, _UNAUTHORISED)
        response = protocol.accept(request)
        if response.status_code != http.HTTPStatus.SWITCHING_PROTOCOLS:
            return _refusal(http.HTTPStatus.BAD_REQUEST, {"Sec-WebSocket-Version": "7, 8, 13"})
        del response.headers["Date"]  # Asterisk sends none here
        return response

    def _may_enter(self, request: Request) -> bool:
        query = parse_qs(urlsplit(request.path).query)
        asked = [(query.get(name, []), secret) for name, secret in self.query.items()]
        asked += [(request.headers.get_all(name), secret) for name, secret in self.headers.items()]
        return all(len(given) == 1 and _equal(given[0], secret) for given, secret in asked)


def _pending(protocol: ServerProtocol) -> tuple[bytes, bool]:
    """Return what is to be sent, and whether the connection is over once it is."""
    parts = protocol.data_to_send()
    return b"".join(parts), b"" in parts


def _refusal(status: http.HTTPStatus, extra: Mapping[str, str], body: bytes = b"") -> Response:
    fields = {"Server": _SERVER, "Date": formatdate(usegmt=True), "Cache-Control": "no-cache, no-store"}
    headers = Headers({**fields, **extra, "Content-Length": str(len(body))})
    return Response(status.value, status.phrase, headers, body)


def _equal(given: str, secret: Secret) -> bool:
    return hmac.compare_digest(given.encode(), secret.reveal().encode())
