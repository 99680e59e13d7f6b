"""Puts the fake manager of a test behind the control socket of a service, and the app in front of it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from textual.pilot import Pilot

from manager.access import Access
from manager.events import Event, Gap
from manager.model import Position
from manager.service.credentials import UnixEntrance
from manager.service.methods import EventsFrom, EventsTold, Methods
from manager.service.remote import RemoteClient
from manager.service.server import ControlServer
from manager.service.socketfile import SocketFile
from tests.tui.fake_client import FakeClient
from tui.app import TrunklineApp

PATIENCE = 1.0
"""Seconds until what is on its way is no longer waited for: a test may have its manager not answer."""


class FakeMethods(Methods):
    """Tells what a test has its manager tell."""

    def __init__(self, fake: FakeClient) -> None:
        super().__init__(fake, Path("/config.toml"), 0.0)
        self._fake = fake
        self.told = 0

    async def events(self, subscription: int, wanted: EventsFrom):
        position = wanted.since or Position("", 0)
        async with aclosing(self._fake.events(position)) as stream:
            async for event in stream:
                self.told += 1
                yield EventsTold(
                    subscription=subscription,
                    events=msgspec.Raw(msgspec.json.encode([event])),
                    position=position,
                )


class Behind(RemoteClient):
    """Speaks to the fake manager of a test through a socket, and knows when all is said."""

    def __init__(self, fake: FakeClient, address: Path) -> None:
        super().__init__(address)
        self._fake = fake
        self.methods = FakeMethods(fake)
        self._heard = 0
        self._asking = 0

    @property
    def embedded(self) -> bool:
        return self._fake.embedded

    @property
    def settled(self) -> bool:
        """Whether nothing is on its way in either direction."""
        waiting = any(not reader.empty() for reader in self._fake._readers)
        return not self._asking and not waiting and self._heard == self.methods.told

    async def events(self, since: Position) -> AsyncIterator[Event | Gap]:
        async with aclosing(super().events(since)) as stream:
            async for event in stream:
                self._heard += 1
                yield event
        self._heard = self.methods.told

    async def _ask(self, *arguments):
        self._asking += 1
        try:
            return await super()._ask(*arguments)
        finally:
            self._asking -= 1


class Detour:
    """Has each app of a test speak to its fake manager through a socket of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._fronts: dict[int, Behind] = {}
        """By the identity of the app."""

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Send every app that is made from now on that way."""
        begin, run = TrunklineApp.__init__, TrunklineApp.run_test
        pause, press = Pilot.pause, Pilot.press

        def begin_behind(app: TrunklineApp, client: object, **options) -> None:
            begin(app, self._behind(app, client), **options)

        async def pause_until_settled(pilot: Pilot, delay: float | None = None) -> None:
            await pause(pilot, delay)
            await self._settle(pilot, pause)

        async def press_and_settle(pilot: Pilot, *keys: str) -> None:
            for key in keys:
                await press(pilot, key)
                await self._settle(pilot, pause)

        monkeypatch.setattr(TrunklineApp, "__init__", begin_behind)
        monkeypatch.setattr(TrunklineApp, "run_test", lambda app, **options: self._running(app, run, options))
        monkeypatch.setattr(Pilot, "pause", pause_until_settled)
        monkeypatch.setattr(Pilot, "press", press_and_settle)

    def _behind(self, app: TrunklineApp, client: object) -> object:
        if not isinstance(client, FakeClient):
            return client
        front = self._fronts[id(app)] = Behind(client, self._folder / f"{len(self._fronts)}.sock")
        return front

    @asynccontextmanager
    async def _running(self, app: TrunklineApp, run: Callable, options: dict[str, object]):
        async with AsyncExitStack() as stack:
            front = self._fronts.get(id(app))
            if front is not None:
                file = stack.enter_context(SocketFile(front.address))
                server = ControlServer([UnixEntrance(file.socket, Access())], front.methods)
                await stack.enter_async_context(server)
            pilot = await stack.enter_async_context(run(app, **options))
            await pilot.pause()
            yield pilot

    async def _settle(self, pilot: Pilot, pause: Callable) -> None:
        front = self._fronts.get(id(pilot.app))
        end = time.monotonic() + PATIENCE
        while front is not None and not front.settled and time.monotonic() < end:
            await pause(pilot, 0.001)
        await pause(pilot)
