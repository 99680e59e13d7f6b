"""Many subscribers at the same place cost the manager one question."""

from __future__ import annotations

import asyncio
import json

import pytest

from manager.errors import ManagerGoneError
from manager.events import Gap
from manager.model import Position
from manager.service.news import News


class Manager:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[Position] = []
        self.answers: asyncio.Queue = asyncio.Queue()

    async def next_events(self, since: Position):
        self.asked.append(since)
        answer = await self.answers.get()
        if isinstance(answer, Exception):
            raise answer
        return [Gap(missed=answer)], Position(since.epoch, since.seq + answer)


START = Position("e", 0)


@pytest.fixture
def source() -> Manager:
    return Manager()


async def begun(*jobs) -> list[asyncio.Task]:
    tasks = [asyncio.create_task(job) for job in jobs]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def test_all_who_wait_get_one_answer(source):
    news = News(source)
    waiting = await begun(*(news.after(START) for _ in range(70)))
    source.answers.put_nowait(3)
    batches = await asyncio.gather(*waiting)
    assert source.asked == [START]
    assert all(batch is batches[0] for batch in batches)
    assert json.loads(bytes(batches[0].events)) == [{"event": "gap", "missed": 3}]
    assert batches[0].position == Position("e", 3)
    assert await news.after(START) is batches[0]
    assert source.asked == [START]


async def test_who_is_elsewhere_gets_an_answer_of_its_own(source):
    news = News(source)
    waiting = await begun(news.after(START), news.after(Position("e", 5)))
    source.answers.put_nowait(1)
    source.answers.put_nowait(1)
    assert [batch.position.seq for batch in await asyncio.gather(*waiting)] == [1, 6]


async def test_one_who_leaves_takes_the_question_along_only_when_nobody_else_waits(source):
    news = News(source)
    first, second = await begun(news.after(START), news.after(START))
    first.cancel()
    await asyncio.wait([first])
    source.answers.put_nowait(2)
    assert (await second).position.seq == 2
    (third,) = await begun(news.after(Position("e", 2)))
    third.cancel()
    await asyncio.wait([third])
    (fourth,) = await begun(news.after(Position("e", 2)))
    source.answers.put_nowait(1)
    assert (await fourth).position.seq == 3
    assert len(source.asked) == 3


async def test_all_hear_of_the_end_of_the_manager(source):
    news = News(source)
    waiting = await begun(news.after(START), news.after(START))
    source.answers.put_nowait(ManagerGoneError("the manager has ended"))
    assert all(
        isinstance(error, ManagerGoneError)
        for error in await asyncio.gather(*waiting, return_exceptions=True)
    )
    source.answers.put_nowait(1)
    assert (await news.after(START)).position.seq == 1
