"""Both soaks in short, so that the long ones are always fit to run; and that they notice a leak."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable

import pytest

from manager.drivers.base import SessionListener
from manager.endpoint import Endpoint
from tests.engine.fakes import CANARY, FakeSession
from tests.soak import week
from tests.soak.hosts import Driver


def test_days_of_faults_leave_nothing_behind() -> None:
    scale = week.Scale(connections=30, hosts=5, days=3, day=3600.0, pause=20.0, ring=1000)
    lines: list[str] = []
    assert week.run(scale, lines.append) == []
    assert len(lines) == 1 + scale.days


class Leaking:
    """Leaves something behind with each session that it opens."""

    def __init__(self, driver: Driver, leak: Callable[[], object]) -> None:
        self._driver, self._leak = driver, leak
        self._left: list[object] = []

    async def open(self, endpoint: Endpoint, listener: SessionListener) -> FakeSession:
        session = await self._driver.open(endpoint, listener)
        self._left.append(self._leak())
        return session

    async def peek(self, endpoint: Endpoint) -> None:
        await self._driver.peek(endpoint)


def leave_a_task() -> object:
    return asyncio.create_task(asyncio.sleep(1e9))


def leave_a_timer() -> object:
    return asyncio.get_running_loop().call_later(1e9, print)


def leave_objects() -> object:
    return [[] for _ in range(500)]


@pytest.mark.parametrize(
    ("leak", "sentence"),
    [
        (leave_a_task, "tasks grew from"),
        (leave_a_timer, "timers grew from"),
        (leave_objects, "more of list"),
    ],
)
def test_a_driver_that_leaves_something_behind_with_each_session_fails_the_soak(
    leak: Callable[[], object], sentence: str
) -> None:
    scale = week.Scale(connections=10, hosts=2, days=3, day=3600.0, pause=6.0, ring=100)
    faults = week.run(scale, lambda _: None, lambda driver: Leaking(driver, leak))
    assert sentence in "\n".join(faults)


@pytest.mark.waits
@pytest.mark.timeout(600)
def test_seconds_over_real_sockets_leave_nothing_behind() -> None:
    scale = {"connections": 32, "hosts": 2, "minutes": 3, "minute": 6, "trouble": 3, "ring": 300}
    options = [f"--{name}={value}" for name, value in scale.items()]
    ended = subprocess.run(
        [sys.executable, "-m", "tests.soak", "minutes", *options], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.endswith("nothing has grown\n")
    assert not ended.stderr
    assert CANARY not in ended.stdout
