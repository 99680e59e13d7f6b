"""Several services as one manager."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from manager.client import Acknowledge, ManagerClient, Mute, Pause, Reconnect, Refresh, Reload, Resume, Skip
from manager.doctor.trail import Trail, loop_clock
from manager.embedded import EmbeddedClient
from manager.errors import ManagerGoneError, TrunklineError, UnknownConnectionError, UnknownGroupError
from manager.events import ConnectionEvent, Event, StateChanged
from manager.model import FailureClass, Phase, Position, Snapshot, Status
from manager.service import attachment
from manager.service.composite import CompositeClient
from manager.service.merge import Merge
from manager.service.remote import RemoteClient
from manager.service.rights import Right
from manager.settings import Policy
from manager.wire import WireMessage
from tests.engine.fakes import FakeServer
from tests.service.conftest import PATIENCE, serving, settings
from tui.board import Board
from tui.follower import Follower


class Site:
    """A service with connections `one` and `two`, that can be ended and begun again."""

    def __init__(self, address: Path) -> None:
        self.address = address
        self.pbx = FakeServer()
        self._stack = AsyncExitStack()
        self.manager: EmbeddedClient

    async def start(self) -> None:
        self.manager = EmbeddedClient([settings("one"), settings("two")], drivers={"fake": self.pbx.create})
        self._stack.enter_context(self.manager)
        await self._stack.enter_async_context(serving(self.manager, self.address))

    async def end(self) -> None:
        await self._stack.aclose()


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        attachment, "_POLICY", Policy(base_delay=0.1, max_delay=0.1, jitter=0.0, stable_after=0.1)
    )


@pytest.fixture
async def berlin(folder: Path) -> AsyncIterator[Site]:
    site = Site(folder / "berlin.sock")
    await site.start()
    yield site
    await site.end()


@pytest.fixture
async def munich(folder: Path) -> AsyncIterator[Site]:
    site = Site(folder / "munich.sock")
    await site.start()
    yield site
    await site.end()


@asynccontextmanager
async def attached(**sites: Site) -> AsyncIterator[CompositeClient]:
    client = CompositeClient({label: site.address for label, site in sites.items()})
    client.start()
    try:
        yield client
    finally:
        await asyncio.to_thread(client.stop)  # the services answer on this loop


@pytest.fixture
async def both(berlin: Site, munich: Site) -> AsyncIterator[CompositeClient]:
    async with attached(berlin=berlin, munich=munich) as client:
        yield client


async def until(client: ManagerClient, wanted) -> Snapshot:
    async with asyncio.timeout(PATIENCE):
        while not wanted(snapshot := await client.snapshot()):
            await asyncio.sleep(0.01)
    return snapshot


def phases(snapshot: Snapshot) -> dict[str, Phase]:
    return {status.name: status.phase for status in snapshot.statuses}


async def all_up(client: ManagerClient) -> Snapshot:
    return await until(client, lambda snapshot: set(phases(snapshot).values()) == {Phase.UP})


class Viewer:
    """What a screen would know."""

    def __init__(self) -> None:
        self.board = Board()
        self.events: list[Event] = []

    def loaded(self) -> None:
        pass

    def told(self, event: Event, *, fresh: bool) -> None:
        self.events.append(event)
        if fresh:
            self.board.apply(event)

    def troubled(self, sentence: str) -> None:
        assert not sentence


@asynccontextmanager
async def looking(client: ManagerClient) -> AsyncIterator[Viewer]:
    viewer = Viewer()
    following = asyncio.create_task(Follower(client, viewer).run())
    try:
        yield viewer
    finally:
        following.cancel()
        await asyncio.wait([following])


async def in_step(client: ManagerClient, viewer: Viewer) -> Snapshot:
    """Wait until a screen has come to where the manager is, and see that both say the same."""
    snapshot = await until(client, lambda snapshot: snapshot.position == viewer.board.position)
    assert viewer.board.statuses == {status.name: status for status in snapshot.statuses}
    assert viewer.board.health == snapshot.health
    assert viewer.board.budgets == {budget.host: budget for budget in snapshot.budgets}
    assert viewer.board.mutes == {mute.group: mute for mute in snapshot.mutes}
    return snapshot


def test_it_has_every_method_of_a_manager_with_the_same_parameters():
    for name, wanted in inspect.getmembers(ManagerClient, inspect.isfunction):
        if not name.startswith("_"):
            ours = inspect.signature(getattr(CompositeClient, name))
            assert ours.parameters == inspect.signature(wanted).parameters


async def test_names_that_occur_twice_are_told_apart_and_each_attachment_is_a_connection(both):
    snapshot = await all_up(both)
    assert [(status.name, status.type, status.group) for status in snapshot.statuses] == [
        ("berlin", "service", "berlin"),
        ("munich", "service", "munich"),
        ("berlin/one", "fake", "berlin/pbx1"),
        ("berlin/two", "fake", "berlin/pbx1"),
        ("munich/one", "fake", "munich/pbx1"),
        ("munich/two", "fake", "munich/pbx1"),
    ]
    assert snapshot.health == 100
    assert not both.embedded
    assert snapshot.statuses[0].facts["may"] == "act"


async def test_a_command_goes_to_the_service_of_its_connection_and_to_no_other(both, berlin, munich):
    await all_up(both)
    (result,) = await both.command(Pause(name="munich/one"))
    assert (result.connection, result.status.name, result.status.phase) == ("munich/one",) * 2 + (
        Phase.PAUSED,
    )
    assert phases(await munich.manager.snapshot())["one"] is Phase.PAUSED
    assert phases(await berlin.manager.snapshot())["one"] is Phase.UP
    await both.command(Resume(name="munich/one"))
    await all_up(both)
    opened = berlin.pbx.opens, len(munich.pbx.opens)
    (result,) = await both.command(Reconnect(name="munich/two"))
    assert (result.connection, result.ok) == ("munich/two", True)
    assert (berlin.pbx.opens, len(munich.pbx.opens)) == (opened[0], opened[1] + 1)


async def test_a_command_for_all_goes_to_every_service(both, berlin, munich):
    await all_up(both)
    outcome = await both.command(Reconnect())
    assert {result.connection for result in outcome} == {
        "berlin/one", "berlin/two", "munich/one", "munich/two"
    }  # fmt: skip
    outcome = await both.command(Refresh())
    assert {result.connection for result in outcome} >= {"berlin", "munich", "berlin/one", "munich/two"}
    assert all(result.ok for result in outcome)
    with pytest.raises(TrunklineError, match=r"berlin: there is no file.*; munich: there is no file"):
        await both.command(Reload())


async def test_groups_are_muted_where_they_are(both, munich):
    await all_up(both)
    async with looking(both) as viewer:
        outcome = await both.command(Mute(group="munich/pbx1", seconds=60.0))
        assert {result.connection for result in outcome} == {"munich/one", "munich/two"}
        assert [mute.group for mute in (await munich.manager.snapshot()).mutes] == ["pbx1"]
        await until(both, lambda snapshot: [mute.group for mute in snapshot.mutes] == ["munich/pbx1"])
        await both.command(Mute(group="berlin", seconds=60.0))
        await until(
            both, lambda snapshot: {mute.group for mute in snapshot.mutes} == {"munich/pbx1", "berlin"}
        )
        await in_step(both, viewer)
    for group in ("pbx1", "nowhere/pbx1"):
        with pytest.raises(UnknownGroupError, match="no connection is in a group"):
            await both.command(Mute(group=group, seconds=1.0))


async def test_what_a_service_tells_is_told_under_its_name(both, berlin, munich):
    await all_up(both)
    async with looking(both) as viewer:
        await in_step(both, viewer)
        munich.pbx.drop_all()
        await until(
            both,
            lambda _: any(
                isinstance(event, StateChanged)
                and event.connection == "munich/one"
                and event.phase is Phase.WAITING
                for event in viewer.events
            ),
        )
        snapshot = await both.snapshot()
        assert phases(snapshot)["berlin/one"] is Phase.UP
        await both.command(Reconnect())
        await all_up(both)
        await in_step(both, viewer)
        names = {event.connection for event in viewer.events if isinstance(event, ConnectionEvent)}
        assert names == phases(snapshot).keys()
        seqs = [event.seq for event in viewer.events]
        assert seqs == sorted(set(seqs))


async def test_what_happened_before_belongs_to_the_log_as_well(both):
    await all_up(both)
    async with looking(both) as viewer:
        await until(
            both,
            lambda snapshot: (
                {event.connection for event in viewer.events if isinstance(event, ConnectionEvent)}
                == phases(snapshot).keys()
            ),
        )
        await in_step(both, viewer)


async def test_a_lost_service_is_waited_for_and_nothing_is_claimed_of_its_connections(both, berlin, munich):
    await all_up(both)
    async with looking(both) as viewer:
        await munich.end()
        lost = await until(both, lambda snapshot: phases(snapshot)["munich"] is Phase.WAITING)
        attachment, gone = (
            next(status for status in lost.statuses if status.name == name)
            for name in ("munich", "munich/one")
        )
        assert attachment.deadline is not None
        assert attachment.attempt >= 1
        assert "no service answers" in attachment.failure.reason or "ended" in attachment.failure.reason
        assert gone.phase is Phase.STOPPED
        assert gone.failure.reason == "not known: munich is not attached"
        assert phases(lost)["berlin/one"] is Phase.UP
        assert lost.health == 75
        for asking in (
            both.command(Pause(name="munich/one")),
            both.command(Mute(group="munich/pbx1", seconds=1.0)),
            both.history("munich/one"),
            both.settings("munich/one"),
            anext(both.wire("munich/one")),
        ):
            with pytest.raises(ManagerGoneError, match="munich is not attached"):
                await asking
        outcome = await both.command(Refresh())
        assert {result.connection for result in outcome} == {"berlin", "berlin/one", "berlin/two"}
        await munich.start()
        await all_up(both)
        snapshot = await in_step(both, viewer)
        assert snapshot.health == 100
        assert next(each for each in snapshot.statuses if each.name == "munich/one").failure is None


async def test_a_service_that_is_back_tells_what_happened_meanwhile(both, munich):
    await all_up(both)
    async with looking(both) as viewer:
        await munich.manager.command(Pause(name="two"))
        await until(both, lambda snapshot: phases(snapshot)["munich/two"] is Phase.PAUSED)
        await in_step(both, viewer)
        await both.command(Pause(name="munich"))
        assert phases(await both.snapshot())["munich/one"] is Phase.STOPPED
        await munich.manager.command(Pause(name="one"))
        await in_step(both, viewer)
        viewer.events.clear()
        await both.command(Resume(name="munich"))
        await until(both, lambda snapshot: phases(snapshot)["munich/one"] is Phase.PAUSED)
        await in_step(both, viewer)
        told = [event.connection for event in viewer.events if isinstance(event, StateChanged)]
        assert "munich/one" in told
        assert "munich/two" not in told


async def test_a_service_that_was_not_there_at_first_delays_nobody_and_comes_later(berlin, folder):
    hamburg = Site(folder / "hamburg.sock")
    async with attached(berlin=berlin, hamburg=hamburg) as both:
        snapshot = await both.snapshot()
        assert phases(snapshot)["hamburg"] is Phase.WAITING
        assert "hamburg/one" not in phases(snapshot)
        async with looking(both) as viewer:
            await hamburg.start()
            try:
                await both.command(Reconnect())
                await all_up(both)
                assert "hamburg/one" in phases(await in_step(both, viewer))
            finally:
                await hamburg.end()


async def test_details_come_from_the_service_and_those_of_an_attachment_from_here(both):
    await all_up(both)
    history = await both.history("munich/one")
    assert history.connection == "munich/one"
    assert history.phases
    assert any(row.key == "type" and row.value == "fake" for row in await both.settings("munich/one"))
    assert (await both.history("munich")).connection == "munich"
    rows = {row.key: row.value for row in await both.settings("munich")}
    assert rows["type"] == "service"
    assert rows["endpoints[0]"].endswith("munich.sock")
    with pytest.raises(UnknownConnectionError, match="no connection is called 'munich/three'"):
        await both.history("munich/three")
    with pytest.raises(UnknownConnectionError):
        await both.command(Skip(name="one"))
    with pytest.raises(UnknownConnectionError):
        await both.command(Acknowledge(name="nowhere/one"))


async def test_the_wire_of_a_connection_is_that_of_its_service(both, munich):
    await all_up(both)
    munich.pbx.sessions[0].listener.wire("text", b"hello", sent=True)
    async with asyncio.timeout(PATIENCE), aclosing(both.wire("munich/one")) as wire:
        message = await anext(wire)
    assert isinstance(message, WireMessage)
    assert "hello" in message.text


async def test_a_service_that_does_not_let_us_in_is_blocked_like_any_other_login(berlin, munich, monkeypatch):
    monkeypatch.setattr("manager.service.credentials.right_of", lambda *_, **__: Right.NONE)
    async with attached(berlin=berlin) as client:
        snapshot = await until(client, lambda snapshot: phases(snapshot)["berlin"] is Phase.BLOCKED)
        (status,) = snapshot.statuses
        assert status.failure.kind is FailureClass.CREDENTIALS
        assert "another user's" in status.failure.reason


async def test_it_ends_while_a_service_hangs(berlin, munich):
    async with attached(berlin=berlin, munich=munich) as client:
        await client.snapshot()
        stream = client.events((await client.snapshot()).position)
        waiting = asyncio.create_task(anext(stream))
        await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE):
        while not isinstance(told := (await asyncio.gather(waiting, return_exceptions=True))[0], Exception):
            waiting = asyncio.create_task(anext(stream))
    assert isinstance(told, ManagerGoneError)


def test_deadlines_are_told_by_the_clock_here():
    merge = Merge(["far"], lambda: 0.0)
    far = Status(name="a", type="sip", group="g", phase=Phase.WAITING, since=0.0, deadline=1005.0)
    snapshot = Snapshot(position=Position("e", 3), time=0.0, monotonic=1000.0, statuses=(far,))
    merge.attach("far", snapshot, offset=-900.0)
    (status,) = merge.snapshot(100.0).statuses
    assert status == replace(far, name="far/a", group="far/g", deadline=105.0)
    assert merge.since("far", Position("e", 9)) == Position("e", 3)
    assert merge.since("far", Position("f", 9)) == Position("f", 0)


def test_no_more_of_the_past_is_asked_for_than_a_slow_line_takes():
    merge = Merge(["far"], lambda: 0.0)
    assert merge.since("far", Position("e", 9000)) == Position("e", 7000)
    merge.attach("far", Snapshot(position=Position("e", 100), time=0.0, monotonic=0.0, statuses=()), 0.0)
    assert merge.since("far", Position("e", 150)) == Position("e", 100)
    assert merge.since("far", Position("e", 9000)) == Position("e", 7000)
    late = Merge(["far"], lambda: 0.0)
    late.shown = True
    assert late.since("far", Position("e", 9)) == Position("e", 9)


class Deaf:
    """An ear that cannot take in what it is told."""

    def since(self, label: str, now: Position) -> Position:
        return now

    def attach(self, label: str, snapshot: Snapshot, offset: float, past: list[Event]) -> None:
        pass

    def told(self, label: str, event: Event) -> None:
        raise OverflowError


async def test_an_attachment_that_cannot_take_in_what_it_is_told_ends(berlin, caplog):
    driver = attachment.AttachmentDriver("berlin", RemoteClient(berlin.address), Deaf())
    (endpoint,) = attachment.settings_of("berlin", berlin.address).endpoints
    session = await driver.open(endpoint, Trail(endpoint, loop_clock))
    berlin.pbx.drop_all()
    async with asyncio.timeout(PATIENCE):
        failure = await session.ended()
    await session.close(graceful=False)
    assert failure.reason == "unexpected OverflowError"
    assert "berlin: what it tells raised OverflowError" in caplog.text
