"""Writes what the command line says of itself into the files that packages install: manual and completions.

`python -m tests.static` writes them; a test sees that they are as it would write them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from tui.cli import main
from tui.commands.completion import PROGRAM, script

ROOT = Path(__file__).parents[1]
MANUAL = ROOT / "man/trunkline.1"
COMPLETIONS = {
    "bash": ROOT / "completions/trunkline.bash",
    "zsh": ROOT / "completions/_trunkline",
    "fish": ROOT / "completions/trunkline.fish",
}


def texts() -> dict[Path, str]:
    """Return what each file should say; of the manual, what stands between its marks."""
    program, *commands = every_command()
    manual = _between(MANUAL.read_text(), "options", _options(program))
    leaves = [each for each in commands if not isinstance(each.command, click.Group)]
    manual = _between(manual, "commands", [line for each in leaves for line in _section(each)])
    return {MANUAL: manual} | {path: script(main, shell) for shell, path in COMPLETIONS.items()}


def _between(text: str, name: str, lines: list[str]) -> str:
    begin, end = f'.\\" begin {name}\n', f'.\\" end {name}\n'
    before, _, rest = text.partition(begin)
    return before + begin + "".join(f"{line}\n" for line in lines) + end + rest.partition(end)[2]


def every_command(context: click.Context | None = None) -> Iterator[click.Context]:
    """Yield the program and all its commands, those of a group behind it."""
    context = context or click.Context(main, info_name=PROGRAM)
    yield context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            assert command is not None
            yield from every_command(click.Context(command, info_name=name, parent=context))


def _section(context: click.Context) -> list[str]:
    command = context.command
    arguments = [each.make_metavar(context) for each in command.params if isinstance(each, click.Argument)]
    title = " ".join([context.command_path.removeprefix(f"{PROGRAM} "), *arguments])
    paragraphs = re.split(r"\n\s*\n", (command.help or "").strip())
    told = [_escaped(" ".join(paragraph.split())) for paragraph in paragraphs]
    return [f'.SS "{_escaped(title)}"', *"\n.PP\n".join(told).splitlines(), *_options(context)]


def _options(context: click.Context) -> list[str]:
    lines: list[str] = []
    for option in context.command.get_params(context):
        record = option.get_help_record(context) if isinstance(option, click.Option) else None
        if record is not None and "--help" not in option.opts:
            lines += [".TP", f".B {_escaped(record[0])}", _escaped(" ".join(record[1].split()))]
    return lines


def _escaped(text: str) -> str:
    """Return text as troff takes it literally."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    return f"\\&{text}" if text.startswith((".", "'")) else text


if __name__ == "__main__":
    for path, text in texts().items():
        path.write_text(text)
