"""What all commands share: exit codes, `--config` and `--attach`, and how an error is told."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from manager.errors import ManagerGoneError, TrunklineError
from manager.service.address import Address, Named, parse_address, parse_named
from tui.sanitise import clean

FAILED, BAD_SETTINGS, HELD, UNANSWERED = 1, 2, 3, 3
_NO_OTHERS: Mapping[type[TrunklineError], int] = {}

Command = TypeVar("Command", bound=Callable[..., Any])


def config_option(command: Command) -> Command:
    """Let a command be told which settings are meant (`path`)."""
    return click.option(
        "--config",
        "path",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Settings; by default trunkline/config.toml in the user's configuration folder.",
    )(command)


def attach_option(command: Command) -> Command:
    """Let a command be told which service is meant (`address`), and how to speak to it."""
    return _trust_options(_attach(command, "address", multiple=False))


def attach_options(command: Command) -> Command:
    """Let a command be told which services are meant (`services`), and how to speak to them."""
    return _trust_options(_attach(command, "services", multiple=True))


def _attach(command: Command, name: str, *, multiple: bool) -> Command:
    more = "; several times, perhaps as NAME=ADDRESS, for several at once" if multiple else ""
    return click.option(
        "--attach",
        name,
        multiple=multiple,
        callback=_parse_services if multiple else _parse_address,
        metavar="ADDRESS",
        help=f"Socket of the service, or wss://HOST:PORT{more}; by default that of the settings.",
    )(command)


def _parse_address(context: click.Context, param: click.Parameter, value: str | None) -> Address | None:
    try:
        return None if value is None else parse_address(value)
    except ValueError as error:
        raise click.BadParameter(str(error), context, param) from None


def _parse_services(context: click.Context, param: click.Parameter, value: tuple[str, ...]) -> list[Named]:
    try:
        return [parse_named(each) for each in value]
    except ValueError as error:
        raise click.BadParameter(str(error), context, param) from None


def _trust_options(command: Command) -> Command:
    """Add what a service on another machine needs; `tui.commands.attaching` finds it in the context."""
    kept: dict[str, Any] = {
        "type": click.Path(path_type=Path, dir_okay=False),
        "metavar": "FILE",
        "multiple": True,
        "expose_value": False,
        "callback": _keep,
    }
    for option, help_text in (
        ("--token-file", "Token for wss://; by default the variable TRUNKLINE_TOKEN."),
        ("--ca", "Whom to trust with wss://: an authority, or the certificate itself."),
    ):
        command = click.option(option, help=help_text, **kept)(command)
    return click.option(
        "--fingerprint",
        metavar="SHA256",
        multiple=True,
        expose_value=False,
        callback=_keep_fingerprints,
        help="Trust this certificate alone with wss://, whoever signed it.",
    )(command)


def _keep_fingerprints(context: click.Context, param: click.Parameter, value: tuple[str, ...]) -> None:
    if not value:
        return
    from manager.service.fingerprint import parse  # noqa: PLC0415 - not where none is said

    try:
        _keep(context, param, tuple(map(parse, value)))
    except ValueError as error:
        raise click.BadParameter(str(error), context, param) from None


def _keep(context: click.Context, param: click.Parameter, value: tuple[object, ...]) -> None:
    if value:
        context.meta[f"trunkline.{param.name}"] = value


@contextmanager
def told(code: int, others: Mapping[type[TrunklineError], int] = _NO_OTHERS) -> Iterator[None]:
    """Tell an error of ours in plain words on stderr and end with a code; 3 where no service answers.

    Args:
        code: of every error that is none of `others`.
        others: those that have a code of their own.
    """
    try:
        yield
    except TrunklineError as error:
        click.echo(printable(f"trunkline: {error}"), err=True)
        if error.hint:
            click.echo(printable(f"  {error.hint}"), err=True)
        sys.exit(UNANSWERED if isinstance(error, ManagerGoneError) else others.get(type(error), code))


def printable(text: str) -> str:
    """Return text of several lines with whatever a terminal would obey made visible."""
    return "\n".join(clean(line) for line in text.splitlines())
