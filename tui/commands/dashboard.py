"""`trunkline`: the dashboard, on the service of the settings where one runs, else on a manager of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import click
import msgspec

from manager.client import ManagerClient
from manager.errors import TrunklineError
from manager.lock import InstanceLock
from manager.model import Status
from manager.places import default_path
from manager.service import inquiry
from manager.service.address import Address, Named, NetworkAddress
from tui import preferences
from tui.app import TrunklineApp
from tui.commands.logfile import log_to_file
from tui.commands.terms import BAD_SETTINGS, FAILED, told
from tui.preferences import Preferences
from tui.run import run_app, run_attached

Wishes = dict[str, str | bool]


def open_dashboard(path: Path | None, services: Sequence[Named], wishes: Wishes) -> NoReturn:
    """Show the dashboard until it is left, and end with its exit code."""
    log_to_file()
    if len(services) > 1:
        _several(services, wishes)
    named = bool(services)
    address = services[0].address if named else inquiry.find(path or default_path())
    if address is None:
        _own(path, wishes)
    need_terminal()
    with told(BAD_SETTINGS):
        service = inquiry.about(address)
    if service.get("may") == "read":
        wishes = wishes | {"read_only": True}
    title = Path(str(service.get("config", address))).stem if named else (path or default_path()).stem
    _attached(address, title, wishes)


def _own(path: Path | None, wishes: Wishes) -> NoReturn:
    from tui.commands.embedding import (  # noqa: PLC0415 - not where a service runs
        client_of,
        configured,
        starting,
    )

    configuration = configured(path)
    need_terminal()
    client = client_of(configuration)
    app, chosen = _app(client, configuration.path.stem, wishes, client.expected)
    with starting(), InstanceLock(configuration.path):
        sys.exit(run_app(app, client, mouse=chosen.mouse))


def _attached(address: Address, title: str, wishes: Wishes) -> NoReturn:
    from manager.service.remote import RemoteClient  # noqa: PLC0415 - only where a service runs

    app, chosen = _app(RemoteClient(address), title, wishes)
    sys.exit(run_attached(app, mouse=chosen.mouse))


def _several(services: Sequence[Named], wishes: Wishes) -> NoReturn:
    from manager.service.composite import CompositeClient  # noqa: PLC0415 - only for several services

    need_terminal()
    labelled = labels(services)
    client = CompositeClient(labelled)
    app, chosen = _app(client, " + ".join(labelled), wishes)
    sys.exit(run_app(app, client, mouse=chosen.mouse))


def labels(services: Sequence[Named]) -> dict[str, Address]:
    """Return each address by what its service is called: its label, its host, or the name of its settings."""
    found: dict[str, Address] = {}
    for service in services:
        wanted = service.label or _usual_label(service.address)
        number, label = 1, wanted
        while label in found:
            number += 1
            label = f"{wanted}-{number}"
        found[label] = service.address
    return found


def _usual_label(address: Address) -> str:
    if isinstance(address, NetworkAddress):
        return address.host
    with suppress(TrunklineError):
        return Path(str(inquiry.about(address).get("config", address))).stem
    return address.stem


def _app(
    client: ManagerClient, title: str, wishes: Wishes, expected: Iterable[Status] = ()
) -> tuple[TrunklineApp, Preferences]:
    with told(BAD_SETTINGS):
        chosen = msgspec.structs.replace(preferences.load(preferences.default_path()), **wishes)
        return TrunklineApp(client, title=title, preferences=chosen, expected=expected), chosen


def need_terminal() -> None:
    """Refuse a terminal that cannot be drawn on, before anything is drawn."""
    kind = os.environ.get("TERM", "")
    if not sys.stdout.isatty() or not sys.stdin.isatty():
        why = "stdin and stdout are not a terminal"
    elif kind in ("", "dumb", "unknown"):
        why = f"TERM is {kind or 'not set'}: this terminal cannot place characters"
    else:
        return
    click.echo(f"trunkline: {why}; `trunkline watch` prints events as lines instead", err=True)
    sys.exit(FAILED)
