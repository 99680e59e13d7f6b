"""A manager behind a socket is the same manager."""

from __future__ import annotations

import asyncio
import inspect
from contextlib import aclosing

import msgspec
import pytest

from manager.client import Acknowledge, ManagerClient, Pause, Reconnect, Refresh, Reload, Resume
from manager.embedded import EmbeddedClient
from manager.errors import ManagerGoneError, TrunklineError, UnknownConnectionError
from manager.events import ConnectionEvent, Gap, Muted, StateChanged, replay
from manager.model import Phase, Position
from manager.service import remote as remote_module
from manager.service.remote import RemoteClient
from tests.engine.fakes import FakeServer
from tests.service.conftest import PATIENCE, serving


async def reach(client: ManagerClient, phase: Phase, name: str = "one") -> None:
    async with asyncio.timeout(PATIENCE):
        snapshot = await client.snapshot()
        if any(status.name == name and status.phase is phase for status in snapshot.statuses):
            return
        async with aclosing(client.events(snapshot.position)) as events:
            async for event in events:
                if isinstance(event, ConnectionEvent) and event.connection == name and event.phase is phase:
                    return


async def take(events, wanted: int) -> list:
    found = []
    async with asyncio.timeout(PATIENCE), aclosing(events):
        async for event in events:
            found.append(event)
            if len(found) == wanted:
                break
    return found


def test_it_has_every_method_of_a_manager_with_the_same_parameters():
    for name, wanted in inspect.getmembers(ManagerClient, inspect.isfunction):
        if not name.startswith("_"):
            ours = inspect.signature(getattr(RemoteClient, name))
            assert ours.parameters == inspect.signature(wanted).parameters


async def test_snapshot_history_settings_and_commands_are_those_of_the_manager(remote, manager):
    await reach(remote, Phase.UP)
    await reach(remote, Phase.UP, "two")
    ours, theirs = await remote.snapshot(), await manager.snapshot()
    assert ours.statuses == theirs.statuses
    assert ours.position.epoch == theirs.position.epoch
    assert (await remote.history("one")).phases == (await manager.history("one")).phases
    assert await remote.settings("one") == await manager.settings("one")
    (result,) = await remote.command(Reconnect(name="one"))
    assert result.ok
    assert len(await remote.command(Refresh())) == 2
    (result,) = await remote.command(Pause(name="one"))
    assert result.status.phase is Phase.PAUSED
    await remote.command(Resume(name="one"))
    await reach(remote, Phase.UP)
    assert not remote.embedded


async def test_errors_are_the_same_errors_on_this_side_with_their_hints(remote):
    for asking in (
        remote.command(Acknowledge(name="nobody")),
        remote.history("nobody"),
        remote.settings("nobody"),
        anext(remote.wire("nobody")),
    ):
        with pytest.raises(UnknownConnectionError, match="no connection is called 'nobody'"):
            await asking
    with pytest.raises(TrunklineError, match="no file to read the settings from"):
        await remote.command(Reload())


async def test_the_events_from_the_start_lead_to_the_snapshot(remote):
    await reach(remote, Phase.UP)
    await reach(remote, Phase.UP, "two")
    snapshot = await remote.snapshot()
    events = await take(remote.events(Position(snapshot.position.epoch, 0)), snapshot.position.seq)
    assert [event.seq for event in events] == list(range(1, snapshot.position.seq + 1))
    assert replay(events) == {status.name: status for status in snapshot.statuses}


async def test_who_comes_back_misses_no_event(remote, manager):
    await reach(remote, Phase.UP)
    await reach(remote, Phase.UP, "two")
    left_at = (await remote.snapshot()).position
    for _ in range(5):
        await manager.command(Pause(name="one"))
        await manager.command(Resume(name="one"))
    now = (await manager.snapshot()).position
    events = await take(remote.events(left_at), now.seq - left_at.seq)
    assert [event.seq for event in events] == list(range(left_at.seq + 1, now.seq + 1))


async def test_a_position_of_another_run_is_answered_with_a_gap(remote):
    await reach(remote, Phase.UP)
    (first,) = await take(remote.events(Position("another run", 7)), 1)
    assert isinstance(first, Gap)


async def test_an_event_of_a_kind_that_is_not_known_here_has_a_snapshot_taken(remote, monkeypatch):
    await reach(remote, Phase.UP)
    monkeypatch.setattr(remote_module, "_event_decoder", msgspec.json.Decoder(Muted | Gap))
    position = (await remote.snapshot()).position
    assert await take(remote.events(Position(position.epoch, 0)), 1) == [Gap(missed=1)]


async def test_without_a_service_the_address_is_named(address):
    with pytest.raises(ManagerGoneError, match=f"no service answers at {address}"):
        await RemoteClient(address).snapshot()


async def test_a_service_that_ends_fails_what_is_under_way_and_the_next_one_is_found(address, pbx, manager):
    remote = RemoteClient(address)
    async with serving(manager, address):
        await reach(remote, Phase.UP)
        await reach(remote, Phase.UP, "two")
        position = (await remote.snapshot()).position
        stream = remote.events(Position(position.epoch, position.seq - 1))
        assert (await anext(stream)).seq == position.seq
    with pytest.raises(ManagerGoneError, match="the service has ended the connection: the service ends"):
        await anext(stream)
    async with serving(manager, address):
        assert (await remote.snapshot()).position == position


async def test_a_command_goes_on_when_the_one_who_asked_has_left(remote, pbx: FakeServer):
    await reach(remote, Phase.UP)
    generation = (await remote.snapshot()).statuses[0].generation
    await remote.begin(Reconnect(name="one"))
    async with (
        asyncio.timeout(PATIENCE),
        aclosing(remote.events(Position((await remote.snapshot()).position.epoch, 0))) as events,
    ):
        async for event in events:
            if (
                isinstance(event, StateChanged)
                and event.connection == "one"
                and event.phase is Phase.UP
                and event.status.generation > generation
            ):
                break


def test_the_embedded_one_is_told_apart():
    assert EmbeddedClient([]).embedded
