"""`trunkline serve`: the manager as a service that others attach to."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from pathlib import Path

import click

from manager.access import Access
from manager.config import load
from manager.errors import TrunklineError
from manager.places import socket_to_serve
from manager.service.logs import write_logs
from manager.service.run import Service
from manager.service.tokens import Tokens, read_tokens
from tui.commands.embedding import client_of, configured, starting
from tui.commands.terms import BAD_SETTINGS, config_option, told


@click.command(short_help="Run as a service that dashboards and scripts attach to.")
@config_option
@click.option(
    "--socket",
    "address",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="ADDRESS",
    help="Where to listen; by default in the user's runtime folder.",
)
@click.option(
    "--log-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the log there, 4 MiB and four older files, instead of to stderr.",
)
@click.option("--log-json", is_flag=True, help="Write each line of the log as a JSON object.")
@click.pass_context
def serve(
    context: click.Context, path: Path | None, address: Path | None, log_file: Path | None, log_json: bool
) -> None:
    """Run as a service: keep connections up, and let dashboards and scripts attach.

    SIGHUP reads the settings anew; SIGTERM and SIGINT close every connection and end.
    """
    configuration = configured(path or context.obj.path)
    with told(BAD_SETTINGS):
        try:
            write_logs(log_file, as_json=log_json)
        except OSError as error:
            raise TrunklineError(f"cannot write the log {log_file}: {error.strerror}") from None
        network = configuration.access.network
        tokens = Tokens() if network is None else asyncio.run(read_tokens(network))
    where = address or socket_to_serve(configuration.path)
    with starting():
        service = Service(
            client_of(configuration),
            config=configuration.path,
            address=where,
            access=configuration.access,
            tokens=tokens,
            read_access=partial(_access, configuration.path),
        )
        sys.exit(service.run())


def _access(path: Path) -> Access:
    return load(path).access
