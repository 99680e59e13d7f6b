"""What is heard of it all: named events, listeners, the ring."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from manager.events import (
    BandChanged,
    Gap,
    ListenerDetached,
    MaxAttemptsReached,
    Reconnected,
    Reported,
    StateChanged,
)
from manager.model import Band, Phase, Position
from tests.engine.fakes import CANARY, REFUSED, WRONG_SECRET, FakeServer, House, until


async def test_the_three_named_events_bear_the_names_that_existing_users_know():
    heard = []
    async with House() as house:
        for name in ("connection:stateChanged", "connection:reconnected", "connection:maxAttemptsReached"):
            house.manager.on(name, lambda event, name=name: heard.append((name, type(event))))
        house.add(max_attempts=1)
        await until(lambda: house.status().stable)
        house.server.open = REFUSED
        house.server.drop_all()
        await house.until(Phase.PARKED)
        house.server.open = None
        await until(lambda: house.status().stable)
    assert ("connection:maxAttemptsReached", MaxAttemptsReached) in heard
    assert ("connection:reconnected", Reconnected) in heard
    assert ("connection:stateChanged", StateChanged) in heard


async def test_reconnected_goes_out_once_everything_that_was_lost_is_back_and_stable():
    async with House() as house:
        for name in ("one", "two", "three"):
            house.add(name, start_rate=0)
        await until(lambda: house.status("three").stable)
        house.server.open = REFUSED
        house.server.drop_all()
        await asyncio.sleep(5)
        house.server.open = None
        await asyncio.sleep(60)
        (event,) = house.of(Reconnected)
        assert set(event.connections) == {"one", "two", "three"}
        assert event.downtime == pytest.approx(7.0)


async def test_an_event_is_one_json_object_with_its_name():
    async with House() as house:
        house.add()
        await house.until(Phase.UP)
        written = msgspec.json.decode(msgspec.json.encode(house.of(StateChanged)[-1]))
        assert written["event"] == "connection:stateChanged"
        assert written["status"]["phase"] == "up"
        assert written["previous"] == "connecting"
        assert written["health"] == 100


async def test_a_listener_that_raises_is_detached_and_reaches_nobody_else(caplog):
    heard = []
    said = "what a peer has said"

    def broken(event):
        raise RuntimeError(said)

    async with House() as house:
        house.manager.on("connection:stateChanged", broken)
        house.manager.on("connection:stateChanged", heard.append)
        house.server.open = REFUSED
        house.add()
        await until(lambda: house.status().attempt == 5)
        (detached,) = house.of(ListenerDetached)
        assert "broken" in detached.listener
        assert len(heard) == len(house.of(StateChanged))
    assert "broken raised RuntimeError" in caplog.text
    assert "in broken" in caplog.text
    assert said not in caplog.text


async def test_a_listener_that_was_taken_off_hears_nothing():
    heard = []
    async with House() as house:
        house.manager.on("connection:stateChanged", heard.append)
        house.manager.off("connection:stateChanged", heard.append)
        house.manager.off("connection:stateChanged", print)
        house.add()
        await house.until(Phase.UP)
    assert not heard


async def test_a_misspelt_event_is_an_error_that_names_the_nearest():
    async with House() as house:
        with pytest.raises(ValueError, match="did you mean 'connection:stateChanged'"):
            house.manager.on("connection:statechanged", print)


async def test_a_coroutine_function_is_refused_as_a_listener():
    async def listener(event):
        raise AssertionError

    async with House() as house:
        with pytest.raises(TypeError, match="async for"):
            house.manager.on("connection:stateChanged", listener)


async def test_a_reader_that_falls_behind_is_told_how_many_it_missed():
    async with House() as house:
        start = house.manager.position
        house.add()
        await house.until(Phase.UP)
        for number in range(12_000):
            house.server.sessions[0].listener.reported("note", str(number), {})
        reader = house.manager.events(start)
        gap, first = await anext(reader), await anext(reader)
        assert isinstance(gap, Gap)
        assert first.seq == gap.missed + 1
        assert isinstance(first, Reported)
        await reader.aclose()


async def test_a_position_of_another_run_is_a_gap():
    async with House() as house:
        house.add()
        await house.until(Phase.UP)
        reader = house.manager.events(Position("another", 1))
        assert isinstance(await anext(reader), Gap)
        assert (await anext(reader)).seq == 1
        await reader.aclose()


async def test_no_event_status_or_repr_holds_the_secret():
    async with House() as house:
        house.server.open = WRONG_SECRET
        house.add(secret=True)
        await house.until(Phase.BLOCKED)
        written = repr(house.events) + msgspec.json.encode(house.events).decode()
        written += repr(house.manager.snapshot()) + repr(vars(house.manager))
        assert CANARY not in written


async def test_all_hear_the_events_in_their_order_also_those_that_a_listener_causes():
    heard = []

    def takes_one_more(event):
        if event.connection == "one":
            house.add("two")

    async with House() as house:
        house.manager.on("connection:added", takes_one_more)
        house.manager.on("connection:added", heard.append)
        house.add()
        assert [event.connection for event in heard] == ["one", "two"]
        assert [event.seq for event in heard] == [1, 2]


async def test_a_listener_that_another_takes_off_is_not_called_any_more():
    heard = []

    async with House() as house:
        house.manager.on("connection:added", lambda _: house.manager.off("connection:added", heard.append))
        house.manager.on("connection:added", heard.append)
        house.add()
        assert not heard


async def test_a_listener_may_take_itself_off_and_remove_a_connection():
    removing = []

    def once(event):
        house.manager.off("connection:stateChanged", once)
        removing.append(asyncio.create_task(house.manager.remove(event.connection)))

    async with House() as house:
        house.manager.on("connection:stateChanged", once)
        house.add()
        house.add("two")
        await house.until(Phase.UP, "two")
        (removed,) = removing
        await removed
        assert list(house.manager.states) == ["two"]


async def test_a_cancellation_that_a_listener_raises_reaches_no_supervisor():
    def reads_a_cancelled_future(event):
        raise asyncio.CancelledError

    async with House() as house:
        house.manager.on("connection:stateChanged", reads_a_cancelled_future)
        house.add()
        await until(lambda: house.status().stable)


async def test_readers_of_events_finish_when_the_manager_stops():
    async with House() as house:
        house.add()
        await house.until(Phase.UP)
        reading = asyncio.create_task(all_of(house.manager.events()))
        await asyncio.sleep(1)
        await house.manager.stop()
        async with asyncio.timeout(1):
            *_, last, _band = await reading
        assert (last.connection, last.phase) == ("one", Phase.STOPPED)


async def all_of(events):
    return [event async for event in events]


async def test_a_share_that_comes_and_goes_just_above_a_floor_does_not_make_the_band_flap():
    async with House() as house:
        for number in range(5):
            house.servers[f"c{number}"] = FakeServer()
            house.add(f"c{number}", start_rate=0, max_delay=1.0, max_attempts=1000)
        await until(lambda: house.manager.health == 100)
        house.events.clear()
        for down in (1, 2, 1, 2, 1, 2, 0):
            for number, server in enumerate(house.servers.values()):
                server.open = REFUSED if number < down else None
                if number < down:
                    server.drop_all()
            await until(lambda down=down: house.manager.health == 100 - 20 * down)
        assert [event.band for event in house.of(BandChanged)] == [Band.ORANGE, Band.GREEN]
