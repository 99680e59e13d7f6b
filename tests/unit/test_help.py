"""What `--help` says of each command, as a terminal of 80 columns shows it."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tests.static import every_command
from tui.cli import main

README = (Path(__file__).parents[2] / "README.md").read_text()
COMMANDS = [each.command_path for each in every_command()]


@pytest.mark.parametrize("path", COMMANDS)
def test_it_fits_and_is_cut_nowhere(path: str) -> None:
    done = CliRunner().invoke(main, [*path.split()[1:], "--help"], terminal_width=80)
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert max(map(len, lines)) <= 80
    assert not any(line.endswith("...") for line in lines[1:])


@pytest.mark.parametrize("path", [path for path in COMMANDS if len(path.split()) == 2])
def test_the_readme_has_each_command(path: str) -> None:
    assert f"`{path}" in README or f"`{path.split()[1]}`" in README


def test_every_option_is_explained() -> None:
    for context in every_command():
        for option in context.command.params:
            assert not isinstance(option, click.Option) or option.help
