"""A loop that stands still is noticed from outside, in real time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from manager.embedded import EmbeddedClient
from manager.engine import watchdog
from manager.engine.watchdog import Stall, Watchdog
from manager.events import Stalled
from manager.manager import ConnectionManager
from manager.model import Position
from tests.engine.fakes import FakeDriver, FakeServer, FakeSession, FakeSettings, Policy, parse_endpoint

PATIENCE = 60.0


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "INTERVAL", 0.02)


held = threading.Event()
"""Set while a test holds the loop."""


@pytest.fixture(autouse=True)
def _a_loop_that_only_the_machine_delays_is_waited_for(monkeypatch):
    begin = Watchdog.__init__

    def patient(dog: Watchdog, turned: Callable[[Stall], object]) -> None:
        begin(dog, turned)
        wait = dog._over.wait

        def wait_for_the_beat(seconds: float) -> bool:
            over = wait(seconds)
            while dog._away and not (over or held.is_set() or dog._loop.is_closed()):
                over = wait(0.001)
            return over

        dog._over.wait = wait_for_the_beat

    monkeypatch.setattr(Watchdog, "__init__", patient)


@contextmanager
def holding() -> Iterator[float]:
    """Hold the loop within; gives when to let go at the latest."""
    held.set()
    yield time.monotonic() + PATIENCE
    held.clear()


class Blocker:
    """A driver whose first heartbeat holds the loop until the log has told of it."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self.caplog = caplog
        self.server = FakeServer()
        self.blocked = 0

    def block(self) -> None:
        self.blocked += 1
        with holding() as end:
            while "stood still" not in self.caplog.text and time.monotonic() < end:
                time.sleep(0.01)

    def create(self, settings, memory) -> FakeDriver:
        blocker = self

        class BlockingSession(FakeSession):
            async def heartbeat(self) -> float:
                if not blocker.blocked:
                    blocker.block()
                return await super().heartbeat()

        class BlockingDriver(FakeDriver):
            async def open(self, endpoint, listener):
                return BlockingSession(blocker.server, listener)

        return BlockingDriver(self.server)


def watchdogs() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "manager's watchdog"]


def settings() -> FakeSettings:
    policy = Policy(heartbeat_interval=0.2, heartbeat_timeout=0.1, suspect_timeout=0.1)
    return FakeSettings(name="one", endpoints=(parse_endpoint("ami://pbx1"),), policy=policy)


def test_a_driver_that_blocks_is_named_with_its_connection_and_its_place(caplog):
    blocker = Blocker(caplog)

    async def first_stall(client: EmbeddedClient) -> Stalled:
        async with asyncio.timeout(PATIENCE):
            async for event in client.events(Position((await client.snapshot()).position.epoch, 0)):
                if isinstance(event, Stalled):
                    return event
        raise AssertionError

    with EmbeddedClient([settings()], drivers={"fake": blocker.create}) as client:
        event = asyncio.run(first_stall(client))
    assert event.connection == "one"
    assert event.where.startswith("engine/test_watchdog.py:")
    assert event.where.endswith("in Blocker.block")
    assert event.seconds > 0
    told = next(each for each in caplog.records if "stood still" in each.getMessage())
    assert told.levelname == "CRITICAL"
    assert "in heartbeat of one, at engine/test_watchdog.py:" in told.getMessage()
    assert "blocker.block()" in told.getMessage()
    assert not watchdogs()


def test_a_manager_on_the_programs_own_loop_is_watched_too_and_its_thread_ends_with_it(caplog):
    blocker = Blocker(caplog)
    heard: list[Stalled] = []

    async def main() -> None:
        async with ConnectionManager() as manager:
            manager.on("manager:stalled", heard.append)
            assert len(watchdogs()) == 1
            asyncio.get_running_loop().call_soon(blocker.block)
            await _until(lambda: bool(heard))
        assert not watchdogs()

    asyncio.run(main())
    assert heard[0].connection == ""
    assert "in a callback" in caplog.text


def test_a_wait_within_the_library_is_laid_at_the_door_of_who_called_it(caplog):
    stalls: list[Stall] = []

    def asks_somebody_else() -> None:
        answer = threading.Event()
        with holding() as end:
            while "stood still" not in caplog.text and time.monotonic() < end:
                answer.wait(watchdog.INTERVAL)

    async def main() -> None:
        dog = Watchdog(stalls.append)
        dog.start()
        asks_somebody_else()
        await _until(lambda: bool(stalls))
        dog.stop()

    asyncio.run(main())
    assert stalls[0].where.endswith("asks_somebody_else")


def test_a_stall_is_told_once_however_long_it_lasts_and_the_next_one_again(caplog):
    stalls: list[Stall] = []

    def stand_still(count: int) -> None:
        with holding() as end:
            while caplog.text.count("stood still") < count and time.monotonic() < end:
                time.sleep(0.01)
            time.sleep(10 * watchdog.INTERVAL)

    async def main() -> None:
        dog = Watchdog(stalls.append)
        dog.start()
        for count in (1, 2):
            stand_still(count)
            await _until(lambda count=count: len(stalls) == count)
        dog.stop()

    asyncio.run(main())
    assert caplog.text.count("stood still") == 2
    assert all(stall.seconds >= 10 * watchdog.INTERVAL for stall in stalls)


def test_a_loop_that_turns_is_not_complained_about(monkeypatch, caplog):
    """However slowly: each beat comes back before the next look."""
    stalls: list[Stall] = []
    looks: list[float] = []

    async def main() -> None:
        dog = Watchdog(stalls.append)

        def wait(seconds: float) -> bool:
            looks.append(seconds)
            while dog._away:
                time.sleep(0.001)
            return len(looks) > 10

        monkeypatch.setattr(dog._over, "wait", wait)
        dog.start()
        await _until(lambda: len(looks) > 10)
        dog.stop()

    asyncio.run(main())
    assert not stalls
    assert "stood still" not in caplog.text


def test_a_process_that_slept_is_not_taken_for_a_loop_that_stands_still(monkeypatch, caplog):
    """A long sleep is one look of the thread, whatever the clock says afterwards."""
    stalls: list[Stall] = []

    async def main() -> None:
        dog = Watchdog(stalls.append)
        waits = iter([False, False, True])
        monkeypatch.setattr(dog._over, "wait", lambda _: next(waits))
        dog.start()
        dog._thread.join()
        monkeypatch.undo()
        assert dog._away
        await _until(lambda: not dog._away)
        dog.stop()

    asyncio.run(main())
    assert not stalls
    assert "stood still" not in caplog.text


def test_a_loop_that_is_gone_ends_the_thread():
    async def main() -> Watchdog:
        dog = Watchdog([].append)
        dog.start()
        return dog

    dog = asyncio.run(main())
    dog._thread.join(PATIENCE)
    assert not dog._thread.is_alive()
    dog.stop()


def test_a_loop_that_is_gone_with_a_beat_on_it_ends_the_thread_too():
    dog = Watchdog([].append)
    dog._loop, dog._away = asyncio.new_event_loop(), True
    dog._loop.close()
    dog._thread.start()
    dog._thread.join(PATIENCE)
    assert not dog._thread.is_alive()
    dog.stop()


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.005)
