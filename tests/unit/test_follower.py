"""What a face does with a gap in the events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from manager.events import BandChanged, Event, Gap
from manager.model import Band, Position, Snapshot
from tui.board import Board
from tui.follower import Follower


class Viewer:
    def __init__(self) -> None:
        self.board = Board()
        self.told_of: list[tuple[int, bool]] = []

    def loaded(self) -> None:
        pass

    def told(self, event: Event, *, fresh: bool) -> None:
        self.told_of.append((event.seq, fresh))
        if fresh:
            self.board.apply(event)

    def troubled(self, sentence: str) -> None:
        assert not sentence


class Scripted:
    """Gives these snapshots and streams, one after the other; then it is cancelled."""

    def __init__(self, snapshots: list[Position], streams: list[list[int | Gap]]) -> None:
        self._snapshots = snapshots
        self._streams = streams
        self.asked: list[Position] = []

    async def snapshot(self) -> Snapshot:
        return Snapshot(position=self._snapshots.pop(0), time=0.0, monotonic=0.0, statuses=())

    async def events(self, since: Position) -> AsyncIterator[Event | Gap]:
        self.asked.append(since)
        for each in self._streams.pop(0):
            if isinstance(each, Gap):
                yield each
            else:
                yield BandChanged(seq=each, time=0.0, health=100, band=Band.GREEN, previous=Band.RED)
        if not self._streams:
            raise asyncio.CancelledError


async def followed(client: Scripted) -> Viewer:
    viewer = Viewer()
    with pytest.raises(asyncio.CancelledError):
        await Follower(client, viewer).run()
    return viewer


async def test_a_snapshot_that_the_stream_wants_is_taken_in_its_midst_and_nothing_is_left_out():
    client = Scripted([Position("a", 2), Position("a", 5)], [[1, 2, Gap(missed=0), 4, 5, 6]])
    viewer = await followed(client)
    assert viewer.told_of == [(1, False), (2, False), (4, False), (5, False), (6, True)]
    assert client.asked == [Position("a", 0)]


async def test_after_events_that_were_missed_it_goes_on_from_a_snapshot():
    client = Scripted([Position("a", 2), Position("a", 9)], [[1, Gap(missed=4)], [10]])
    viewer = await followed(client)
    assert viewer.told_of == [(1, False), (10, True)]
    assert client.asked == [Position("a", 0), Position("a", 9)]


async def test_another_run_that_has_missed_nothing_is_begun_with_a_snapshot_all_the_same():
    runs = [Position("a", 7), Position("b", 1), Position("b", 2)]
    client = Scripted(runs, [[Gap(missed=0), 1], [3]])
    viewer = await followed(client)
    assert viewer.told_of == [(3, True)]
    assert viewer.board.position == Position("b", 3)
