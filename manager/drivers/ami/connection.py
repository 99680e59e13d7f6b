"""panoramisk's actions and messages over a connection that lives once.

Of panoramisk 1.4 this uses the action with its id and future, the table that matches replies to them, and the
message with its list of what counts as success. Replaced is, and why:

- `Manager.connect`, `connection_lost`, and so what only they start (`connection_made`, `login`, `ping`): they
  log in again every 2 s for ever, in a timer that `close()` cannot stop, and send pings that nobody waits
  for. Here `attach` connects once, and the engine decides what follows a loss.
- `AMIProtocol.close`, which has `Manager.send_awaiting_actions` send unanswered actions again after a
  reconnect, Originate among them. Here such actions fail.
- `Manager.dispatch`: runs callbacks whose tasks nobody owns and whose exceptions end the connection.
- `AMIProtocol.data_received`: loses characters cut by a read, drops headers without `": "`, has no bound and
  takes quadratic time. `Reader` stands in its place.
- `AMIProtocol.handle_message`: swallows an OriginateResponse that bears the id of its action, and takes
  `Shutdown` for a loss.
- `AMIProtocol.send`, `Action.__str__`, `__repr__`: a line end in a value becomes a header, and the secret of
  a login is part of every text.
- `Message.success`: takes a refusal that has a header `Event` for a success.
- `Action.add_message`: guesses at lists by their wording, and never completes one that is refused.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable, Mapping
from typing import NoReturn

from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.manager import Manager
from panoramisk.message import Message

from manager.drivers import masking
from manager.drivers.ami.message import (
    AmiEvent,
    AmiReply,
    FieldValue,
    Headers,
    ListTooLongError,
    TooManyActionsError,
    encode,
)
from manager.drivers.ami.reader import Reader, ReaderError
from manager.drivers.stream import ClientTls, open_stream
from manager.drivers.tap import Tap
from manager.errors import NotConnectedError, TrunklineError
from manager.secret import Secret
from manager.wire import WireKind

MAX_PENDING = 256
"""Actions of programs that may be under way at once."""
MAX_LISTED = 64 * 1024 * 1024
"""Bytes of memory that the lists under way may take together, as estimated in `add_message`."""
_MAX_DROPPED_LISTS = 1024
_HIGH_WATER = 64 * 1024
"""Bytes that may wait for a peer that does not read, besides the action being sent."""


class Received(Message):  # type: ignore[misc] # panoramisk has no types
    """A message of panoramisk's that keeps its headers as they came; the first of several counts."""

    def __init__(self, headers: Headers) -> None:
        super().__init__(dict(reversed(headers)))
        self.headers = headers

    @property
    def kind(self) -> str:
        """`event` or `response`, whichever header comes first: the event OriginateResponse has both."""
        names = (name.lower() for name, _ in self.headers)
        return next((name for name in names if name in ("event", "response")), "")

    @property
    def list_mark(self) -> str:
        """`start` for the reply that a list follows, another word for the event that ends it."""
        return str(self.eventlist).lower()


class PendingAction(Action):  # type: ignore[misc] # panoramisk has no types
    """An action under way, and its answer as far as it has come.

    `future` ends in the reply or in the error that stands for it; as a result, not as an exception, so that
    nobody has to be there to take it.
    """

    def __init__(self, fields: Mapping[str, FieldValue]) -> None:
        encode(fields)
        super().__init__(fields)
        self.start: Received | None = None
        """The reply that began a list."""
        self.events: list[AmiEvent] = []
        self.memory = 0
        """Bytes that `events` take, estimated."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self['action']}>"

    __str__ = __repr__

    def add_message(self, message: Received) -> bool:
        """Take a part of the answer; return whether it is whole."""
        if self.start is None and message.list_mark == "start":
            self.start = message
            return False
        reply = message
        if self.start is not None and message.kind == "event":
            reply = self.start
            self.events.append(AmiEvent(message.headers))
            self.memory += sum(300 + sys.getsizeof(value) for _, value in message.headers)
            if not message.list_mark:
                return False
        self.end(
            AmiReply(reply.headers, ok=reply.response in reply.success_responses, events=tuple(self.events))
        )
        return True

    def end(self, outcome: AmiReply | TrunklineError) -> None:
        """Give the outcome to whoever waits for it, if anyone still does."""
        if not self.future.done():
            self.future.set_result(outcome)


class OneLifeProtocol(AMIProtocol):  # type: ignore[misc] # panoramisk has no types
    """Reads messages, writes actions, and knows which belong together; bounded both ways."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.reader = Reader()
        self.banner: asyncio.Future[str] = connection.loop.create_future()
        self.writable = asyncio.Event()
        self.writable.set()
        self.attached = False
        self.closed = False
        self.responses: dict[str, PendingAction] = {}
        self.error: ReaderError | None = None
        self._dropped_lists: dict[str, None] = {}
        """Ids of lists that nobody waits for any more, but that still come."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self.attached = True
        self.factory = self.connection
        transport.set_write_buffer_limits(high=_HIGH_WATER)

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def register(self, action: PendingAction) -> None:
        """Expect an answer to an action that is about to be sent.

        Raises:
            ValueError: its id is that of another one under way.
        """
        if action.id in self.responses:
            raise ValueError("an action with this ActionID is under way")
        self.responses[action.id] = action

    def send(self, data: PendingAction, as_list: bool | None = None) -> asyncio.Future[object]:  # noqa: ARG002
        # `as_list` is what `Manager.send_action` passes; here the reply says whether a list follows.
        raw = encode(data)
        self.connection.tap.hide(*(value for value in data.values() if isinstance(value, Secret)))
        self.connection.tap.sent(WireKind.AMI, raw, masking.ami)
        self.transport.write(raw)
        return data.future  # type: ignore[no-any-return] # panoramisk has no types

    def forget(self, action: PendingAction) -> None:
        """Wait no longer for the rest of an answer; what still comes of it is dropped."""
        if self.responses.pop(action.id, None) is not None and action.start is not None:
            self._drop_list(action.id)

    def data_received(self, data: bytes) -> None:
        try:
            for headers in self.reader.feed(data):
                self._hear_banner()
                self.connection.tap.received(WireKind.AMI, self.reader.raw, masking.ami)
                self.handle_message(Received(headers))
                if self.closed:
                    return
        except ReaderError as error:
            self.error = error
            self.close()
        self._hear_banner()

    def handle_message(self, message: Received) -> None:
        action = self.responses.get(message.action_id)
        if message.kind == "response":
            if action is not None:
                self._answer(action, message)
            elif message.list_mark == "start":
                self._drop_list(message.action_id)
        elif message.kind == "event":
            if action is not None and action.start is not None:
                self._answer(action, message)
            elif message.action_id not in self._dropped_lists:
                self.connection.dispatch(AmiEvent(message.headers))
            elif message.list_mark:
                del self._dropped_lists[message.action_id]

    def eof_received(self) -> bool:
        # Closing politely would wait for a peer that has gone to read what is still to be written.
        self.transport.abort()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self.writable.set()
        self.banner.cancel()
        for action in self.responses.values():
            action.end(NotConnectedError("the connection was lost before the answer came"))
        self.responses.clear()
        self.connection.connection_lost(self.error or exc)

    def close(self) -> None:
        self.closed = True
        if self.attached:
            self.transport.abort()
        else:
            self.connection_lost(None)

    def _hear_banner(self) -> None:
        if self.reader.banner is not None and not self.banner.done():
            self.connection.tap.received(WireKind.AMI, self.reader.banner)
            self.banner.set_result(self.reader.banner)

    def _answer(self, action: PendingAction, message: Received) -> None:
        if action.add_message(message):
            del self.responses[action.id]
        elif sum(pending.memory for pending in self.responses.values()) > MAX_LISTED:
            self.forget(action)
            action.end(
                ListTooLongError("the answer is longer than is held in memory", "ask for less at once")
            )

    def _drop_list(self, action_id: str) -> None:
        self._dropped_lists[action_id] = None
        if len(self._dropped_lists) > _MAX_DROPPED_LISTS:
            del self._dropped_lists[next(iter(self._dropped_lists))]


class Connection(Manager):  # type: ignore[misc] # panoramisk has no types
    """One connection to a manager interface: attached once, lost once, never again."""

    def __init__(self, received: Callable[[AmiEvent], None], tap: Tap) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self.received = received
        self.tap = tap
        self.protocol = OneLifeProtocol(self)
        self.lost: asyncio.Future[Exception | None] = self.loop.create_future()
        """Ends when the connection is over, in what ended it; None for an orderly end."""

    async def attach(self, stream: socket.socket, tls: ClientTls | None) -> None:
        """Take a connected socket over, with TLS where that is asked for.

        Raises:
            OSError: TLS failed, or the connection was lost meanwhile; the socket is closed.
            DriverError: the name is none that a certificate can have; the socket is closed.
        """
        await open_stream(stream, self.protocol, tls)

    async def banner(self) -> str:
        """Return the first line that the peer sends.

        Raises:
            NotConnectedError: it closed before.
        """
        await asyncio.wait([self.protocol.banner])
        if self.protocol.banner.cancelled():
            raise NotConnectedError("the connection was lost before the banner")
        return self.protocol.banner.result()

    async def exchange(self, fields: Mapping[str, FieldValue], *, limited: bool = False) -> AmiReply:
        """Send an action and return its answer.

        The caller sets the deadline; an action that is given up is forgotten.

        Raises:
            ValueError: the action cannot be sent as it is (`message.encode`).
            NotConnectedError: the connection is over, or is lost before the answer is whole.
            TooManyActionsError: with `limited`, where `MAX_PENDING` are under way.
            ListTooLongError: the answer is a list longer than is held in memory.
        """
        action = PendingAction(fields)
        if limited and len(self.protocol.responses) >= MAX_PENDING:
            raise TooManyActionsError(f"{MAX_PENDING} actions are under way already", "wait for some to end")
        self.protocol.register(action)
        try:
            while not (self.protocol.closed or self.protocol.writable.is_set()):
                await self.protocol.writable.wait()
            if self.protocol.closed:
                raise NotConnectedError("the connection is closed")
            outcome = await self.send_action(action)
        finally:
            self.protocol.forget(action)
        if isinstance(outcome, TrunklineError):
            raise outcome
        assert isinstance(outcome, AmiReply)  # noqa: S101 - `end` takes nothing else
        return outcome

    def dispatch(self, event: AmiEvent) -> None:
        self.received(event)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.lost.done():
            self.lost.set_result(exc)

    def connect(self, *_: object, **__: object) -> NoReturn:
        raise RuntimeError("a connection is attached once and never connects again")

    def close(self) -> None:
        """Drop the connection now; `lost` ends a moment later."""
        self.protocol.close()
