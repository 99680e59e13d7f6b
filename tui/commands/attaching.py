"""Which service a command speaks to."""

from __future__ import annotations

from pathlib import Path

import click

from manager.errors import ManagerGoneError
from manager.places import default_path
from manager.service import inquiry


def address_for(context: click.Context, path: Path | None, address: Path | None) -> Path:
    """Return the socket of the service that is meant.

    Raises:
        ManagerGoneError: none was named, and no service of the settings listens.
    """
    address = address or context.obj.address
    if address is not None:
        return address
    config = path or context.obj.path or default_path()
    found = inquiry.find(config)
    if found is None:
        raise ManagerGoneError(
            f"no service of {config} runs",
            hint="start it: trunkline serve, or trunkline service install",
        )
    return found
