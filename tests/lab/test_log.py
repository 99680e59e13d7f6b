"""The event log of the dashboard on connections to the lab's servers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from manager.embedded import EmbeddedClient
from manager.lab.lab import Lab
from manager.lab.story import HOSTS, Deed, Place, Step, perform
from manager.lab.thread import LabThread
from tui.app import TrunklineApp
from tui.widgets.eventlog import EventLog


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "trunkline"


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


def told(log: EventLog) -> list[tuple[str, str]]:
    return [(entry.subject, entry.kind.word) for entry in log.view.lines]


def phases(log: EventLog) -> list[str]:
    """Return what the log tells of the phases of pbx1-ami."""
    return [
        word for name, word in told(log) if name == "pbx1-ami" and word in ("waiting", "connecting", "up")
    ]


async def test_what_befalls_a_server_is_told_filtered_and_copied_as_it_happened(state: Path) -> None:
    lab = Lab(HOSTS)
    with LabThread(lab) as thread, EmbeddedClient(lab.connections()) as client:
        app = TrunklineApp(client)
        async with app.run_test(size=(120, 40)) as pilot:
            board = app.screen.board  # type: ignore[attr-defined]  # the dashboard's
            log = app.screen.query_one("#log", EventLog)
            await until(lambda: len(board.statuses) == 13 and board.up == 13)
            flapped = time.time()
            thread.begin(lambda running: perform(running, Step(0.0, Place("pbx1"), Deed.FLAP, "")))
            whole = ["waiting", "connecting", "up"]
            await until(lambda: phases(log)[-3:] == whole)

            await pilot.press("tab", "slash", *"pbx1-ami to attempt", "enter")
            await until(lambda: log.view.hits[0] > 0)
            await pilot.press("c")
            await until(lambda: {subject for subject, _ in told(log)} == {"pbx1-ami"})
            assert phases(log)[-3:] == whole

            await pilot.press("y")
            await until((state / "copied.txt").exists)
            stamp, subject, word, *_ = (state / "copied.txt").read_text().split()
            assert (subject, word) == ("pbx1-ami", "waiting")
            assert stamp >= time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(flapped))


async def test_what_goes_well_is_told_only_where_it_is_asked_for() -> None:
    lab = Lab(HOSTS)
    with LabThread(lab), EmbeddedClient(lab.connections()) as client:
        app = TrunklineApp(client)
        async with app.run_test(size=(120, 40)) as pilot:
            board = app.screen.board  # type: ignore[attr-defined]  # the dashboard's
            log = app.screen.query_one("#log", EventLog)
            await until(lambda: len(board.statuses) == 13 and board.up == 13)
            await pilot.press("u", "tab", "l", "l")
            await until(
                lambda: {name for name, word in told(log) if word == "answered"} == set(board.statuses)
            )
            await pilot.press("l")
            await until(lambda: "answered" not in {word for _, word in told(log)})
