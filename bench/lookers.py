"""What dashboards know, without their screens, all in one process: `python -m bench.lookers ADDRESS NUMBER`.

`behind` tells how many of them are not at a position; `up` tells how many connections each sees up, at least.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from bench.child import answer
from manager.events import Event
from manager.service.remote import RemoteClient
from tui.board import Board
from tui.follower import Follower


class Looker:
    """One of them."""

    def __init__(self) -> None:
        self.board = Board()

    def loaded(self) -> None:
        pass

    def told(self, event: Event, *, fresh: bool) -> None:
        if fresh:
            self.board.apply(event)

    def troubled(self, sentence: str) -> None:
        pass


async def main(address: Path, number: int) -> None:
    lookers = [Looker() for _ in range(number)]
    following = [asyncio.create_task(Follower(RemoteClient(address), each).run()) for each in lookers]

    async def handle(words: list[Any]) -> object:
        match words:
            case ["behind", seq]:
                return sum(each.board.position.seq < seq for each in lookers)
            case ["up"]:
                return min(each.board.up for each in lookers)
        raise ValueError(words)

    await answer(handle)
    for each in following:
        each.cancel()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
