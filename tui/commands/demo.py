"""`trunkline demo`: the dashboard on small servers of its own."""

from __future__ import annotations

import sys

import click

from tui.commands.dashboard import need_terminal
from tui.commands.logfile import log_to_file
from tui.commands.terms import BAD_SETTINGS, told


@click.command(short_help="Show the dashboard on servers that fail and recover.")
@click.option("--seed", type=int, metavar="N", help="Repeat the story of this number.")
@click.option("--theme", metavar="NAME", help="Theme of the dashboard.")
def demo(seed: int | None, theme: str | None) -> None:
    """Show the dashboard on small servers of its own that fail and recover."""
    need_terminal()
    from tui.demo import run_demo  # noqa: PLC0415 - the lab is not loaded for a terminal that cannot show it

    log_to_file()
    with told(BAD_SETTINGS):
        sys.exit(run_demo(seed, theme=theme))
