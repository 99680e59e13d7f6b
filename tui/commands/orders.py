"""`trunkline reconnect`, `refresh`, `pause`, `resume` and `reload`: commands for the service."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import Path

import click

from manager.client import Command, Pause, Reconnect, Refresh, Reload, Resume
from manager.errors import UnknownConnectionError
from manager.events import Event, Reloaded
from manager.model import Result
from manager.service.address import Address
from manager.service.remote import RemoteClient
from tui.commands.attaching import address_for
from tui.commands.naming import complete_names
from tui.commands.terms import BAD_SETTINGS, FAILED, attach_option, config_option, told
from tui.sanitise import clean

_names = click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_names)
_wanted_names = click.argument(
    "names", nargs=-1, metavar="NAME...", required=True, shell_complete=complete_names
)


@click.command()
@_names
@click.option("--all", "everyone", is_flag=True, help="All that are not paused.")
@click.option("--no-wait", is_flag=True, help="Do not wait for what comes of it.")
@click.option("--override", is_flag=True, help="Also where the login budget of the host is used up.")
@config_option
@attach_option
@click.pass_context
def reconnect(
    context: click.Context,
    /,
    *,
    names: tuple[str, ...],
    everyone: bool,
    no_wait: bool,
    override: bool,
    path: Path | None,
    address: Address | None,
) -> None:
    """Close and open connections now, and print what was measured."""
    if bool(names) == everyone:
        raise click.UsageError("name connections, or say --all")
    commands = [Reconnect(name=name, override=override) for name in names or [None]]
    _carry_out(context, path, address, commands, wait=not no_wait)


@click.command(short_help="Send a heartbeat and a check now.")
@_names
@config_option
@attach_option
@click.pass_context
def refresh(
    context: click.Context, names: tuple[str, ...], path: Path | None, address: Address | None
) -> None:
    """Send a heartbeat and a check to the named connections, or to all, now."""
    _carry_out(context, path, address, [Refresh(name=name) for name in names or [None]])


def _for_names(kind: Callable[..., Command], name: str, help_text: str) -> click.Command:
    @click.command(name, help=help_text)
    @_wanted_names
    @config_option
    @attach_option
    @click.pass_context
    def command(
        context: click.Context, names: tuple[str, ...], path: Path | None, address: Address | None
    ) -> None:
        _carry_out(context, path, address, [kind(name=each) for each in names])

    return command


pause = _for_names(Pause, "pause", "Close connections and keep them closed until they are resumed.")
resume = _for_names(Resume, "resume", "Take paused connections up again.")


@click.command(short_help="Have the service read its settings anew.")
@config_option
@attach_option
@click.pass_context
def reload(context: click.Context, path: Path | None, address: Address | None) -> None:
    """Have the service read its settings anew, and print what is different."""
    with told(BAD_SETTINGS):
        client = RemoteClient(address_for(context, path, address))
        lines = asyncio.run(_differences(client))
    for line in lines:
        click.echo(clean(line))


def _carry_out(
    context: click.Context,
    path: Path | None,
    address: Address | None,
    commands: Sequence[Command],
    *,
    wait: bool = True,
) -> None:
    """Give commands side by side and print what comes of them; end with 1 where one did not work."""
    with told(BAD_SETTINGS):
        client = RemoteClient(address_for(context, path, address))
        results = asyncio.run(_outcomes(client, commands, wait=wait))
    for result in results:
        click.echo(clean(f"{result.connection}: {result.text}"), err=not result.ok)
    if not all(result.ok for result in results):
        sys.exit(FAILED)


async def _outcomes(client: RemoteClient, commands: Sequence[Command], *, wait: bool) -> list[Result]:
    known = {status.name for status in (await client.snapshot()).statuses}
    for command in commands:
        name = getattr(command, "name", None)
        if name is not None and name not in known:
            raise UnknownConnectionError(f"no connection is called {name!r}")
    if not wait:
        for command in commands:
            await client.begin(command)
        return []
    outcomes = await asyncio.gather(*map(client.command, commands))
    return [result for outcome in outcomes for result in outcome]


async def _differences(client: RemoteClient) -> list[str]:
    """Have the settings read anew and return a line for each connection that has another place in them."""
    before = (await client.snapshot()).position
    await client.command(Reload())
    after = (await client.snapshot()).position
    async with aclosing(client.events(before)) as events:
        async for event in events:
            if isinstance(event, Reloaded):
                kinds = ((event.added, "added"), (event.removed, "removed"), (event.changed, "changed"))
                lines = [f"{name}: {word}" for names, word in kinds for name in names]
                return lines or ["nothing has changed"]
            if isinstance(event, Event) and event.seq >= after.seq:
                break
    return ["read anew; what was different is no longer known"]
