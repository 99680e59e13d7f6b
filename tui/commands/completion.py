"""`trunkline completion`: what has a shell complete commands, options and the names of connections."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

PROGRAM = "trunkline"
SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what has a shell complete commands and names.

    It belongs into ~/.local/share/bash-completion/completions/trunkline for bash, into _trunkline in a folder
    of $fpath for zsh, and into ~/.config/fish/completions/trunkline.fish for fish.
    """
    click.echo(script(context.find_root().command, shell), nl=False)


def script(program: click.Command, shell: str) -> str:
    """Return the script of a shell, which asks `program` itself at each completion."""
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - one of `SHELLS`
    asks = kind(program, {}, PROGRAM, f"_{PROGRAM.upper()}_COMPLETE")
    # Not its `source()`, which starts the shell to learn its version.
    return str(asks.source_template % asks.source_vars()).strip() + "\n"
