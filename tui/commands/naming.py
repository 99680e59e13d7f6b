"""The names of connections, for the shell to complete: those of the running service, else of the settings."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from manager.errors import TrunklineError
from manager.places import default_path
from manager.service import inquiry


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
    path, address = _said(context, "path"), _said(context, "address")
    path = path or default_path()
    with suppress(TrunklineError):
        address = address or inquiry.find(path)
        if address is not None:
            return [str(each["name"]) for each in inquiry.ask(address)["snapshot"]["statuses"]]
        from manager.config import load  # noqa: PLC0415 - a service that runs knows it faster

        return [each.name for each in load(path).connections]
    return []


def _said(context: click.Context, name: str) -> Path | None:
    """Return an option of the command, or of the program before it."""
    while True:
        value: Any = context.params.get(name)
        if value is not None or context.parent is None:
            return value if isinstance(value, Path) else None
        context = context.parent
