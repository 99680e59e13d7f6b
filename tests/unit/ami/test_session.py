from __future__ import annotations

import asyncio

import pytest

from manager.drivers.ami import AmiReply, AmiSession, ListTooLongError, TooManyActionsError
from manager.drivers.ami.connection import MAX_PENDING, Connection, OneLifeProtocol
from manager.drivers.base import DriverError
from manager.errors import NotConnectedError
from manager.model import FailureClass, Stage
from tests.unit.ami.peer import Peer, Recorder, Script, hold, open_session, opened, serving


def after_login(script: Script) -> Script:
    async def whole(peer: Peer) -> None:
        await peer.log_in()
        await script(peer)

    return whole


async def failure_of_heartbeat(session: AmiSession):
    with pytest.raises(DriverError) as caught:
        async with asyncio.timeout(10):
            await session.heartbeat()
    return caught.value.failure


# Heartbeat and check


async def test_a_heartbeat_is_a_ping_whose_own_reply_came():
    async def script(peer: Peer) -> None:
        await peer.answer("Ping", "Success", "Ping: Pong")
        await hold(peer)

    async with opened(after_login(script)) as (session, _):
        assert 0 < await session.heartbeat() < 10


@pytest.mark.parametrize("action_id", ["ActionID: somebody/else/1", "ActionID:", None])
async def test_a_reply_to_somebody_else_is_no_heartbeat(action_id):
    async def script(peer: Peer) -> None:
        await peer.action("Ping")
        await peer.message(*filter(None, ["Response: Success", action_id, "Ping: Pong"]))
        await peer.message("Event: Marker")
        await hold(peer)

    listener = Recorder()
    async with opened(after_login(script), listener) as (session, _):
        heartbeat = asyncio.create_task(session.heartbeat())
        await listener.event("Marker")
        await asyncio.sleep(0)
        assert not heartbeat.done()
        heartbeat.cancel()
        with pytest.raises(asyncio.CancelledError):
            await heartbeat
        assert not session.connection.protocol.responses


async def test_a_late_pong_does_not_count_for_the_next_heartbeat():
    missed = asyncio.Event()

    async def script(peer: Peer) -> None:
        late = await peer.action("Ping")
        await missed.wait()
        await peer.action("Ping")
        await peer.reply(late, "Success", "Ping: Pong")
        await peer.message("Event: Marker")
        await hold(peer)

    listener = Recorder()
    async with opened(after_login(script), listener) as (session, _):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await session.heartbeat()
        missed.set()
        heartbeat = asyncio.create_task(session.heartbeat())
        await listener.event("Marker")
        await asyncio.sleep(0)
        assert not heartbeat.done()
        heartbeat.cancel()
        await asyncio.wait([heartbeat])


async def test_a_refused_ping_is_a_failed_heartbeat():
    async def script(peer: Peer) -> None:
        await peer.answer("Ping", "Error", "Message: Permission denied")
        await hold(peer)

    async with opened(after_login(script)) as (session, _):
        failure = await failure_of_heartbeat(session)
    assert (failure.stage, failure.reason) == (Stage.HEARTBEAT, "Ping refused: Permission denied")


async def test_a_heartbeat_on_a_lost_connection_says_how_it_was_lost():
    async def script(peer: Peer) -> None:
        await peer.action("Ping")
        await peer.close()

    async with opened(after_login(script)) as (session, _):
        assert (await failure_of_heartbeat(session)).reason == "closed by the server"
        assert (await failure_of_heartbeat(session)).reason == "closed by the server"


@pytest.mark.parametrize(("calls", "words"), [(0, "0 calls up"), (1, "1 call up"), (12, "12 calls up")])
async def test_a_check_says_how_many_calls_are_up(calls, words):
    async def script(peer: Peer) -> None:
        await peer.answer("CoreStatus", "Success", f"CoreCurrentCalls: {calls}")
        await hold(peer)

    listener = Recorder()
    async with opened(after_login(script), listener) as (session, _):
        listener.changes = 0
        assert await session.check() == words
        assert session.facts["calls"] == calls
        assert listener.changes == (calls != 0)


async def test_a_check_that_is_not_permitted_is_no_failure():
    async def script(peer: Peer) -> None:
        await peer.answer("CoreStatus", "Error", "Message: Permission denied")
        await hold(peer)

    async with opened(after_login(script)) as (session, _):
        assert await session.check() == "not available: permission denied"


async def test_a_check_answered_by_another_error_fails():
    async def script(peer: Peer) -> None:
        await peer.answer("CoreStatus", "Error", "Message: Out of \x1b[31mmemory")
        await hold(peer)

    async with opened(after_login(script)) as (session, _):
        with pytest.raises(DriverError) as caught:
            await session.check()
    assert caught.value.failure.stage is Stage.CHECK
    assert caught.value.failure.reason == "CoreStatus refused: Out of \N{REPLACEMENT CHARACTER}[31mmemory"


@pytest.mark.parametrize("calls", ["", "many", "-1", "²", "9" * 5000])
async def test_a_number_of_calls_that_is_none_is_left_out(calls):
    async def script(peer: Peer) -> None:
        await peer.challenge()
        await peer.answer("Login")
        await peer.message("Event: FullyBooted")
        await peer.answer("CoreSettings")
        await peer.answer("CoreStatus", "Success", f"CoreCurrentCalls: {calls}")
        await hold(peer)

    async with opened(script) as (session, _):
        assert session.facts == {"ami": "11.0.0"}


async def test_what_a_slow_server_did_not_tell_at_the_login_is_asked_by_the_check(monkeypatch):
    monkeypatch.setattr("manager.drivers.ami.session.BOOT_TIMEOUT", 0.05)

    async def script(peer: Peer) -> None:
        await peer.challenge()
        await peer.answer("Login")
        await peer.action("CoreSettings")
        await peer.look(calls=3)
        await hold(peer)

    listener = Recorder()
    async with opened(script, listener) as (session, _):
        assert "version" not in session.facts
        assert await session.check() == "3 calls up"
        assert session.facts["version"] == "22.10.1"
        assert listener.changes == 1


# Events


async def test_every_event_is_delivered_whole_and_in_order():
    async def script(peer: Peer) -> None:
        await peer.message("Event: VarSet", "Channel: PJSIP/6001", "Value: Ä\x1b]0;title\x07[/red]")
        await peer.message("Event: TestEvent", "State: one", "State: two")
        await hold(peer)

    listener = Recorder()
    async with opened(after_login(script), listener):
        await listener.event("TestEvent")
    assert [event.name for event in listener.events] == ["FullyBooted", "VarSet", "TestEvent"]
    assert listener.events[1]["Value"] == "Ä\x1b]0;title\x07[/red]"
    assert listener.events[2]["State"] == ("one", "two")


async def test_the_event_that_bears_the_id_of_an_answered_action_is_delivered():
    async def script(peer: Peer) -> None:
        originate = await peer.action("Originate")
        await peer.message("Event: Newchannel", f"ActionID: {originate['ActionID']}")
        await peer.reply(originate, "Success", "Message: Originate successfully queued")
        await peer.message(
            "Event: OriginateResponse", f"ActionID: {originate['ActionID']}", "Response: Failure", "Reason: 3"
        )
        await hold(peer)

    listener = Recorder()
    async with opened(after_login(script), listener) as (session, _):
        reply = await session.action({"Action": "Originate", "Channel": "Local/600", "Async": "true"})
        assert (reply.ok, reply.text) == (True, "Originate successfully queued")
        response = await listener.event("OriginateResponse")
    assert response.action_id == reply.action_id != ""
    assert response["Response"] == "Failure"
    assert "Newchannel" in [event.name for event in listener.events]


async def test_reloads_are_counted():
    async def script(peer: Peer) -> None:
        await peer.message("Event: Reload", "Module: res_pjsip.so")
        await peer.message("Event: Reload", "Module: cdr")
        await peer.message("Event: Marker")
        await hold(peer)

    listener = Recorder()
    async with opened(after_login(script), listener) as (session, _):
        await listener.event("Marker")
        assert session.facts["reloads"] == 2


# Actions


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
        async with asyncio.timeout(10):
            assert (await session.ended()).reason == "closed by the server"
        over.set()
        await asyncio.gather(*waiting, return_exceptions=True)


# The end


async def test_the_end_is_told_to_everyone_who_waits():
    async def script(peer: Peer) -> None:
        await peer.action("Ping")
        await peer.close()

    async with opened(after_login(script)) as (session, _):
        waiting = [asyncio.create_task(session.ended()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await failure_of_heartbeat(session)
        failures = await asyncio.gather(*waiting[1:], session.ended())
    assert {(failure.kind, failure.reason) for failure in failures} == {
        (FailureClass.TRANSIENT, "closed by the server")
    }


@pytest.mark.parametrize(
    ("restart", "reason"), [("False", "Asterisk is shutting down"), ("True", "Asterisk is restarting")]
)
async def test_a_close_after_a_shutdown_event_says_that_asterisk_is_going(restart, reason):
    async def script(peer: Peer) -> None:
        await peer.answer("Ping")
        await peer.message("Event: Shutdown", "Shutdown: Cleanly", f"Restart: {restart}")
        await peer.close()

    listener = Recorder()
    async with opened(after_login(script), listener) as (session, _):
        await session.heartbeat()
        assert (await session.ended()).reason == reason
        assert await listener.event("Shutdown")


async def test_a_shutdown_event_alone_does_not_end_the_session():
    async def script(peer: Peer) -> None:
        await peer.message("Event: Shutdown", "Shutdown: Cleanly", "Restart: False")
        await peer.answer("Ping")
        await hold(peer)

    async with opened(after_login(script)) as (session, _):
        await session.heartbeat()


async def test_ten_megabytes_without_a_line_end_end_the_session():
    async def script(peer: Peer) -> None:
        await peer.answer("Ping")
        await peer.send("Event: ")
        for _ in range(100):
            await peer.send("x" * 100_000)
        await hold(peer)

    async with opened(after_login(script)) as (session, _):
        await session.heartbeat()
        failure = await session.ended()
        assert failure.reason == "the server sent a line longer than 65536 bytes"
        assert (failure.kind, failure.stage) == (FailureClass.TRANSIENT, Stage.SESSION)


async def test_a_polite_close_logs_off_and_waits_for_the_goodbye():
    said: list[str] = []

    async def script(peer: Peer) -> None:
        await peer.answer("Logoff", "Goodbye", "Message: Thanks for all the fish.")
        said.append("goodbye")
        await hold(peer)

    async with opened(after_login(script)) as (session, _):
        await session.close(graceful=True)
        assert said == ["goodbye"]
        await session.close(graceful=True)


async def test_a_polite_close_does_not_wait_long_for_a_server_that_hangs(monkeypatch):
    monkeypatch.setattr("manager.drivers.ami.session.CLOSE_TIMEOUT", 0.05)
    async with opened(after_login(hold)) as (session, _):
        await session.close(graceful=True)
        assert session.connection.lost.done()


async def test_a_close_that_is_cancelled_leaves_nothing():
    closing_begun = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.action("Logoff")
        closing_begun.set()
        await hold(peer)

    async with opened(after_login(script)) as (session, _):
        closing = asyncio.create_task(session.close(graceful=True))
        await closing_begun.wait()
        closing.cancel()
        await asyncio.wait([closing])
        assert (await session.ended()).reason


async def test_nothing_of_panoramisk_reconnects():
    """The part that would is called here, as panoramisk itself would call it."""
    async with opened(after_login(hold)) as (session, server):
        session.connection.connection_lost(OSError())
        await session.close(graceful=False)
        await asyncio.sleep(0)
        assert server.connections == 1
        assert not session.connection.awaiting_actions
        assert session.connection.pinger is None
        with pytest.raises(RuntimeError):
            Connection(lambda _: None).connect()
