"""Programs for a terminal, beside the whole one.

python -m bench.shown trivial
    a Textual app with Header and Footer and one line, and nothing else
python -m bench.shown held FD NUMBER RATE
    the dashboard over a manager whose connections are no sockets; on the socket FD it is told what to do
python -m bench.shown slow FD NUMBER RATE
    the same with `--slow`
python -m bench.shown bare FD NUMBER RATE
    that manager without the dashboard
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import sys
from functools import partial
from typing import Any, ClassVar

from manager.embedded import EmbeddedClient
from manager.endpoint import Endpoint, parse_endpoint
from manager.model import FactValue, Failure, FailureClass, Stage
from manager.settings import ConnectionSettings, Policy

TICK = 0.05
RESET = Failure(
    kind=FailureClass.TRANSIENT, stage=Stage.SESSION, reason="the peer reset the connection", hint=""
)


class HeldSettings(ConnectionSettings, frozen=True, kw_only=True):
    type: ClassVar[str] = "ami"


class HeldSession:
    facts: ClassVar[dict[str, FactValue]] = {"version": "22.10.1", "calls": 4}

    def __init__(self, listener: Any) -> None:
        self.listener = listener
        self.end: asyncio.Future[Failure] = asyncio.get_running_loop().create_future()

    async def heartbeat(self) -> float:
        return random.uniform(0.010, 0.013)

    async def check(self) -> str:
        return ""

    async def ended(self) -> Failure:
        return await self.end

    async def close(self, *, graceful: bool) -> None:
        del graceful


class House:
    """Every session, and the events that they are made to send."""

    def __init__(self, control: socket.socket | None = None) -> None:
        self._control = control
        self._sessions: dict[int, HeldSession] = {}
        self.rate = 0
        """Events a second."""
        self._sent = 0
        self._task: asyncio.Task[None] | None = None

    def create(self, settings: ConnectionSettings, memory: object) -> HeldDriver:
        del memory
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._obey())
        return HeldDriver(self, int(settings.name.removeprefix("pbx-")))

    def opened(self, number: int, session: HeldSession) -> None:
        self._sessions[number] = session

    def lose(self, why: Failure) -> None:
        """End every session; from any thread."""

        def end() -> None:
            for session in self._sessions.values():
                if not session.end.done():
                    session.end.set_result(why)

        if self._task is not None:
            self._task.get_loop().call_soon_threadsafe(end)

    async def _obey(self) -> None:
        loop = asyncio.get_running_loop()
        if self._control is None:
            await self._send()
            return
        reader, writer = await asyncio.open_connection(sock=self._control)
        sending = loop.create_task(self._send())
        while line := await reader.readline():
            match json.loads(line):
                case ["rate", rate]:
                    self.rate = rate
                case ["sent"]:
                    writer.write(f"{self._sent}\n".encode())
        sending.cancel()

    async def _send(self) -> None:
        """Of twenty events, eighteen are reports and two belong to a session that is lost and opened anew."""
        loop = asyncio.get_running_loop()
        began, owed = loop.time(), 0.0
        while True:
            await asyncio.sleep(TICK)
            now = loop.time()
            owed, began = owed + (now - began) * self.rate, now
            while owed >= 1 and self._sessions:
                owed -= 1
                self._sent += 1
                session = random.choice(list(self._sessions.values()))
                if self._sent % 20 == 0 and not session.end.done():
                    # It is told as waiting and, opened at once by its pool, as up again.
                    self._sent += 1
                    owed -= 1
                    session.end.set_result(RESET)
                else:
                    text = f"PJSIP/trunk/{self._sent} is busy here, 486 from 203.0.113.{self._sent % 256}"
                    session.listener.reported("peerStatus", text, {})


class HeldDriver:
    def __init__(self, house: House, number: int) -> None:
        self._house = house
        self._number = number

    async def open(self, endpoint: Endpoint, listener: Any) -> HeldSession:
        del endpoint
        session = HeldSession(listener)
        self._house.opened(self._number, session)
        return session

    async def peek(self, endpoint: Endpoint) -> None:
        del endpoint


def held(control: int, number: int, start_rate: int, slow: bool = False) -> int:
    from tui.app import TrunklineApp
    from tui.preferences import Preferences
    from tui.run import run_app

    client = manager_of(control, number, start_rate)
    return run_app(TrunklineApp(client, title="bench", preferences=Preferences(slow=slow)), client)


def bare(control: int, number: int, start_rate: int) -> int:
    async def wait() -> None:
        while any(not status.phase.connected for status in (await client.snapshot()).statuses):
            await asyncio.sleep(0.5)
        print(f"{number:,} up", flush=True)
        await asyncio.get_running_loop().create_future()

    with manager_of(control, number, start_rate) as client:
        asyncio.run(wait())
    return 0


def manager_of(control: int, number: int, start_rate: int) -> EmbeddedClient:
    house = House(socket.socket(fileno=control))
    policy = Policy(start_rate=start_rate, base_delay=0.5, max_delay=1, jitter=0)
    settings = [
        HeldSettings(
            name=f"pbx-{each}", endpoints=(parse_endpoint(f"ami://10.0.{each % 20}.1"),), policy=policy
        )
        for each in range(number)
    ]
    return EmbeddedClient(settings, drivers={"ami": house.create})


def trivial() -> int:
    from textual.app import App, ComposeResult
    from textual.widgets import Footer, Header, Static

    class Trivial(App[None]):
        BINDINGS: ClassVar = [("q", "quit", "quit")]

        def compose(self) -> ComposeResult:
            yield Header()
            yield Static("the first frame is here")
            yield Footer()

    Trivial().run(mouse=False)
    return 0


if __name__ == "__main__":
    kind, *numbers = sys.argv[1:]
    sys.exit(
        {"trivial": trivial, "held": held, "slow": partial(held, slow=True), "bare": bare}[kind](
            *map(int, numbers)
        )
    )
