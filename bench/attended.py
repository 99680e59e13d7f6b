"""A service over connections that are no sockets, in a process of its own, that tells how late its engine is.

python -m bench.attended ADDRESS NUMBER
    `lag` tells the longest delay of the engine's loop since it was last asked, in seconds, and the 99th of
    100; `lose` ends every session; `clients` tells how many there are, `rate N` has N events happen a second
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.child import answer
from bench.shown import RESET, HeldSettings, House
from manager.access import Access
from manager.embedded import EmbeddedClient
from manager.endpoint import parse_endpoint
from manager.service.credentials import UnixEntrance
from manager.service.methods import Methods
from manager.service.server import ControlServer
from manager.service.socketfile import SocketFile
from manager.settings import Policy

if TYPE_CHECKING:
    from manager.manager import ConnectionManager

EVERY = 0.01
HEARTBEATS = 25.0


class Watched(EmbeddedClient):
    """Notes how much later than asked its loop wakes up."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.late: list[float] = []

    def _begun(self, manager: ConnectionManager) -> None:  # noqa: ARG002 - its loop alone
        self._probe = asyncio.create_task(self._note())

    async def _note(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + EVERY
            await asyncio.sleep(EVERY)
            self.late.append(loop.time() - due)


async def main(address: Path, number: int) -> None:
    house = House()
    policy = Policy(base_delay=0.5, max_delay=1, jitter=0, heartbeat_interval=HEARTBEATS)
    settings = [
        HeldSettings(
            name=f"pbx-{each}", endpoints=(parse_endpoint(f"ami://10.0.{each % 20}.1"),), policy=policy
        )
        for each in range(number)
    ]
    with Watched(settings, drivers={"ami": house.create}) as client, SocketFile(address) as file:
        entrance = UnixEntrance(file.socket, Access())
        async with ControlServer([entrance], Methods(client, address, time.time())) as server:

            async def handle(words: list[Any]) -> object:
                match words:
                    case ["up"]:
                        return sum(status.phase.connected for status in (await client.snapshot()).statuses)
                    case ["lag"]:
                        late, client.late = sorted(client.late) or [0.0], []
                        return [late[-1], late[int(0.99 * len(late))]]
                    case ["lose"]:
                        house.lose(RESET)
                        return (await client.snapshot()).position.seq
                    case ["events"]:
                        return (await client.snapshot()).position.seq
                    case ["clients"]:
                        return len(server._peers)  # noqa: SLF001 - nobody else wants to know
                    case ["rate", rate]:
                        house.rate = rate
                        return rate
                raise ValueError(words)

            await answer(handle)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
