"""What all commands share: exit codes, `--config` and `--attach`, and how an error is told."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from manager.errors import ManagerGoneError, TrunklineError
from tui.sanitise import clean

FAILED, BAD_SETTINGS, HELD, UNANSWERED = 1, 2, 3, 3

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
    """Let a command be told which service is meant (`address`)."""
    return click.option(
        "--attach",
        "address",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="ADDRESS",
        help="Socket of the service; by default that of the settings.",
    )(command)


@contextmanager
def told(code: int) -> Iterator[None]:
    """Tell an error of ours in plain words on stderr and end with its code; 3 where no service answers."""
    try:
        yield
    except TrunklineError as error:
        click.echo(printable(f"trunkline: {error}"), err=True)
        if error.hint:
            click.echo(printable(f"  {error.hint}"), err=True)
        sys.exit(UNANSWERED if isinstance(error, ManagerGoneError) else code)


def printable(text: str) -> str:
    """Return text of several lines with whatever a terminal would obey made visible."""
    return "\n".join(clean(line) for line in text.splitlines())
