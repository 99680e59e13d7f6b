"""`trunkline events`: what happened, and what happens, from the service."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from contextlib import aclosing, suppress
from datetime import datetime
from pathlib import Path

import click

from manager.errors import ManagerGoneError
from manager.events import Event, Gap
from manager.model import Position
from manager.outputs.jsonlines import line_of
from manager.service.address import Address
from manager.service.remote import RemoteClient
from tui.commands.attaching import address_for
from tui.commands.terms import FAILED, attach_option, config_option, told
from tui.sanitise import clean
from tui.sentences import log_line

AGAIN_AFTER = 2.0
"""Seconds until a service that did not answer is asked again."""

_SUBJECT, _WORD = 16, 11
"""Columns of who it is about and of what happened; whoever is called longer takes more."""
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def _seconds(context: click.Context, param: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)([smhd])", value)
    if found is None:
        raise click.BadParameter(f"{value!r} is no span such as 90s, 10m, 2h or 1d", context, param)
    return float(found[1]) * _UNITS[found[2]]


@click.command(short_help="Print what happened; with --follow what happens.")
@config_option
@attach_option
@click.option("--follow", "-f", is_flag=True, help="Go on with what happens from now on.")
@click.option("--since", callback=_seconds, metavar="SPAN", help="Begin so long ago: 90s, 10m, 2h, 1d.")
@click.option("--json", "as_json", is_flag=True, help="Print each event as one JSON object a line.")
@click.pass_context
def events(
    context: click.Context,
    /,
    *,
    path: Path | None,
    address: Address | None,
    follow: bool,
    since: float | None,
    as_json: bool,
) -> None:
    """Print the events that the service holds; with --follow those to come.

    Following begins now unless --since says otherwise, and goes on when the service is lost and back.
    """
    with told(FAILED), suppress(KeyboardInterrupt):
        client = RemoteClient(address_for(context, path, address))
        reader = _Reader(client, from_time=None if since is None else time.time() - since, as_json=as_json)
        try:
            asyncio.run(reader.follow(everything=since is not None) if follow else reader.held())
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Reader:
    """Prints events from where it has come to."""

    def __init__(self, client: RemoteClient, *, from_time: float | None, as_json: bool) -> None:
        self._client = client
        self._from_time = from_time
        self._as_json = as_json
        self._position = Position("", 0)

    async def held(self) -> None:
        """Print what the service holds."""
        end = (await self._client.snapshot()).position
        self._position = Position(end.epoch, 0)
        if end.seq:
            await self._print(until=end.seq)

    async def follow(self, *, everything: bool) -> None:
        """Print what happens until interrupted, over losses of the service."""
        end = (await self._client.snapshot()).position
        self._position = Position(end.epoch, 0 if everything else end.seq)
        while True:
            try:
                epoch = (await self._client.snapshot()).position.epoch
                if epoch != self._position.epoch:
                    self._position = Position(epoch, 0)
                await self._print()
                trouble = "the service has ended its stream of events"
            except ManagerGoneError as error:
                trouble = str(error)
            click.echo(clean(f"trunkline: {trouble}; asked again every {AGAIN_AFTER:g} s"), err=True)
            await asyncio.sleep(AGAIN_AFTER)

    async def _print(self, until: int | None = None) -> None:
        async with aclosing(self._client.events(self._position)) as stream:
            async for event in stream:
                if isinstance(event, Event):
                    self._position = Position(self._position.epoch, event.seq)
                if self._wanted(event):
                    sys.stdout.write(f"{line_of(event) if self._as_json else _sentence(event)}\n")
                    sys.stdout.flush()
                if until is not None and self._position.seq >= until:
                    return

    def _wanted(self, event: Event | Gap) -> bool:
        if isinstance(event, Gap):
            return event.missed > 0
        return self._from_time is None or event.time >= self._from_time


def _sentence(event: Event | Gap) -> str:
    if isinstance(event, Gap):
        return f"{event.missed} events are no longer held"
    at = datetime.fromtimestamp(event.time).astimezone().isoformat(" ", "seconds")
    line = log_line(event)
    return clean(f"{at} {line.subject:<{_SUBJECT}} {line.word:<{_WORD}} {line.text}".rstrip())
