"""Which service a command speaks to, and how."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from manager.errors import ManagerGoneError
from manager.places import default_path
from manager.service import inquiry
from manager.service.address import Address, NetworkAddress


def address_for(context: click.Context, path: Path | None, address: Address | None) -> Address:
    """Return the address of the service that is meant.

    Raises:
        ManagerGoneError: none was named, and no service of the settings listens.
        click.UsageError: several were named, or what is said of their tokens and authorities fits no one.
    """
    named = [address] if address is not None else [service.address for service in context.obj.services]
    if len(named) > 1:
        raise click.UsageError("only the dashboard attaches to several services at once")
    if named:
        return equipped(context, named)[0]
    config = path or context.obj.path or default_path()
    found = inquiry.find(config)
    if found is None:
        raise ManagerGoneError(
            f"no service of {config} runs",
            hint="start it: trunkline serve, or trunkline service install",
        )
    return found


def equipped(context: click.Context, addresses: Sequence[Address]) -> list[Address]:
    """Return addresses with the token file and the authority or fingerprint that were named for each.

    One that is named counts for all of them; else there is one for each service on another machine, in order.

    Raises:
        click.UsageError: there are neither one nor as many as such services, or both ways to trust one.
    """
    if context.meta.get("trunkline.ca") and context.meta.get("trunkline.fingerprint"):
        raise click.UsageError("--ca trusts an authority, --fingerprint one certificate: say one of the two")
    number = sum(isinstance(address, NetworkAddress) for address in addresses)
    trusts = zip(
        _for_each(context, "token_file", "--token-file", number),
        _for_each(context, "ca", "--ca", number),
        _for_each(context, "fingerprint", "--fingerprint", number),
        strict=True,
    )
    found: list[Address] = []
    for address in addresses:
        if isinstance(address, NetworkAddress):
            token_file, ca_file, fingerprint = next(trusts)
            found.append(
                address._replace(token_file=token_file, ca_file=ca_file, fingerprint=fingerprint or "")
            )
        else:
            found.append(address)
    return found


def _for_each(context: click.Context, name: str, option: str, number: int) -> Sequence[Any]:
    """Return what an option was given, for each of so many services; None for each where it was not."""
    given: tuple[Any, ...] = context.meta.get(f"trunkline.{name}", ())
    if not given:
        return [None] * number
    if len(given) == 1:
        return given * number
    if len(given) != number:
        raise click.UsageError(f"{option} once for all, or once for each wss:// address")
    return given
