"""`trunkline events --follow` tells nothing twice and leaves nothing out, whatever becomes of the service."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from manager.errors import ManagerGoneError
from manager.events import BandChanged, Commanded, Event, StateChanged
from manager.model import Band, Phase, Position, Snapshot
from tests.tui.fake_client import connection
from tui.commands import events
from tui.commands.events import _Reader, _sentence


class Flaky:
    """Runs of a service, each with the events that it has, which is lost after every two of them."""

    def __init__(self, *runs: tuple[str, int]) -> None:
        self._runs = list(runs)

    async def snapshot(self) -> Snapshot:
        if not self._runs:
            raise asyncio.CancelledError
        epoch, _ = self._runs[0]
        return Snapshot(position=Position(epoch, 0), time=0.0, monotonic=0.0, statuses=())

    async def events(self, since: Position) -> AsyncIterator[Event]:
        epoch, last = self._runs[0]
        seq = since.seq if since.epoch == epoch else 0
        for number in range(seq + 1, min(seq + 2, last) + 1):
            yield BandChanged(seq=number, time=0.0, health=100, band=Band.GREEN, previous=Band.RED)
        if seq + 2 >= last:
            self._runs.pop(0)
        raise ManagerGoneError("the service has ended the connection")


def test_a_line_says_to_whom_what_has_happened_in_columns():
    status = connection("pbx1-ami", phase=Phase.WAITING, host="pbx1")
    lost = StateChanged(seq=1, time=0.0, health=0, previous=Phase.UP, status=status)
    asked = Commanded(seq=2, time=0.0, health=0, command="reconnect", connection="pbx1-ami")
    band = BandChanged(seq=3, time=0.0, health=100, band=Band.GREEN, previous=Band.RED)
    lines = [_sentence(event).split(maxsplit=1)[1][len("00:00:00+00:00 ") :] for event in (lost, asked, band)]
    assert lines[0].startswith("pbx1-ami         waiting     ")
    assert lines[1] == "pbx1-ami         command     reconnect"
    assert lines[2] == f"{'':16} health      green, was red · 100 %"


async def test_each_event_of_each_run_is_told_once(monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr(events, "AGAIN_AFTER", 0.0)
    reader = _Reader(Flaky(("a", 3), ("b", 5)), from_time=None, as_json=True)
    with pytest.raises(asyncio.CancelledError):
        await reader.follow(everything=True)
    told = capsys.readouterr()
    assert [json.loads(line)["seq"] for line in told.out.splitlines()] == [1, 2, 3, 1, 2, 3, 4, 5]
    assert "the service has ended the connection; asked again" in told.err
