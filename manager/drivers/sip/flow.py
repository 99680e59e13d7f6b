"""A flow: one wire with the transactions that run over it.

Requests go out and get their responses; what comes in is answered, copies included.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import Protocol

from manager.drivers import masking
from manager.drivers.base import DriverError
from manager.drivers.sip.address import AddressError, host_port, parse_via
from manager.drivers.sip.framing import KeepAlive
from manager.drivers.sip.message import MessageError, Request, Response, cseq_of, parse_message
from manager.drivers.sip.transaction import ClientTransaction, ServerTransaction, State
from manager.drivers.sip.transport import Wire
from manager.drivers.tap import Tap
from manager.model import Failure, FailureClass, Stage
from manager.wire import WireKind

MAX_SERVER_TRANSACTIONS = 256
_MAGIC = "z9hG4bK"
_LOG = logging.getLogger(__name__)

_ClientKey = tuple[str, str]
"""Branch and method (RFC 3261 §17.1.3)."""
_ServerKey = tuple[str, str, str]
"""Branch, sent-by and method (§17.2.3)."""


class Holder(Protocol):
    """Who holds a flow: answers requests and hears of its end."""

    def answer(self, request: Request, *, pending: bool) -> Response:
        """Return the final response; `pending` tells a CANCEL that its INVITE is known."""

    def flow_over(self, failure: Failure) -> None:
        """Take the end of the flow, once."""


class Flow:
    """Requests and responses over one wire; hears it as its `Receiver`."""

    def __init__(self, holder: Holder, tap: Tap) -> None:
        self._loop = asyncio.get_running_loop()
        self.failure: Failure | None = None
        """Why it is over; None while it is not."""
        self.dropped = 0
        """Messages that were no SIP, had no transaction, or came while too many were kept."""
        self.ponged = False
        """Whether the peer has ever answered a keep-alive."""
        self._ponged_before = False
        self._holder = holder
        self._tap = tap
        self._wire: Wire | None = None
        self._via = ""
        self._clients: dict[_ClientKey, ClientTransaction] = {}
        self._awaited: dict[_ClientKey, asyncio.Future[Response]] = {}
        """The final responses that are still to come."""
        self._servers: dict[_ServerKey, ServerTransaction] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._pong: asyncio.Future[None] | None = None

    def attach(self, wire: Wire, via_host: str | None = None) -> None:
        """Run over this wire from now on; `via_host` stands in Via where the address means nothing."""
        self._wire = wire
        self._via = via_host or host_port(wire.local[0].partition("%")[0], wire.local[1])

    @property
    def wire(self) -> Wire:
        """The wire; there is one once `attach` was called."""
        assert self._wire is not None  # noqa: S101 - the order of open()
        return self._wire

    async def request(self, request: Request) -> Response:
        """Send a request with a Via of its own and return its final response.

        Raises:
            DriverError: the wire is lost, or no response came in 32 s (timer F).
        """
        self._check_alive()
        branch = _MAGIC + secrets.token_hex(12)
        head = f"SIP/2.0/{self.wire.transport} {self._via};branch={branch};rport"
        request.headers.put_first("Via", head)
        raw = request.encode()
        transaction = ClientTransaction(raw, reliable=self.wire.reliable, now=self._loop.time())
        key = (branch, request.method)
        future: asyncio.Future[Response] = self._loop.create_future()
        self._clients[key], self._awaited[key] = transaction, future
        try:
            self._send(raw)
            self._check_alive()
            self._strike_by(transaction.deadline)
            return await future
        finally:
            del self._awaited[key]
            if transaction.state is not State.COMPLETED:
                self._clients.pop(key, None)

    async def ping(self) -> None:
        """Send an empty line and return when the peer has sent one back.

        Raises:
            DriverError: the wire is lost.
        """
        self._check_alive()
        if self._pong is None:
            self._pong = self._loop.create_future()
        pong = self._pong
        self._send(b"\r\n\r\n")
        await asyncio.shield(pong)

    def nudge(self) -> None:
        """Send an empty line without waiting, to learn whether the peer answers them."""
        if self.failure is None:
            self._send(b"\r\n\r\n")

    async def close(self) -> None:
        """End every transaction and the wire, and return when nothing is left."""
        self._end(Failure(kind=FailureClass.TRANSIENT, stage=Stage.SESSION, reason="closed here"))
        if self._wire is not None:
            await self._wire.close()

    def received(self, raw: bytes) -> None:
        """Take a message from the wire."""
        if self.failure is not None or self._wire is None:
            self.dropped += 1
            return
        self._tap.received(WireKind.SIP, raw, masking.sip)
        try:
            message = parse_message(raw)
            if isinstance(message, Response):
                self._response(message)
            else:
                self._request(message)
        except (MessageError, AddressError) as error:
            self.dropped += 1
            _LOG.debug("dropped a message: %s", error)

    def keep_alive(self, line: KeepAlive) -> bool:
        """Take an empty line; return whether one was awaited.

        Where a second one follows, the peer has pinged us, and the first answered nothing.
        """
        self._tap.received(WireKind.SIP, KeepAlive.PONG.value)
        if line is KeepAlive.PONG:
            self._ponged_before, self.ponged = self.ponged, True
        else:
            self.ponged = self._ponged_before
        pong, self._pong = self._pong, None
        if pong is None and line is KeepAlive.PING:
            self._tap.sent(WireKind.SIP, KeepAlive.PONG.value)  # by the wire
        elif pong is not None and not pong.done():
            pong.set_result(None)
        return pong is not None

    def lost(self, failure: Failure) -> None:
        """Take the end of the wire."""
        self._end(failure)

    def _response(self, response: Response) -> None:
        via = parse_via((response.headers.values("Via") or [""])[0])
        sequence = cseq_of(response)
        key = (via.parameter("branch") or "", sequence[1] if sequence else "")
        transaction = self._clients.get(key)
        if transaction is None:
            self.dropped += 1
            return
        if transaction.received(response.status, self._loop.time()) and not self._awaited[key].done():
            self._awaited[key].set_result(response)

    def _request(self, request: Request) -> None:
        via = parse_via((request.headers.values("Via") or [""])[0])
        method = "INVITE" if request.method == "ACK" else request.method
        key = (
            via.parameter("branch") or request.headers.get("Call-ID") or "",
            f"{via.host}:{via.port}",
            method,
        )
        known = self._servers.get(key)
        now = self._loop.time()
        if request.method == "ACK":
            if known is not None:
                known.acknowledged(now)
                self._strike_by(known.deadline)
            return
        if known is not None:
            again = known.repeated()
            if again is not None:
                self._send(again)
            return
        if len(self._servers) >= MAX_SERVER_TRANSACTIONS:
            self.dropped += 1
            return
        pending = request.method == "CANCEL" and (*key[:2], "INVITE") in self._servers
        response = self._holder.answer(request, pending=pending)
        self._route(response)
        raw = response.encode()
        transaction = ServerTransaction(
            raw, invite=request.method == "INVITE", reliable=self.wire.reliable, now=now
        )
        self._servers[key] = transaction
        self._send(raw)
        self._strike_by(transaction.deadline)

    def _route(self, response: Response) -> None:
        """Tell the peer in its Via where it was heard (RFC 3261 §18.2.1, RFC 3581 §4)."""
        first, *others = response.headers.values("Via")
        via = parse_via(first)
        address, port = self.wire.peer[0].partition("%")[0], self.wire.peer[1]
        if via.parameter("rport") == "":
            via = via.with_parameter("rport", str(port))
        if via.host != address or via.parameter("rport") is not None:
            via = via.with_parameter("received", address)
        response.headers.set("Via", ", ".join([str(via), *others]))

    def _strike_by(self, deadline: float | None) -> None:
        """Have the one timer of the flow strike at the deadline of a transaction, or before.

        An early one finds nothing to do and is set anew: most answers come in time and put a deadline off.
        """
        if deadline is None or self.failure is not None:
            return
        if self._timer is not None:
            if self._timer.when() <= deadline:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(deadline, self._timed)

    def _timed(self) -> None:
        now = self._loop.time()
        self._timer = None
        for key, client in list(self._clients.items()):
            self._send_again(client.timed(now))
            if client.state is State.TERMINATED:
                self._clients.pop(key, None)  # all are gone where sending again has found the wire lost
                if client.timed_out and not self._awaited[key].done():
                    self._awaited[key].set_exception(DriverError(_unanswered()))
            self._strike_by(client.deadline)
        for server_key, server in list(self._servers.items()):
            self._send_again(server.timed(now))
            if server.state is State.TERMINATED:
                self._servers.pop(server_key, None)
            self._strike_by(server.deadline)

    def _send_again(self, raw: bytes | None) -> None:
        if raw is not None and self.failure is None:
            self._send(raw)

    def _send(self, raw: bytes) -> None:
        self._tap.sent(WireKind.SIP, raw, masking.sip)
        self.wire.send(raw)

    def _check_alive(self) -> None:
        if self.failure is not None:
            raise DriverError(self.failure)

    def _end(self, failure: Failure) -> None:
        if self.failure is not None:
            return
        self.failure = failure
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting: list[asyncio.Future[Response] | asyncio.Future[None]] = [*self._awaited.values()]
        if self._pong is not None:
            waiting.append(self._pong)
        self._clients.clear()
        self._servers.clear()
        for future in waiting:
            if not future.done():
                future.set_exception(DriverError(failure))
                future.exception()  # seen here: whoever awaited it may be gone
        self._holder.flow_over(failure)


def _unanswered() -> Failure:
    return Failure(
        kind=FailureClass.TRANSIENT,
        stage=Stage.SESSION,
        reason="no answer from the registrar",
        hint="filtered, or the server hangs",
    )
