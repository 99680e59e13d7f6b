from __future__ import annotations

import asyncio
import threading
import time

import pytest
from msgspec.structs import replace

from manager import embedded
from manager.client import Acknowledge, Mute, Pause, Reconnect, Refresh, Reload, Resume, Skip
from manager.embedded import EmbeddedClient
from manager.endpoint import parse_endpoint
from manager.errors import ManagerGoneError, TrunklineError, UnknownConnectionError, UnknownGroupError
from manager.events import ConnectionEvent, ReloadFailed, replay
from manager.model import Phase, Position
from tests.engine.fakes import REFUSED, FakeServer, FakeSettings


def settings(name: str = "one") -> FakeSettings:
    return FakeSettings(name=name, endpoints=(parse_endpoint("ami://pbx1"),))


async def reach(client: EmbeddedClient, phase: Phase, name: str = "one") -> None:
    async with asyncio.timeout(60):
        snapshot = await client.snapshot()
        if any(status.name == name and status.phase is phase for status in snapshot.statuses):
            return
        async for event in client.events(snapshot.position):
            if isinstance(event, ConnectionEvent) and event.connection == name and event.phase is phase:
                return


async def test_snapshot_events_and_commands_cross_from_one_loop_to_another():
    server = FakeServer()
    with EmbeddedClient([settings()], drivers={"fake": server.create}) as client:
        await reach(client, Phase.UP)
        (result,) = await client.command(Refresh(name="one"))
        assert result.ok
        (result,) = await client.command(Reconnect(name="one"))
        assert result.ok
        (result,) = await client.command(Pause(name="one"))
        assert result.status.phase is Phase.PAUSED
        (result,) = await client.command(Resume(name="one"))
        assert result.text == "taken up again"
        await reach(client, Phase.UP)
        (result,) = await client.command(Resume(name="one"))
        assert result.text == "was not paused"


async def test_a_countdown_is_skipped_a_trouble_acknowledged_and_a_group_muted_from_another_loop():
    server = FakeServer()
    server.open = REFUSED
    with EmbeddedClient([settings()], drivers={"fake": server.create}) as client:
        assert client.embedded
        await reach(client, Phase.WAITING)
        (result,) = await client.command(Acknowledge(name="one"))
        assert result.status.acknowledged is not None
        (result,) = await client.command(Acknowledge(name="one", withdraw=True))
        assert result.status.acknowledged is None
        (result,) = await client.command(Mute(group="pbx1", seconds=60.0))
        assert result.ok
        assert [mute.group for mute in (await client.snapshot()).mutes] == ["pbx1"]
        await client.command(Mute(group="pbx1", seconds=0.0))
        assert not (await client.snapshot()).mutes
        with pytest.raises(UnknownGroupError):
            await client.command(Mute(group="pbx9", seconds=60.0))
        with pytest.raises(ValueError, match="7 days"):
            await client.command(Mute(group="pbx1", seconds=1e9))
        server.open = None
        (result,) = await client.command(Skip(name="one"))
        assert result.status.phase is Phase.UP


async def test_what_is_expected_is_what_the_manager_begins_with():
    server = FakeServer()
    client = EmbeddedClient(
        [settings(), FakeSettings(name="two", endpoints=settings().endpoints, group="lab", weight=2.0)],
        drivers={"fake": server.create},
    )
    expected = client.expected
    with client:
        snapshot = await client.snapshot()
        events = client.events(Position(snapshot.position.epoch, 0))
        begun = {}
        async for event in events:
            if isinstance(event, ConnectionEvent) and event.phase is Phase.CONNECTING:
                begun[event.connection] = event.status
            if len(begun) == len(expected):
                break
    for status in expected:
        same = replace(begun[status.name], since=status.since, generation=0)
        assert same == status


async def test_the_events_from_the_start_lead_to_the_snapshot():
    server = FakeServer()
    with EmbeddedClient([settings(str(n)) for n in range(20)], drivers={"fake": server.create}) as client:
        start = (await client.snapshot()).position
        del start
        await reach(client, Phase.UP, "19")
        snapshot = await client.snapshot()
        seen = []
        async with asyncio.timeout(60):
            async for event in client.events(type(snapshot.position)(snapshot.position.epoch, 0)):
                seen.append(event)
                if event.seq == snapshot.position.seq:
                    break
        assert replay(seen) == {status.name: status for status in snapshot.statuses}


async def test_events_that_follow_each_other_cross_together(monkeypatch):
    asked: list[float] = []

    async def next_events(since):
        asked.append(asyncio.get_running_loop().time())
        return [f"event {len(asked)}"], since

    client = EmbeddedClient([settings()])
    monkeypatch.setattr(client, "next_events", next_events)
    async for event in client.events(Position("", 0)):
        if event == "event 3":
            break
    assert asked[1] - asked[0] >= embedded.TOGETHER * 0.99
    assert asked[2] - asked[1] >= embedded.TOGETHER * 0.99


async def test_an_unknown_name_is_the_same_error_on_this_side():
    with EmbeddedClient([], drivers={}) as client, pytest.raises(UnknownConnectionError):
        await client.command(Reconnect(name="nobody"))


async def test_stopping_closes_the_sessions_and_ends_the_thread_from_any_thread():
    server = FakeServer()
    client = EmbeddedClient([settings()], drivers={"fake": server.create})
    client.start()
    await reach(client, Phase.UP)
    stopper = threading.Thread(target=client.stop)
    stopper.start()
    await asyncio.to_thread(stopper.join, 60)
    client.stop()
    assert server.sessions[0].closed == [True]
    assert not any(thread.name == "manager" for thread in threading.enumerate())


async def test_who_asks_after_the_end_is_told_so_and_who_waits_is_let_go():
    server = FakeServer()
    server.open = REFUSED
    client = EmbeddedClient([settings()], drivers={"fake": server.create})
    client.start()
    snapshot = await client.snapshot()

    async def follow() -> None:
        async for _ in client.events(snapshot.position):
            pass

    follower = asyncio.create_task(follow())
    await asyncio.sleep(0.05)
    await asyncio.to_thread(client.stop)
    with pytest.raises(ManagerGoneError):
        async with asyncio.timeout(60):
            await follower
    with pytest.raises(ManagerGoneError):
        await client.snapshot()


async def test_a_frozen_caller_delays_no_heartbeat():
    server = FakeServer()
    one = FakeSettings(
        name="one",
        endpoints=(parse_endpoint("ami://pbx1"),),
        policy=settings().policy.__class__(
            heartbeat_interval=0.02, heartbeat_timeout=0.01, suspect_timeout=0.01
        ),
    )
    with EmbeddedClient([one], drivers={"fake": server.create}) as client:
        await reach(client, Phase.UP)
        frozen, heartbeats = threading.Event(), lambda: sum(each.heartbeats for each in server.sessions)
        before, deadline = heartbeats(), time.monotonic() + 60
        while heartbeats() < before + 5:
            assert time.monotonic() < deadline
            frozen.wait(0.01)  # blocks this loop, as a terminal that does not read does


async def test_a_manager_that_cannot_start_says_so(caplog):
    unknown = FakeSettings(name="one", endpoints=(parse_endpoint("ami://pbx1"),))
    client = EmbeddedClient([unknown], drivers={})
    client.start()
    with pytest.raises(ManagerGoneError):
        await client.snapshot()
    client.stop()
    assert "the manager's thread ended: ValueError" in caplog.text


async def test_settings_are_read_anew_on_a_thread_and_what_cannot_be_used_changes_nothing():
    server = FakeServer()
    answers: list[object] = [[settings("one"), settings("two")], TrunklineError("line 3: wrong")]
    threads: list[str] = []

    def load():
        threads.append(threading.current_thread().name)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with EmbeddedClient([settings()], drivers={"fake": server.create}, load=load) as client:
        await reach(client, Phase.UP)
        assert await client.command(Reload()) == ()
        await reach(client, Phase.UP, "two")
        position = (await client.snapshot()).position
        with pytest.raises(TrunklineError, match="line 3"):
            await client.command(Reload())
        (failed,), _ = await client.next_events(position)
        assert (type(failed), failed.reason) == (ReloadFailed, "line 3: wrong")
        assert len((await client.snapshot()).statuses) == 2
    assert "manager" not in threads


async def test_without_a_file_there_is_nothing_to_read_anew():
    server = FakeServer()
    client = EmbeddedClient([settings()], drivers={"fake": server.create})
    with client, pytest.raises(TrunklineError, match="no file"):
        await client.command(Reload())
