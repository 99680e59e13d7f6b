from __future__ import annotations

import asyncio

import pytest

from manager.drivers.ami.connection import Connection
from manager.drivers.base import DriverError
from manager.drivers.tap import Tap
from manager.model import FailureClass, Stage
from tests.unit.ami.peer import (
    Peer,
    Recorder,
    after_login,
    failure_of_heartbeat,
    hold,
    opened,
)

# Heartbeat and check


async def test_a_heartbeat_is_a_ping_whose_own_reply_came():
    async def script(peer: Peer) -> None:
        await peer.answer("Ping", "Success", "Ping: Pong")
        await hold(peer)

    async with opened(after_login(script)) as (session, _):
        assert 0 < await session.heartbeat() < 60


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
            Connection(lambda _: None, Tap(Recorder())).connect()
