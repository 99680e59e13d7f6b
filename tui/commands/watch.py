"""`trunkline watch`: no screen, each event a line of JSON."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import click

from manager.lock import InstanceLock
from tui.commands.embedding import client_of, configured, starting
from tui.commands.terms import config_option
from tui.watch import watch as run


@click.command(short_help="Print each event as a line of JSON, without a screen.")
@config_option
@click.option(
    "--for", "seconds", type=click.FloatRange(min=0.0), metavar="SECONDS", help="Stop after this time."
)
@click.pass_context
def watch(context: click.Context, path: Path | None, seconds: float | None) -> None:
    """Run without a screen; print each event as one JSON object a line."""
    logging.basicConfig(
        level=logging.WARNING, format="trunkline: %(levelname)s: %(message)s", stream=sys.stderr
    )
    configuration = configured(path or context.obj.path)
    with starting(), InstanceLock(configuration.path):
        sys.exit(run(client_of(configuration), seconds))
