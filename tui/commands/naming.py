"""The names of connections, for the shell to complete: those of the running service, else of the settings."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import click

from manager.errors import TrunklineError
from manager.places import default_path
from manager.service import inquiry
from manager.service.address import Address
from tui.commands.attaching import equipped


def complete_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the names that begin so and are not said yet; none where nothing can be found out.

    A name with a space is left out: shells would take it for two.
    """
    said = context.params.get(parameter.name or "") or ()
    return [
        name
        for name in _known(context)
        if name.startswith(incomplete) and name not in said and name.isprintable() and " " not in name
    ]


def _known(context: click.Context) -> list[str]:
    path = _said(context, "path") or default_path()
    with suppress(TrunklineError, click.UsageError):
        address = _address(context) or inquiry.find(path)
        if address is not None:
            return [str(each["name"]) for each in inquiry.ask(address)["snapshot"]["statuses"]]
        from manager.config import load  # noqa: PLC0415 - a service that runs knows it faster

        return [each.name for each in load(path).connections]
    return []


def _address(context: click.Context) -> Address | None:
    named = _said(context, "address") or next(
        (each.address for each in _said(context, "services") or ()), None
    )
    return None if named is None else equipped(context, [named])[0]


def _said(context: click.Context, name: str) -> Any:
    """Return an option of the command, or of the program before it; None where nothing was said."""
    while True:
        value = context.params.get(name)
        if value is not None or context.parent is None:
            return value
        context = context.parent
