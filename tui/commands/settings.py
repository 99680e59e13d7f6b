"""`trunkline check`, `trunkline config` and `trunkline keys`: what is set, where, and what it means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import msgspec

from manager.config import clashes, example
from manager.config.migration import migrate
from manager.effective import SettingRow, rows_of, service_rows_of
from manager.places import default_path
from tui import keymap, preferences
from tui.commands.embedding import configured, named
from tui.commands.logfile import log_to_file
from tui.commands.naming import complete_names
from tui.commands.terms import BAD_SETTINGS, config_option, printable, told

_WIDTH = 80


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


config.add_command(check)


@config.command("path")
def config_path() -> None:
    """Print where the settings are looked for."""
    click.echo(default_path())


@config.command("example")
def config_example() -> None:
    """Print an annotated sample of everything that can be set."""
    click.echo(example(), nl=False)


@config.command("show", short_help="Print what is set, and where it comes from.")
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_names)
@click.option("--json", "as_json", is_flag=True, help="Print an array of objects, one a setting.")
@config_option
@click.pass_context
def config_show(context: click.Context, names: tuple[str, ...], as_json: bool, path: Path | None) -> None:
    """Print what counts for the named connections, and where each setting comes from.

    Without a name, for all of them and for the service. Secrets are shown as ***, with what they are read
    from.
    """
    configuration = configured(path or context.obj.path)
    with told(BAD_SETTINGS):
        found = [(each.name, rows_of(each)) for each in named(configuration.connections, names)]
    service = () if names else service_rows_of(configuration.access)
    if as_json:
        rows = [
            {"connection": name, **msgspec.structs.asdict(row)}
            for name, rows in (*found, *([(None, service)] if service else []))
            for row in rows
        ]
        click.echo(msgspec.json.encode(rows).decode())
        return
    blocks = [*found, *([("[service]", service)] if service else [])]
    for number, (name, settings) in enumerate(blocks):
        click.echo(printable("\n" * bool(number) + "\n".join(_shown(name, settings))))


@config.command("migrate")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def config_migrate(file: Path) -> None:
    """Print what a FILE of old settings is here, with a note a line.

    That is JSON or an object of JavaScript, with times in milliseconds: maxReconnectAttempts, baseDelay,
    maxDelay, healthCheckInterval, connectionTimeout, heartbeatInterval, unhealthyThreshold. Every other name
    is left out, and named.
    """
    with told(BAD_SETTINGS):
        migration = migrate(file)
    click.echo(migration.text, nl=False)
    if migration.unsupported:
        names = ", ".join(migration.unsupported)
        click.echo(printable(f"trunkline: without a meaning here, and left out: {names}"), err=True)


@click.command(short_help="List every key, and its name in dashboard.toml.")
def keys() -> None:
    """List every key, and the name by which dashboard.toml can give it another."""
    click.echo(f"# [keys] of {preferences.default_path()}; a key, or several in an array")
    for identity, default in keymap.defaults().items():
        click.echo(f'"{identity}" = {list(default)}'.replace("'", '"'))


def _shown(name: str, rows: Sequence[SettingRow]) -> Iterator[str]:
    """Yield a line for each setting, in three columns; where it gets too long, its source is in the next."""
    yield name
    keys = max(len(row.key) for row in rows)
    values = max((len(row.value) for row in rows if len(row.value) <= _WIDTH // 3), default=1)
    for row in rows:
        start = f"  {row.key:<{keys}}  {row.value or '-':<{values}}"
        if len(start) + len(row.source) + 2 <= _WIDTH:
            yield f"{start}  {row.source}"
        else:
            yield start.rstrip()
            yield f"{'':{keys + 4}}{row.source}"


def _check_preferences() -> None:
    path = preferences.default_path()
    with told(BAD_SETTINGS):
        preferences.load(path)
    if path.exists():
        click.echo(printable(f"{path}: no mistakes"))
