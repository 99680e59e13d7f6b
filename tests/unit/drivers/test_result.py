from __future__ import annotations

import asyncio

import pytest

from manager.drivers.result import result_of


async def test_everyone_who_waits_gets_the_result_also_one_who_comes_late():
    future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    waiting = asyncio.gather(*(result_of(future) for _ in range(3)))
    await asyncio.sleep(0)
    future.set_result("over")
    assert await waiting == ["over"] * 3
    assert await result_of(future) == "over"


async def test_a_wait_that_is_cancelled_leaves_the_future_and_the_others_alone():
    future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    one, other = (asyncio.create_task(result_of(future)) for _ in range(2))
    await asyncio.sleep(0)
    one.cancel()
    with pytest.raises(asyncio.CancelledError):
        await one
    assert not future.cancelled()
    future.set_result("over")
    assert await other == "over"


async def test_a_wait_that_is_cancelled_as_the_result_comes_is_cancelled():
    future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(result_of(future))
    await asyncio.sleep(0)
    future.set_result("over")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
