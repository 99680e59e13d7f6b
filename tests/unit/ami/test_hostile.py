"""What a server may do that none should."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from manager.drivers.ami import AmiEvent
from manager.drivers.ami.connection import Connection
from manager.drivers.tap import Tap
from manager.errors import NotConnectedError
from tests.unit.ami.peer import BANNER, Peer, Recorder, hold, opened

_LINES = st.sampled_from(
    [
        "Response: Success",
        "Response: Error",
        "Response: Follows",
        "Event: Newchannel",
        "Event: ListComplete",
        "Event:",
        "ActionID: mine",
        "actionid: mine",
        "ActionID: other",
        "CommandID: mine",
        "EventList: start",
        "EventList: Complete",
        "eventlist: START",
        "Message: x",
        "manager: x",
        "success: x",
        "future: x",
        "_store: x",
        "",
        "",
        "no colon",
        "\ufffd: \0",
    ]
)


class Sink(asyncio.Transport):
    """Takes what is written, and the end."""

    def __init__(self) -> None:
        super().__init__()
        self.aborted = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def write(self, data: bytes) -> None: ...

    def abort(self) -> None:
        self.aborted = True


@given(lines=st.lists(_LINES | st.text(max_size=8), max_size=60), junk=st.binary(max_size=30))
def test_no_message_raises_out_of_the_connection_or_is_lost_in_it(lines, junk):
    async def run() -> None:
        events: list[AmiEvent] = []
        connection = Connection(events.append, Tap(Recorder()))
        transport = Sink()
        connection.protocol.connection_made(transport)
        connection.protocol.data_received(BANNER.encode())
        waiting = asyncio.create_task(connection.exchange({"Action": "CoreShowChannels", "ActionID": "mine"}))
        await asyncio.sleep(0)
        stream = "".join(f"{line}\r\n" for line in lines).encode(errors="replace") + junk
        connection.protocol.data_received(stream)
        connection.protocol.connection_lost(None)
        (outcome,) = await asyncio.gather(waiting, return_exceptions=True)
        assert isinstance(outcome, NotConnectedError) or outcome.action_id == "mine"
        assert not connection.protocol.responses
        assert all(isinstance(event, AmiEvent) and "event" in event for event in events)
        assert not transport.aborted

    asyncio.run(run())


async def test_a_refusal_is_no_success_whatever_else_is_in_it():
    async def script(peer: Peer) -> None:
        await peer.log_in()
        await peer.answer("Originate", "Error", "Event: OriginateResponse", "Message: no")
        await hold(peer)

    async with opened(script) as (session, _):
        assert not (await session.action({"Action": "Originate"})).ok


async def test_a_server_cannot_make_the_session_remember_without_bound():
    """Lists that nobody asked for are dropped, and so is, in time, the memory of them."""

    async def script(peer: Peer) -> None:
        await peer.log_in()
        for number in range(3000):
            await peer.message("Response: Success", f"ActionID: {number}", "EventList: start")
        await peer.answer("Ping")
        await hold(peer)

    async with opened(script) as (session, _):
        await session.heartbeat()
        assert len(session.connection.protocol._dropped_lists) == 1024
        assert not session.connection.protocol.responses
