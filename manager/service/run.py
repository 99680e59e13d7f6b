"""The life of a service: from the lock and the socket until every connection is closed."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from manager.access import Access
from manager.client import Reload
from manager.embedded import EmbeddedClient
from manager.errors import ManagerGoneError, TrunklineError
from manager.events import Reloaded
from manager.lock import InstanceLock
from manager.model import Position, Snapshot
from manager.outputs import logged
from manager.service.entrances import Entrances
from manager.service.methods import Methods
from manager.service.server import ControlServer
from manager.service.systemd import Notifier
from manager.service.tokens import Tokens

log = logging.getLogger(__name__)

_ALIVE_WITHIN = 10.0
"""Seconds in which the manager's loop answers, if it turns."""


class Service:
    """One configuration, one manager, one socket."""

    def __init__(
        self,
        client: EmbeddedClient,
        *,
        config: Path,
        address: Path,
        access: Access,
        tokens: Tokens,
        read_access: Callable[[], Access],
    ) -> None:
        """Prepare to serve.

        Args:
            client: the manager, not started yet.
            config: its settings.
            address: where to listen.
            access: who may do what.
            tokens: those of other machines.
            read_access: reads that anew when the settings were, on a thread of its own; raises
                `TrunklineError`.
        """
        self._client = client
        self._config = config
        self._address = address
        self._entrances = Entrances(address, access, tokens)
        self._read_access = read_access
        self._notifier = Notifier()
        self._stop = asyncio.Event()
        self._reload = asyncio.Event()

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT, and end within 5 s of it; SIGHUP has the settings read anew.

        Returns:
            the exit code: 0, or 1 where the manager ended by itself.

        Raises:
            manager.lock.AlreadyRunningError: another run has this configuration.
            manager.lock.LockUnavailableError: the lock cannot be held.
            manager.service.socketfile.SocketUnavailableError: it cannot listen.
            manager.errors.TrunklineError: it cannot listen for other machines.
        """
        with InstanceLock(self._config), self._entrances as entrances, self._client:
            return asyncio.run(self._serve(entrances))

    async def _serve(self, entrances: Entrances) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)
        jobs = []
        async with ControlServer(entrances, Methods(self._client, self._config, time.time())):
            snapshot = await self._client.snapshot()
            log.info("serves %s at %s", self._config, self._address)
            self._notifier.ready(_summary(snapshot))
            following = asyncio.create_task(
                self._follow(snapshot.position.epoch, entrances), name="service log"
            )
            stopping = asyncio.create_task(self._stop.wait(), name="service stop")
            jobs = [
                following,
                stopping,
                asyncio.create_task(self._reload_when_asked(), name="service reload"),
                asyncio.create_task(self._give_signs_of_life(), name="service watchdog"),
            ]
            try:
                await asyncio.wait([following, stopping], return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._notifier.stopping()
                asked = self._stop.is_set()
                for job in jobs:
                    job.cancel()
                await asyncio.wait(jobs)
        if asked:
            log.info("ends, and closes every connection")
            return 0
        log.error("the manager has ended by itself")
        return 1

    async def _follow(self, epoch: str, entrances: Entrances) -> None:
        """Write the log, and take up who may do what anew; returns when the manager has ended."""
        position = Position(epoch, 0)
        with suppress(ManagerGoneError):
            while True:
                events, position = await self._client.next_events(position)
                for event in events:
                    logged.write(event)
                    if isinstance(event, Reloaded):
                        await self._renew(entrances)

    async def _renew(self, entrances: Entrances) -> None:
        try:
            await entrances.renew(await asyncio.to_thread(self._read_access))
        except TrunklineError as error:
            log.error("who may speak to the service stays as it was: %s", error.summary)

    async def _reload_when_asked(self) -> None:
        while True:
            await self._reload.wait()
            self._reload.clear()
            self._notifier.reloading()
            with suppress(TrunklineError):  # the log tells of it as of any other event
                await self._client.command(Reload())
            self._notifier.ready(_summary(await self._client.snapshot()))

    async def _give_signs_of_life(self) -> None:
        """Tell systemd that the manager's loop turns, twice in the time that it gives."""
        if not self._notifier.watchdog:
            return
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_ALIVE_WITHIN):
                    self._notifier.alive(_summary(await self._client.snapshot()))
            await asyncio.sleep(self._notifier.watchdog / 2)


def _summary(snapshot: Snapshot) -> str:
    counting = [status for status in snapshot.statuses if status.phase.counts]
    up = sum(status.phase.connected for status in counting)
    return f"{up} of {len(counting)} up"
