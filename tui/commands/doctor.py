"""`trunkline doctor`: why a connection is not up, step by step, and what to do about it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click
import msgspec

from manager.config import Configuration
from manager.doctor import Diagnosis, Report, examine_all, findings, whole
from manager.errors import ManagerGoneError
from manager.history import History
from manager.lock import AlreadyRunningError, InstanceLock
from manager.model import Snapshot, Status
from manager.places import default_path, sockets_to_ask
from manager.service import inquiry
from manager.service.address import Address
from manager.settings import ConnectionSettings
from manager.store import Store
from tui.commands.attaching import address_for
from tui.commands.embedding import configured, named, state_of
from tui.commands.logfile import log_to_file
from tui.commands.naming import complete_names
from tui.commands.terms import BAD_SETTINGS, attach_option, config_option, told
from tui.diagnosis import exit_code, text_of

HOLD = 3.0
"""Seconds for which a session is held: programs that share a login come back within a few."""


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_names)
@click.option("--json", "as_json", is_flag=True, help="Print what was found as one JSON object.")
@click.option("--verbose", "-v", is_flag=True, help="Tell every step of what is well too.")
@click.option("--no-login", is_flag=True, help="Look only: send no credentials to anybody.")
@click.option(
    "--hold",
    type=click.FloatRange(min=0.0, max=3600.0),
    default=HOLD,
    show_default=True,
    metavar="SECONDS",
    help="Hold each session so long, to see whether it stays.",
)
@config_option
@attach_option
@click.pass_context
def doctor(
    context: click.Context,
    /,
    *,
    names: tuple[str, ...],
    as_json: bool,
    verbose: bool,
    no_login: bool,
    hold: float,
    path: Path | None,
    address: Address | None,
) -> None:
    """Find out why connections are not up, and what to do about it.

    Goes each step to every endpoint of the named connections, or of all: name, route, TCP, TLS, handshake,
    login, heartbeat and check. Where a service keeps them up, that is asked instead of logging in a second
    time. Exit code 1 where something is wrong, 3 where another trunkline holds the settings and cannot be
    asked.
    """
    log_to_file()
    with told(BAD_SETTINGS):
        service = _service(context, path, address)
        path = path or context.obj.path or default_path()
        closed = _closed_to_us(path)
        if service is not None and service != closed:
            own = service in sockets_to_ask(path)
            report = asyncio.run(_asked(service, configured(path) if own else None, names))
        elif closed is not None:
            connections = named(configured(path).connections, names)
            holder = f"a service whose socket is closed to us ({closed})"
            report = asyncio.run(_looked(path, connections, holder))
        else:
            report = asyncio.run(_examined(configured(path), names, log_in=not no_login, hold=hold))
    if as_json:
        click.echo(msgspec.json.encode(report).decode())
    else:
        click.echo(text_of(report, verbose=verbose))
    sys.exit(exit_code(report))


def _service(context: click.Context, path: Path | None, address: Address | None) -> Address | None:
    """Return the address of the service that is meant or that runs; None where none does."""
    with suppress(ManagerGoneError):
        return address_for(context, path, address)
    return None


def _closed_to_us(path: Path) -> Path | None:
    """Return a socket on which another user's service may listen; None where there is none."""
    for address in sockets_to_ask(path):
        try:
            address.stat()
            if not os.access(address, os.W_OK):
                return address
        except PermissionError:
            return address
        except OSError:
            continue
    return None


async def _examined(
    configuration: Configuration, names: Sequence[str], *, log_in: bool, hold: float
) -> Report:
    """Log in to each connection once; where another trunkline has done so, only look."""
    connections, path = named(configuration.connections, names), configuration.path
    if not log_in:
        return await _looked(path, connections, "")
    try:
        with InstanceLock(path):
            found = await examine_all(connections, Store(state_of(path)), hold=hold)
    except AlreadyRunningError as error:
        return await _looked(path, connections, error.user)
    return Report(config=str(path), logged_in=True, connections=found)


async def _looked(path: Path, connections: Sequence[ConnectionSettings], holder: str) -> Report:
    found = await examine_all(connections, Store(), log_in=False)
    return Report(config=str(path), held_by=holder, logged_in=False, connections=found)


async def _asked(address: Address, configuration: Configuration | None, names: Sequence[str]) -> Report:
    """Have the service say how things stand, and look without a login at what is not up."""
    answer = inquiry.ask(address)
    snapshot = msgspec.convert(answer["snapshot"], Snapshot)
    statuses = named(snapshot.statuses, names)
    histories = await _histories(address, statuses)
    known = {each.name: each for each in (configuration.connections if configuration else ())}
    away = [known[each.name] for each in statuses if not each.phase.connected and each.name in known]
    looks = {each.name: each for each in await examine_all(away, Store(), log_in=False)}
    return Report(
        config=str(configuration.path if configuration else answer["service"].get("config", address)),
        asked=f"the service with pid {answer['service'].get('pid')}",
        logged_in=False,
        connections=tuple(
            Diagnosis(
                name=status.name,
                type=status.type,
                phase=status.phase,
                score=status.score,
                examinations=looks[status.name].examinations if status.name in looks else (),
                findings=findings(status, histories.get(status.name), snapshot.budgets, snapshot.time),
            )
            for status in statuses
        ),
        health=snapshot.health,
        band=snapshot.band,
        shares=whole(snapshot),
    )


async def _histories(address: Address, statuses: Sequence[Status]) -> dict[str, History]:
    from manager.service.remote import RemoteClient  # noqa: PLC0415 - only where there is something to ask

    client, found = RemoteClient(address), {}
    for status in statuses:
        if status.drops or not status.phase.connected:
            found[status.name] = await client.history(status.name)
    return found
