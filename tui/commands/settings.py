"""`trunkline check`, `trunkline config` and `trunkline keys`: what is set, where, and what it means."""

from __future__ import annotations

from pathlib import Path

import click

from manager.config import clashes, example
from manager.places import default_path
from tui import keymap, preferences
from tui.commands.embedding import configured
from tui.commands.logfile import log_to_file
from tui.commands.terms import BAD_SETTINGS, config_option, printable, told


@click.command()
@config_option
@click.pass_context
def check(context: click.Context, path: Path | None) -> None:
    """Check the settings and say what they mean."""
    log_to_file()
    for clash in clashes():
        click.echo(printable(f"trunkline: {clash}"), err=True)
    configuration = configured(path or context.obj.path)
    for connection in configuration.connections:
        places = ", ".join(endpoint.label for endpoint in connection.endpoints)
        click.echo(
            printable(f"{connection.name}: {connection.type} at {places}, policy {connection.policy_name}")
        )
    _check_preferences()
    count = len(configuration.connections)
    noun = "connection" if count == 1 else "connections"
    click.echo(printable(f"{configuration.path}: {count} {noun}, no mistakes"))


@click.group()
def config() -> None:
    """Where the settings are, and what they look like."""


@config.command("path")
def config_path() -> None:
    """Print where the settings are looked for."""
    click.echo(default_path())


@config.command("example")
def config_example() -> None:
    """Print an annotated sample of everything that can be set."""
    click.echo(example(), nl=False)


@click.command()
def keys() -> None:
    """List every key, and the name by which dashboard.toml can give it another."""
    click.echo(f"# [keys] of {preferences.default_path()}; a key, or several in an array")
    for identity, default in keymap.defaults().items():
        click.echo(f'"{identity}" = {list(default)}'.replace("'", '"'))


def _check_preferences() -> None:
    path = preferences.default_path()
    with told(BAD_SETTINGS):
        preferences.load(path)
    if path.exists():
        click.echo(printable(f"{path}: no mistakes"))
