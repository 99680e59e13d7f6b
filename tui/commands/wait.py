"""`trunkline wait`: returns when connections are up, for scripts that go on then."""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing
from pathlib import Path

import click

from manager.errors import ManagerGoneError, UnknownConnectionError
from manager.events import ConnectionEvent, Event
from manager.service.address import Address
from manager.service.remote import RemoteClient
from tui.commands.attaching import address_for
from tui.commands.naming import complete_names
from tui.commands.terms import BAD_SETTINGS, FAILED, attach_option, config_option, told
from tui.sanitise import clean

_AGAIN_AFTER = 0.5


@click.command(short_help="Wait until connections are up.")
@click.argument("names", nargs=-1, metavar="NAME...", required=True, shell_complete=complete_names)
@click.option("--up/--down", default=True, help="Until all of them are up (the default), or none is.")
@click.option("--timeout", type=click.FloatRange(min=0.0), metavar="SECONDS", help="Give up after this time.")
@config_option
@attach_option
@click.pass_context
def wait(
    context: click.Context,
    /,
    *,
    names: tuple[str, ...],
    up: bool,
    timeout: float | None,
    path: Path | None,
    address: Address | None,
) -> None:
    """Wait until connections are up; exit code 1 where they are not in time."""
    waiting = Waiting(set(names), up=up)
    with told(BAD_SETTINGS):
        client = RemoteClient(address_for(context, path, address))
        try:
            asyncio.run(_within(client, waiting, timeout))
        except TimeoutError:
            word = "up" if up else "down"
            click.echo(clean(f"trunkline: not {word}: {', '.join(sorted(waiting.missing))}"), err=True)
            sys.exit(FAILED)


class Waiting:
    """Which connections are not yet as they are wanted."""

    def __init__(self, names: set[str], *, up: bool) -> None:
        self.missing = set(names)
        self._names = frozenset(names)
        self._up = up

    async def until_there(self, client: RemoteClient) -> None:
        """Return when all are at once as they are wanted.

        Raises:
            UnknownConnectionError: no connection has one of the names.
            ManagerGoneError: the service ended meanwhile.
        """
        snapshot = await client.snapshot()
        connected = {status.name: status.phase.connected for status in snapshot.statuses}
        for name in sorted(self._names - connected.keys()):
            raise UnknownConnectionError(f"no connection is called {name!r}")
        self.missing = {name for name in self._names if connected[name] is not self._up}
        if not self.missing:
            return None
        async with aclosing(client.events(snapshot.position)) as events:
            async for event in events:
                if not isinstance(event, Event):
                    return await self.until_there(client)
                if isinstance(event, ConnectionEvent) and event.connection in self._names:
                    change = self.missing.discard if event.connected is self._up else self.missing.add
                    change(event.connection)
                    if not self.missing:
                        return None
        raise ManagerGoneError("the service has ended its stream of events")


async def _within(client: RemoteClient, waiting: Waiting, timeout: float | None) -> None:
    async with asyncio.timeout(timeout):
        first = True
        while True:
            try:
                return await waiting.until_there(client)
            except ManagerGoneError:
                if first and timeout is None:
                    raise
            first = False
            await asyncio.sleep(_AGAIN_AFTER)
