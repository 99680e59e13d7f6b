"""The command line: `trunkline`, `trunkline watch`, `trunkline check`, `trunkline demo`.

Exit codes: 0 all went well; 1 the manager ended by itself, or a terminal is missing; 2 the command line or
the settings are wrong; 3 another trunkline holds this configuration.
"""

from __future__ import annotations

import logging
import logging.handlers
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click
import msgspec
import platformdirs

from manager.embedded import EmbeddedClient
from manager.errors import TrunklineError
from manager.lock import InstanceLock
from manager.places import key_of
from manager.settings import ConnectionSettings
from tui.sanitise import clean

if TYPE_CHECKING:
    from manager.config import Configuration

FAILED, BAD_SETTINGS, HELD = 1, 2, 3

_config_option = click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Settings; by default trunkline/config.toml in the user's configuration folder.",
)


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@_config_option
@click.option("--theme", metavar="NAME", help="Theme of the dashboard.")
@click.option("--ascii", is_flag=True, default=None, help="Draw with ASCII characters only.")
@click.option(
    "--mouse", is_flag=True, default=None, help="Take the mouse (and the terminal's own selection)."
)
@click.option("--read-only", is_flag=True, default=None, help="Look, and touch nothing.")
@click.option("--privacy", is_flag=True, default=None, help="Hide names and addresses.")
@click.option("--slow", is_flag=True, default=None, help="Draw half as often, for a slow line.")
@click.version_option(version("trunkline"), prog_name="trunkline")
@click.pass_context
def main(context: click.Context, /, path: Path | None, **wishes: str | bool | None) -> None:
    """Keep SIP registrations, WebSockets and Asterisk AMI logins up, and show them.

    Without a command, opens the dashboard on the connections of the settings. What is wished for here goes
    before what stands in dashboard.toml, beside the settings.
    """
    context.obj = path
    if context.invoked_subcommand is None:
        _log_to_file()
        _dashboard(_load(path), {name: wish for name, wish in wishes.items() if wish is not None})


@main.command()
@_config_option
@click.option(
    "--for", "seconds", type=click.FloatRange(min=0.0), metavar="SECONDS", help="Stop after this time."
)
@click.pass_context
def watch(context: click.Context, path: Path | None, seconds: float | None) -> None:
    """Run without a screen; print each event as one JSON object a line."""
    from tui.watch import watch as run  # noqa: PLC0415 - a command imports only what it needs

    logging.basicConfig(
        level=logging.WARNING, format="trunkline: %(levelname)s: %(message)s", stream=sys.stderr
    )
    configuration = _load(path or context.obj)
    with _told(HELD), InstanceLock(configuration.path):
        sys.exit(run(_client(configuration), seconds))


@main.command()
@_config_option
@click.pass_context
def check(context: click.Context, path: Path | None) -> None:
    """Check the settings and say what they mean."""
    from manager.config import clashes  # noqa: PLC0415 - a command imports only what it needs

    _log_to_file()
    for clash in clashes():
        click.echo(_printable(f"trunkline: {clash}"), err=True)
    configuration = _load(path or context.obj)
    for connection in configuration.connections:
        places = ", ".join(endpoint.label for endpoint in connection.endpoints)
        click.echo(
            _printable(f"{connection.name}: {connection.type} at {places}, policy {connection.policy_name}")
        )
    _check_preferences()
    count = len(configuration.connections)
    noun = "connection" if count == 1 else "connections"
    click.echo(_printable(f"{configuration.path}: {count} {noun}, no mistakes"))


@main.command()
def keys() -> None:
    """List every key, and the name by which dashboard.toml can give it another."""
    from tui import keymap, preferences  # noqa: PLC0415 - a command imports only what it needs

    click.echo(f"# [keys] of {preferences.default_path()}; a key, or several in an array")
    for identity, default in keymap.defaults().items():
        click.echo(f'"{identity}" = {list(default)}'.replace("'", '"'))


@main.group()
def config() -> None:
    """Where the settings are, and what they look like."""


@config.command("path")
def config_path() -> None:
    """Print where the settings are looked for."""
    from manager.config import default_path  # noqa: PLC0415 - a command imports only what it needs

    click.echo(default_path())


@config.command("example")
def config_example() -> None:
    """Print an annotated sample of everything that can be set."""
    from manager.config import example  # noqa: PLC0415 - a command imports only what it needs

    click.echo(example(), nl=False)


@main.command()
@click.option("--seed", type=int, metavar="N", help="Repeat the story of this number.")
@click.option("--theme", metavar="NAME", help="Theme of the dashboard.")
def demo(seed: int | None, theme: str | None) -> None:
    """Show the dashboard on small servers of its own that fail and recover."""
    _need_terminal()
    from tui.demo import run_demo  # noqa: PLC0415 - a command imports only what it needs

    _log_to_file()
    with _told(BAD_SETTINGS):
        sys.exit(run_demo(seed, theme=theme))


def _dashboard(configuration: Configuration, wishes: dict[str, str | bool]) -> NoReturn:
    _need_terminal()
    from tui import preferences  # noqa: PLC0415 - a command imports only what it needs
    from tui.app import TrunklineApp  # noqa: PLC0415
    from tui.run import run_app  # noqa: PLC0415

    client = _client(configuration)
    with _told(BAD_SETTINGS):
        chosen = msgspec.structs.replace(preferences.load(preferences.default_path()), **wishes)
        app = TrunklineApp(client, title=configuration.path.stem, preferences=chosen)
    with _told(HELD), InstanceLock(configuration.path):
        sys.exit(run_app(app, client, mouse=chosen.mouse))


def _check_preferences() -> None:
    from tui import preferences  # noqa: PLC0415 - a command imports only what it needs

    path = preferences.default_path()
    with _told(BAD_SETTINGS):
        preferences.load(path)
    if path.exists():
        click.echo(_printable(f"{path}: no mistakes"))


def _load(path: Path | None) -> Configuration:
    from manager.config import default_path, load  # noqa: PLC0415

    path = path or default_path()
    with _told(BAD_SETTINGS):
        if not path.exists():
            folder, file = shlex.quote(str(path.parent)), shlex.quote(str(path))
            hint = f"begin with: mkdir -p {folder} && trunkline config example > {file}"
            raise TrunklineError(f"there are no settings at {path}", hint)
        return load(path)


def _client(configuration: Configuration) -> EmbeddedClient:
    state = platformdirs.user_state_path("trunkline") / f"{key_of(configuration.path)}.json"
    return EmbeddedClient(
        configuration.connections, store=state, load=partial(_connections, configuration.path)
    )


def _connections(path: Path) -> tuple[ConnectionSettings, ...]:
    from manager.config import load  # noqa: PLC0415

    return load(path).connections


@contextmanager
def _told(code: int) -> Iterator[None]:
    """Tell an error of ours in plain words on stderr and end with its exit code."""
    try:
        yield
    except TrunklineError as error:
        click.echo(_printable(f"trunkline: {error}"), err=True)
        if error.hint:
            click.echo(_printable(f"  {error.hint}"), err=True)
        sys.exit(code)


def _need_terminal() -> None:
    """Refuse a terminal that cannot be drawn on, before anything is drawn."""
    kind = os.environ.get("TERM", "")
    if not sys.stdout.isatty() or not sys.stdin.isatty():
        why = "stdin and stdout are not a terminal"
    elif kind in ("", "dumb", "unknown"):
        why = f"TERM is {kind or 'not set'}: this terminal cannot place characters"
    else:
        return
    click.echo(f"trunkline: {why}; `trunkline watch` prints events as lines instead", err=True)
    sys.exit(FAILED)


def _log_to_file() -> None:
    """Keep warnings and tracebacks where they do not disturb the screen: 1 MiB, and the one before."""
    folder = platformdirs.user_log_path("trunkline")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        logging.disable()
        return
    logging.basicConfig(
        level=logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        handlers=[
            logging.handlers.RotatingFileHandler(
                folder / "trunkline.log", maxBytes=2**20, backupCount=1, delay=True
            )
        ],
    )


def _printable(text: str) -> str:
    return "\n".join(clean(line) for line in text.splitlines())
