"""What a process holds: tasks, timers, files, threads, memory and objects."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import resource
import sys
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from manager.engine.ticks import Tick

_PAGE = resource.getpagesize()
_C = ctypes.CDLL(None)
"""glibc."""


@dataclass(frozen=True, slots=True)
class Stock:
    """What was there at one instant, or the least of several."""

    tasks: int
    timers: int
    """Those that will still strike; what shares the timer of a tick counts as one each."""
    scheduled: int
    """With the cancelled ones that the loop has not thrown away yet."""
    files: int
    threads: int
    resident: int
    """Bytes of memory in use, once the allocator has given back what it kept for later."""
    objects: int
    """Those that the garbage collector follows, after it has run."""
    blocks: int
    """Pieces of memory that Python has given out, whoever follows them."""
    kinds: Counter[str] = field(default_factory=Counter)
    """How many there are of each class."""


def files() -> int:
    return len(os.listdir("/proc/self/fd")) - 1  # noqa: PTH208 - the names are all that is needed


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


def take_stock() -> Stock:
    loop = asyncio.get_running_loop()
    gc.collect()
    _C.malloc_trim(0)
    kinds = Counter(type(each).__qualname__ for each in gc.get_objects())
    scheduled = loop._scheduled
    return Stock(
        tasks=len(asyncio.all_tasks()),
        timers=sum(_calls_of(timer) for timer in scheduled if not timer.cancelled()),
        scheduled=len(scheduled),
        files=files(),
        threads=threading.active_count(),
        resident=resident(),
        objects=kinds.total(),
        blocks=sys.getallocatedblocks(),
        kinds=kinds,
    )


def _calls_of(timer: asyncio.TimerHandle) -> int:
    tick = getattr(timer._callback, "__self__", None)
    return max(1, len(tick._calls)) if isinstance(tick, Tick) else 1


def least(stocks: Iterable[Stock]) -> Stock:
    """Return the least of each: what is under way in one instant is over in another."""
    stocks = list(stocks)
    numbers = ("tasks", "timers", "scheduled", "files", "threads", "resident", "objects", "blocks")
    fewest = min(stocks, key=lambda stock: stock.objects)
    return Stock(
        **{name: min(getattr(each, name) for each in stocks) for name in numbers}, kinds=fewest.kinds
    )
