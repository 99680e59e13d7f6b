"""A small SIP registrar over UDP, TCP and WebSocket on one port; it also asks and calls who is registered."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections import OrderedDict, deque
from collections.abc import Callable

from manager.drivers.sip.address import NameAddress
from manager.drivers.sip.framing import KeepAlive, StreamFramer
from manager.drivers.sip.message import (
    Headers,
    MessageError,
    Request,
    Response,
    cseq_of,
    parse_message,
)
from manager.lab.faults import Fault
from manager.lab.registrar import SERVER, Address, Binding, Registrar, branch_of, reply
from manager.lab.server import LabServer, Peer
from manager.lab.sip_websocket import SipWebSocket

_MAX_DATAGRAM = 65535
_MAX_LATE = 200
"""Datagrams that a slow server keeps to answer late; it loses those beyond, as a full queue does."""
_REMEMBERED_ANSWERS = 256
_T1 = 0.5
"""First retransmission of a request over UDP (RFC 3261 §17.1.1.1)."""
_TIMEOUT = 4.0
_PORT_TRIES = 20

Send = Callable[[bytes], None]


class SipServer(LabServer):
    """A registrar for the accounts of `registrar`.

    As with Kamailio, WebSockets come in over the TCP port. Over UDP there is no connection to accept, close
    or reset: those faults leave datagrams unanswered, and a hang after login answers REGISTER requests that
    bring a Contact and nothing else.
    """

    def __init__(
        self,
        registrar: Registrar,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        delay: float = 1.0,
        retry_after: int = 5,
        pongs: bool = False,
    ) -> None:
        """Set it up; `retry_after` goes with the 503 of an overloaded one, `pongs` answers CRLF pings."""
        super().__init__(host=host, port=port, delay=delay)
        self.registrar = registrar
        self.retry_after = retry_after
        self.pongs = pongs
        self.requests: deque[str] = deque(maxlen=1000)
        """Methods of the last requests that came."""
        self._held: socket.socket | None = None
        """Keeps the UDP port reserved; connected to itself, so that it gets no datagram of others."""
        self._datagrams: socket.socket | None = None
        self._streams: dict[Address, Peer | SipWebSocket] = {}
        self._receiving: asyncio.Task[None] | None = None
        self._answers: OrderedDict[tuple[Address, bytes], bytes] = OrderedDict()
        """To the last datagrams; a retransmission is equal to what it repeats."""
        self._late = 0
        self._asked: dict[str, asyncio.Future[Response]] = {}

    # --- asking those who are registered ---

    async def qualify(self, account: str) -> list[int | None]:
        """Send an OPTIONS to each contact of an account; return the statuses, None for no answer in 4 s."""
        bindings = self.registrar.bindings(account)
        return [await self._ask(self._request("OPTIONS", account, binding), binding) for binding in bindings]

    async def call(self, account: str, caller_name: str, caller: str = "600") -> list[int | None]:
        """Send an INVITE to each contact of an account; return the final statuses, None for none in 4 s."""
        name = caller_name.translate({ord(mark): " " for mark in "\r\n\0"})
        statuses = []
        for binding in self.registrar.bindings(account):
            request = self._request("INVITE", account, binding)
            source = NameAddress(f"sip:{caller}@{self.host}", name, (("tag", secrets.token_hex(8)),))
            request.headers.set("From", str(source))
            statuses.append(await self._ask(request, binding))
        return statuses

    def _request(self, method: str, account: str, binding: Binding) -> Request:
        stream = self._streams.get(binding.source)
        transport = "UDP" if stream is None else "WS" if isinstance(stream, SipWebSocket) else "TCP"
        branch = f"z9hG4bKPj{secrets.token_hex(16)}"
        own = f"<sip:{account}@{self.host}:{self.port}>"
        headers = Headers(
            [
                ("Via", f"SIP/2.0/{transport} {self.host}:{self.port};rport;branch={branch}"),
                ("From", f"<sip:{account}@{self.host}>;tag={secrets.token_hex(16)}"),
                ("To", f"<sip:{account}@{self.host}>"),
                ("Contact", own),
                ("Call-ID", secrets.token_hex(16)),
                ("CSeq", f"{secrets.randbelow(65535) + 1} {method}"),
                ("Max-Forwards", "70"),
                ("User-Agent", SERVER),
            ]
        )
        return Request(method, binding.contact, headers)

    async def _ask(self, request: Request, binding: Binding) -> int | None:
        """Send a request until its final answer comes (RFC 3261 §17.1), and acknowledge that of an INVITE."""
        branch = branch_of(request)
        answered: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._asked[branch] = answered
        encoded = _encoded(request)
        try:
            async with asyncio.timeout(_TIMEOUT):
                wait = None if binding.source in self._streams else _T1
                while not answered.done():
                    send = self._way_to(binding.source)
                    if send is None:
                        return None
                    send(encoded)
                    await asyncio.wait([answered], timeout=wait)
                    wait = wait and wait * 2
        except TimeoutError:
            return None
        finally:
            del self._asked[branch]
            answered.cancel()
        response = answered.result()
        if request.method == "INVITE" and (send := self._way_to(binding.source)):
            send(_encoded(_acknowledgement(request, response)))
        return response.status

    def _way_to(self, remote: Address) -> Send | None:
        if self.fault in (Fault.HANG, Fault.HANG_AFTER_LOGIN):
            return None
        stream = self._streams.get(remote)
        if stream is not None:
            return stream.push
        datagrams = self._datagrams
        return None if datagrams is None else lambda content: self._send_datagram(datagrams, content, remote)

    # --- TCP ---

    async def serve(self, peer: Peer) -> None:
        content = await peer.receive()
        stream = SipWebSocket(self, peer) if content.startswith(b"GET ") else peer
        self._streams[peer.remote] = stream
        try:
            if isinstance(stream, SipWebSocket):
                await stream.run(content, lambda message: self._answer(message, peer.remote))
            else:
                await self._follow(peer, content)
        except MessageError:
            return  # the stream cannot be followed any further
        finally:
            # While this session was frozen, the client may have come back from the same port.
            if self._streams.get(peer.remote) is stream:
                del self._streams[peer.remote]

    async def _follow(self, peer: Peer, content: bytes) -> None:
        framer = StreamFramer()
        while content:
            for frame in framer.feed(content):
                await self.thawed(logged_in=peer.logged_in)
                if not await self._take_frame(peer, frame):
                    return
            content = await peer.receive()

    async def _take_frame(self, peer: Peer, frame: bytes | KeepAlive) -> bool:
        if isinstance(frame, KeepAlive):
            if frame is KeepAlive.PING and self.pongs:
                await peer.send(b"\r\n")
            return True
        answer, accepted = self._answer(frame, peer.remote)
        if self.fault is Fault.CLOSE_IN_HANDSHAKE and not peer.logged_in:
            await peer.send(answer[: len(answer) // 2])
            return False
        peer.logged_in = peer.logged_in or accepted
        if answer:
            await peer.send(answer)
        return True

    # --- both ---

    def _answer(self, frame: bytes, source: Address) -> tuple[bytes, bool]:
        """Return the answer, empty for none, and whether it accepts a registration."""
        try:
            message = parse_message(frame)
        except MessageError:
            return b"", False
        if isinstance(message, Response):
            self._take_response(message)
            return b"", False
        self.requests.append(message.method)
        if message.method in ("ACK", "CANCEL"):
            return b"", False
        if message.method == "REGISTER" and self.fault is Fault.OVERLOAD:
            patience = [("Retry-After", str(self.retry_after)), ("Server", SERVER)]
            return _encoded(reply(message, source, 503, patience)), False
        verdict = self.registrar.answer(message, source, refuse_all=self.fault is Fault.WRONG_PASSWORD)
        if verdict.accepted or verdict.refused:
            self.count_login(accepted=verdict.accepted)
        return _encoded(verdict.response), verdict.accepted

    def _take_response(self, response: Response) -> None:
        asked = self._asked.get(branch_of(response))
        if asked is not None and not asked.done() and response.status >= 200:
            asked.set_result(response)

    # --- UDP ---

    def _reserve(self) -> None:
        """Take a port that is free for TCP and UDP both."""
        chosen = self.port
        for left in range(0 if chosen else _PORT_TRIES, -1, -1):
            super()._reserve()
            try:
                self._held = self._bound(socket.SOCK_DGRAM)
                self._held.connect((self.host, self.port))
            except OSError:
                self._release()
                self.port = chosen
                if not left:
                    raise
            else:
                return

    def _release(self) -> None:
        super()._release()
        if self._held is not None:
            self._held.close()
            self._held = None

    def _listen(self) -> None:
        super()._listen()
        if self._datagrams is None:
            datagrams = self._datagrams = self._bound(socket.SOCK_DGRAM)
            self._receiving = self.spawn(self._receive(datagrams))
            self._receiving.add_done_callback(lambda _: datagrams.close())

    def _stop_listening(self) -> None:
        super()._stop_listening()
        if self._receiving is not None:
            self._receiving.cancel()
            self._receiving = self._datagrams = None

    async def _receive(self, datagrams: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            content, source = await loop.sock_recvfrom(datagrams, _MAX_DATAGRAM)
            await self.thawed(logged_in=False)
            if self.fault is not Fault.SLOW:
                self._take_datagram(datagrams, content, source[:2])
            elif self._late < _MAX_LATE:
                self._late += 1
                self.spawn(self._take_late(datagrams, content, source[:2]))

    async def _take_late(self, datagrams: socket.socket, content: bytes, source: Address) -> None:
        try:
            await asyncio.sleep(self.delay)
        finally:
            self._late -= 1
        self._take_datagram(datagrams, content, source)

    def _take_datagram(self, datagrams: socket.socket, content: bytes, source: Address) -> None:
        if self.fault in (Fault.ACCEPT_AND_CLOSE, Fault.CLOSE_IN_HANDSHAKE, Fault.RESET):
            return
        if self.fault is Fault.HANG_AFTER_LOGIN and not _may_be_a_login(content):
            return
        answer = self._remembered(content, source)
        if answer:
            self._send_datagram(datagrams, answer, source)

    def _remembered(self, content: bytes, source: Address) -> bytes:
        """Answer a request, and a retransmission of it with the same answer (RFC 3261 §17.2.2)."""
        key = (source, content)
        if key not in self._answers:
            self._answers[key], _ = self._answer(content, source)
            if len(self._answers) > _REMEMBERED_ANSWERS:
                self._answers.popitem(last=False)
        return self._answers[key]

    def _send_datagram(self, datagrams: socket.socket, content: bytes, remote: Address) -> None:
        with contextlib.suppress(OSError):  # a full queue or a closed port: datagrams get lost
            datagrams.sendto(self.spoilt(content), remote)


def _may_be_a_login(datagram: bytes) -> bool:
    try:
        message = parse_message(datagram)
    except MessageError:
        return False
    return isinstance(message, Request) and message.method == "REGISTER" and "Contact" in message.headers


def _acknowledgement(invite: Request, response: Response) -> Request:
    """Write the ACK to a final answer (RFC 3261 §17.1.1.3)."""
    number = (cseq_of(invite) or (1, ""))[0]
    headers = Headers((name, value) for name, value in invite.headers if name != "Contact")
    headers.set("To", response.headers.get("To") or "")
    headers.set("CSeq", f"{number} ACK")
    return Request("ACK", invite.uri, headers)


def _encoded(message: Request | Response) -> bytes:
    """Write a message with the two spaces that Asterisk has; empty where a value cannot be written."""
    try:
        return message.encode().replace(b"\r\nContent-Length: ", b"\r\nContent-Length:  ")
    except MessageError:
        return b""
