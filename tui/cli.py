"""The command line: which commands there are. Each lives in `tui.commands` and is imported when asked for.

Exit codes: 0 all went well; 1 it ended by itself, something did not work, or a terminal is missing; 2 the
command line or the settings are wrong; 3 another trunkline holds this configuration, or no service answers.
`status --exit-code` has those of a monitoring plugin.
"""

from __future__ import annotations

import gc
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click

from manager.service.address import Named
from tui.commands.terms import attach_options, config_option

_HOMES = {
    "watch": "watch",
    "serve": "serve",
    "service": "service",
    "status": "status",
    "events": "events",
    "reconnect": "orders",
    "refresh": "orders",
    "pause": "orders",
    "resume": "orders",
    "reload": "orders",
    "wait": "wait",
    "doctor": "doctor",
    "check": "settings",
    "config": "settings",
    "keys": "settings",
    "completion": "completion",
    "demo": "demo",
}
"""Module of each command."""


class Where(NamedTuple):
    """What was said before the command: the settings, and the addresses of services."""

    path: Path | None
    services: Sequence[Named]


class _Commands(click.Group):
    """Imports a command when it is asked for: a probe must not wait for the screen to load."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - as click calls it
        return list(_HOMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _HOMES:
            return None
        found = getattr(importlib.import_module(f"tui.commands.{_HOMES[cmd_name]}"), cmd_name)
        return found if isinstance(found, click.Command) else None


@click.group(
    cls=_Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@config_option
@attach_options
@click.option("--theme", metavar="NAME", help="Theme of the dashboard.")
@click.option("--ascii", is_flag=True, default=None, help="Draw with ASCII characters only.")
@click.option(
    "--mouse", is_flag=True, default=None, help="Take the mouse (and the terminal's own selection)."
)
@click.option("--read-only", is_flag=True, default=None, help="Look, and touch nothing.")
@click.option("--privacy", is_flag=True, default=None, help="Hide names and addresses.")
@click.option("--slow", is_flag=True, default=None, help="Draw half as often, for a slow line.")
@click.version_option(package_name="trunkline", prog_name="trunkline")
@click.pass_context
def main(
    context: click.Context, /, path: Path | None, services: Sequence[Named], **wishes: str | bool | None
) -> None:
    """Keep SIP registrations, WebSockets and Asterisk AMI logins up, and show them.

    Without a command, opens the dashboard: on the service of the settings where one runs, which goes on when
    you leave, else on the connections themselves; with --attach on those that are named, which may be
    several. What is wished for here goes before what stands in dashboard.toml, beside the settings.
    """
    context.obj = Where(path, services)
    if context.invoked_subcommand is None:
        # What is loaded from here to the first frame stays: nobody is to wait while garbage is sought in it.
        gc.disable()
        from tui.commands.attaching import equipped  # noqa: PLC0415 - where a command attaches, it imports this
        from tui.commands.dashboard import open_dashboard  # noqa: PLC0415 - no command but this has a screen

        addresses = equipped(context, [service.address for service in services])
        labelled = [service._replace(address=each) for service, each in zip(services, addresses, strict=True)]
        open_dashboard(path, labelled, {name: wish for name, wish in wishes.items() if wish is not None})
