"""Waiting for a future that others wait for too."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TypeVar

T = TypeVar("T")


async def result_of(future: asyncio.Future[T]) -> T:
    """Return the result of a future; a wait that is cancelled leaves the future as it is.

    This is what `asyncio.shield` does, for half of the memory, and a session waits for its end as long as it
    is held.
    """
    if not future.done():
        waiter = asyncio.get_running_loop().create_future()
        let_go = partial(_let_go, waiter)
        future.add_done_callback(let_go)
        try:
            await waiter
        finally:
            future.remove_done_callback(let_go)
    return future.result()


def _let_go(waiter: asyncio.Future[None], _: asyncio.Future[T]) -> None:
    if not waiter.done():
        waiter.set_result(None)
