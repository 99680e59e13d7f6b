from __future__ import annotations

import asyncio

import pytest

from manager.drivers.ami import AmiReply, ListTooLongError, TooManyActionsError
from manager.drivers.ami.connection import MAX_PENDING, OneLifeProtocol
from manager.errors import NotConnectedError
from tests.unit.ami.peer import (
    Peer,
    Recorder,
    after_login,
    hold,
    open_session,
    opened,
    serving,
)


async def test_an_action_originated_without_async_waits_for_its_reply():
    """panoramisk reads the header `Async`, which this has not."""

    async def script(peer: Peer) -> None:
        await peer.answer("Originate", "Error", "Message: Originate failed and successfully queued")
        await hold(peer)

    async with opened(after_login(script)) as (session, _):
        assert not (await session.action({"Action": "Originate", "Channel": "Local/600"})).ok


async def test_the_items_of_a_list_are_part_of_the_reply_and_no_events():
    async def script(peer: Peer) -> None:
        action = await peer.action("CoreShowChannels")
        await peer.reply(action, "Success", "EventList: start", "Message: Channels will follow")
        for number in range(3):
            await peer.message(
                "Event: CoreShowChannel", f"ActionID: {action['ActionID']}", f"Channel: {number}"
            )
            await peer.message("Event: Newstate", f"Channel: {number}")
        await peer.message(
            "Event: CoreShowChannelsComplete", f"ActionID: {action['ActionID']}", "EventList: Complete"
        )
        await hold(peer)

    listener = Recorder()
    async with opened(after_login(script), listener) as (session, _):
        reply = await session.action({"Action": "CoreShowChannels"})
        assert reply.ok
        assert [event.get("Channel") for event in reply.events] == ["0", "1", "2", None]
        assert [event.name for event in listener.events] == [
            "FullyBooted",
            "Newstate",
            "Newstate",
            "Newstate",
        ]


async def test_a_list_that_is_refused_is_answered_at_once():
    async def script(peer: Peer) -> None:
        await peer.answer("PJSIPShowContacts", "Error", "Message: No Contacts found")
        await hold(peer)

    async with opened(after_login(script)) as (session, _):
        reply = await session.action({"Action": "PJSIPShowContacts"})
    assert (reply.ok, reply.text, reply.events) == (False, "No Contacts found", ())


async def test_a_list_broken_off_by_an_error_is_answered_by_it():
    async def script(peer: Peer) -> None:
        action = await peer.answer("CoreShowChannels", "Success", "EventList: start")
        await peer.message("Event: CoreShowChannel", f"ActionID: {action['ActionID']}")
        await peer.reply(action, "Error", "Message: out of memory")
        await hold(peer)

    async with opened(after_login(script)) as (session, _):
        reply = await session.action({"Action": "CoreShowChannels"})
    assert (reply.ok, reply.text, len(reply.events)) == (False, "out of memory", 1)


async def test_several_actions_at_once_each_get_their_own_answer():
    async def script(peer: Peer) -> None:
        actions = [await peer.action("Getvar") for _ in range(3)]
        for action in reversed(actions):
            await peer.reply(action, "Success", f"Value: {action['Variable']}")
        await hold(peer)

    async with opened(after_login(script)) as (session, _):
        replies = await asyncio.gather(
            *(session.action({"Action": "Getvar", "Variable": name}) for name in ("a", "b", "c"))
        )
    assert [reply["Value"] for reply in replies] == ["a", "b", "c"]


async def test_an_action_that_is_not_answered_in_time_is_forgotten_and_its_late_answer_dropped():
    given_up = asyncio.Event()

    async def script(peer: Peer) -> None:
        plain = await peer.action("Command")
        listed = await peer.action("CoreShowChannels")
        begun = await peer.action("PJSIPShowContacts")
        await peer.reply(begun, "Success", "EventList: start")
        await given_up.wait()
        await peer.reply(plain, "Success", "Output: late")
        await peer.reply(listed, "Success", "EventList: start")
        for action in (listed, begun):
            await peer.message("Event: Item", f"ActionID: {action['ActionID']}")
            await peer.message(
                "Event: ItemsComplete", f"ActionID: {action['ActionID']}", "EventList: Complete"
            )
        await peer.answer("Ping")
        await hold(peer)

    listener = Recorder()
    async with opened(after_login(script), listener) as (session, _):
        for name in ("Command", "CoreShowChannels", "PJSIPShowContacts"):
            with pytest.raises(TimeoutError):
                await session.action({"Action": name}, timeout=0.05)
        assert not session.connection.protocol.responses
        given_up.set()
        await session.heartbeat()
        assert [event.name for event in listener.events] == ["FullyBooted"]
        assert not session.connection.protocol._dropped_lists


@pytest.mark.parametrize("timeout", [0, -1, float("inf"), float("nan")])
async def test_an_action_has_a_deadline(timeout):
    async with opened(after_login(hold)) as (session, _):
        with pytest.raises(ValueError, match="deadline"):
            await session.action({"Action": "Ping"}, timeout=timeout)


async def test_an_action_with_a_line_end_in_it_is_refused_and_nothing_of_it_sent():
    rest: list[bytes] = []

    async def script(peer: Peer) -> None:
        rest.append(await peer.rest())

    async with opened(after_login(script)) as (session, _):
        with pytest.raises(ValueError, match="line end"):
            await session.action({"Action": "Originate", "Channel": "a\r\n\r\nAction: Logoff"})
        assert not session.connection.protocol.responses
    assert rest == [b""]


async def test_an_action_id_of_the_callers_is_used_but_not_twice_at_once():
    async def script(peer: Peer) -> None:
        assert (await peer.action("Ping"))["ActionID"] == "mine"
        await hold(peer)

    async with opened(after_login(script)) as (session, _):
        first = asyncio.create_task(session.action({"Action": "Ping", "ActionID": "mine"}))
        await asyncio.sleep(0)
        with pytest.raises(ValueError, match="under way"):
            await session.action({"Action": "Ping", "ActionID": "mine"})
        assert list(session.connection.protocol.responses) == ["mine"]
        first.cancel()
        await asyncio.wait([first])


async def test_actions_in_flight_fail_with_the_connection_and_are_never_sent_again():
    actions: list[dict[str, str]] = []

    async def script(peer: Peer) -> None:
        await peer.log_in()
        if len(actions) == 0:
            actions.append(await peer.action("Originate"))
            await peer.close()
        else:
            await peer.answer("Ping")
            assert await peer.rest() == b""

    async with serving(script) as server:
        first = await open_session(server)
        with pytest.raises(NotConnectedError):
            await first.action({"Action": "Originate", "Channel": "Local/600", "Async": "true"})
        second = await open_session(server)
        await second.heartbeat()
        await second.close(graceful=False)
        assert server.connections == 2
    assert len(actions) == 1


async def test_an_action_after_the_end_is_refused():
    async with opened(after_login(hold)) as (session, _):
        await session.close(graceful=False)
        with pytest.raises(NotConnectedError):
            await session.action({"Action": "Ping"})


async def test_the_number_of_actions_under_way_is_bounded_but_a_heartbeat_always_goes():
    async def script(peer: Peer) -> None:
        for _ in range(MAX_PENDING):
            await peer.action("Command")
        await peer.answer("Ping")
        await hold(peer)

    async with opened(after_login(script)) as (session, _):
        waiting = [asyncio.create_task(session.action({"Action": "Command"})) for _ in range(MAX_PENDING)]
        await asyncio.sleep(0)
        with pytest.raises(TooManyActionsError):
            await session.action({"Action": "Command"})
        await session.heartbeat()
        await session.close(graceful=False)
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {NotConnectedError}


async def test_the_memory_of_a_list_is_bounded_and_the_session_lives_on(monkeypatch):
    monkeypatch.setattr("manager.drivers.ami.connection.MAX_LISTED", 100_000)

    async def script(peer: Peer) -> None:
        action = await peer.answer("CoreShowChannels", "Success", "EventList: start")
        for _ in range(200):
            await peer.message("Event: Item", f"ActionID: {action['ActionID']}", "Channel: " + "x" * 1000)
        await peer.message("Event: ItemsComplete", f"ActionID: {action['ActionID']}", "EventList: Complete")
        await peer.answer("Ping")
        await hold(peer)

    listener = Recorder()
    async with opened(after_login(script), listener) as (session, _):
        with pytest.raises(ListTooLongError):
            await session.action({"Action": "CoreShowChannels"})
        await session.heartbeat()
        assert [event.name for event in listener.events] == ["FullyBooted"]


async def test_a_peer_that_never_reads_does_not_make_the_writer_buffer_without_bound():
    let_go = asyncio.Event()

    async def script(peer: Peer) -> None:
        peer.writer.transport.pause_reading()
        await let_go.wait()
        peer.writer.transport.resume_reading()
        await hold(peer)

    async with opened(after_login(script)) as (session, _):
        transport = session.connection.protocol.transport
        big = {"Action": "Command", "Command": "x" * 60_000}
        waiting = [asyncio.create_task(session.action(big, timeout=60)) for _ in range(MAX_PENDING)]
        while transport.get_write_buffer_size() <= 64 * 1024:
            await asyncio.sleep(0.01)
        for _ in range(20):
            await asyncio.sleep(0.01)
            assert transport.get_write_buffer_size() <= 2 * 64 * 1024
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await session.heartbeat()
        await session.close(graceful=False)
        let_go.set()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {NotConnectedError}


async def test_actions_that_waited_for_a_peer_to_read_go_out_when_it_does_and_no_faster(monkeypatch):
    let_go = asyncio.Event()
    buffered: list[int] = []
    send = OneLifeProtocol.send

    def measured(protocol: OneLifeProtocol, *arguments: object, **options: object) -> object:
        sent = send(protocol, *arguments, **options)
        buffered.append(protocol.transport.get_write_buffer_size())
        return sent

    monkeypatch.setattr(OneLifeProtocol, "send", measured)

    async def script(peer: Peer) -> None:
        peer.writer.transport.pause_reading()
        await let_go.wait()
        peer.writer.transport.resume_reading()
        for _ in range(MAX_PENDING):
            await peer.answer("Command", "Success", "Output: done")
        await hold(peer)

    async with serving(after_login(script), limit=1024 * 1024) as server:
        session = await open_session(server)
        big = {"Action": "Command", "Command": "x" * 60_000}
        waiting = [asyncio.create_task(session.action(big, timeout=60)) for _ in range(MAX_PENDING)]
        while session.connection.protocol.writable.is_set():
            await asyncio.sleep(0.01)
        let_go.set()
        replies: list[AmiReply] = await asyncio.gather(*waiting)
        await session.close(graceful=False)
    assert {reply.output for reply in replies} == {("done",)}
    assert max(buffered) <= 2 * 64 * 1024


async def test_a_peer_that_closes_without_having_read_ends_the_session_at_once():
    closing, over = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        peer.writer.transport.pause_reading()
        await closing.wait()
        peer.writer.write_eof()
        await over.wait()

    async with opened(after_login(script)) as (session, _):
        big = {"Action": "Command", "Command": "x" * 60_000}
        waiting = [asyncio.create_task(session.action(big, timeout=60)) for _ in range(MAX_PENDING)]
        while session.connection.protocol.writable.is_set():
            await asyncio.sleep(0.01)
        closing.set()
        async with asyncio.timeout(60):
            assert (await session.ended()).reason == "closed by the server"
        over.set()
        await asyncio.gather(*waiting, return_exceptions=True)
