"""Whether something has grown between two stocks, and what."""

from __future__ import annotations

from collections.abc import Iterator

from tests.soak.gauges import Stock

FREE_TIMERS = 5
"""By how many timers two stocks may differ: a request over a socket that is under way in each of them."""
FREE_OBJECTS = 6000
"""By how many objects: the 10,000 events that the ring holds consist of more or fewer of them, and what is
remembered of the last losses of each connection fills up. It is less than two for each reconnection."""
FREE_BLOCKS = 0.05
"""By which share of all pieces of memory, for the same reasons."""
FREE_BYTES = 12 * 2**20
"""By how much memory. Python keeps an arena, 1 MiB, for as long as one object in it lives: a peak that is
higher than those before it leaves some behind, where the bytes in use are the same as ever."""
_NAMED = 5


def grown(early: Stock, late: Stock) -> Iterator[str]:
    """Yield a sentence for each thing that has grown by more than it may; a task or a file may not at all."""
    free = {"tasks": 0, "timers": FREE_TIMERS, "files": 0, "threads": 0}
    for name, more in free.items():
        before, after = getattr(early, name), getattr(late, name)
        if after > before + more:
            yield f"{name} grew from {before} to {after}"
    if late.objects > early.objects + FREE_OBJECTS:
        most = (late.kinds - early.kinds).most_common(_NAMED)
        kinds = ", ".join(f"{number} more of {kind}" for kind, number in most)
        yield f"objects grew from {early.objects} to {late.objects}: {kinds}"
    if late.blocks > early.blocks * (1 + FREE_BLOCKS):
        yield f"pieces of memory grew from {early.blocks} to {late.blocks}"
    if late.resident > early.resident + FREE_BYTES:
        yield f"memory grew from {_mib(early.resident)} to {_mib(late.resident)} MiB"


def _mib(number: int) -> str:
    return f"{number / 2**20:.1f}"
