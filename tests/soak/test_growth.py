"""The soak's own eyes: what it must see grow, and what not."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

import pytest

from tests.soak.gauges import Stock, least, take_stock
from tests.soak.growth import FREE_BYTES, FREE_OBJECTS, FREE_TIMERS, grown

EARLY = Stock(
    tasks=300,
    timers=300,
    scheduled=400,
    files=310,
    threads=1,
    resident=60 * 2**20,
    objects=100_000,
    blocks=400_000,
    kinds=Counter({"Status": 5000}),
)
Leak = Callable[[], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def leaked_task() -> AsyncIterator[None]:
    task = asyncio.create_task(asyncio.sleep(60))
    yield
    task.cancel()


@asynccontextmanager
async def leaked_timers() -> AsyncIterator[None]:
    timers = [asyncio.get_running_loop().call_later(60, print) for _ in range(FREE_TIMERS + 1)]
    yield
    for timer in timers:
        timer.cancel()


@asynccontextmanager
async def leaked_file() -> AsyncIterator[None]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield


@asynccontextmanager
async def leaked_thread() -> AsyncIterator[None]:
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    yield
    over.set()
    thread.join()


@asynccontextmanager
async def leaked_objects() -> AsyncIterator[None]:
    kept = [Counter(number=each) for each in range(2 * FREE_OBJECTS)]
    yield
    kept.clear()


@asynccontextmanager
async def leaked_bytes() -> AsyncIterator[None]:
    kept = [bytes(1000) for _ in range(2 * FREE_BYTES // 1000)]
    yield
    kept.clear()


@pytest.mark.parametrize(
    ("leak", "sentence"),
    [
        (leaked_task, "tasks grew from "),
        (leaked_timers, "timers grew from "),
        (leaked_file, "files grew from "),
        (leaked_thread, "threads grew from "),
        (leaked_objects, " more of Counter"),
        (leaked_bytes, "memory grew from "),
    ],
)
async def test_what_is_left_behind_is_seen_and_named(leak: Leak, sentence: str) -> None:
    before = take_stock()
    async with leak():
        assert sentence in "\n".join(grown(before, take_stock()))


def test_what_stays_the_same_or_shrinks_is_no_growth() -> None:
    fewer = replace(EARLY, tasks=1, timers=1, files=1, resident=1, objects=1, blocks=1)
    assert [*grown(EARLY, EARLY), *grown(EARLY, fewer)] == []


def test_one_more_task_or_file_is_growth() -> None:
    assert [*grown(EARLY, replace(EARLY, tasks=301, files=311))] == [
        "tasks grew from 300 to 301",
        "files grew from 310 to 311",
    ]


def test_objects_and_memory_may_differ_by_a_little() -> None:
    more = replace(EARLY, objects=EARLY.objects + FREE_OBJECTS, resident=EARLY.resident + FREE_BYTES)
    assert [*grown(EARLY, more)] == []
    kinds = Counter({"Status": 5000, "Session": FREE_OBJECTS + 1})
    more = replace(EARLY, objects=EARLY.objects + FREE_OBJECTS + 1, kinds=kinds)
    (sentence,) = grown(EARLY, more)
    assert sentence.endswith(f": {FREE_OBJECTS + 1} more of Session")


def test_what_is_only_there_in_one_of_several_stocks_is_not_counted() -> None:
    busy = replace(EARLY, tasks=310, objects=100_500, kinds=Counter({"Task": 10}))
    other = replace(EARLY, timers=310, resident=61 * 2**20)
    assert least([busy, other]) == EARLY
