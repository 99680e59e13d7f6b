"""The manual and the completions that packages install say what the program says, and are in each of them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

from tests.static import COMPLETIONS, MANUAL, ROOT, texts
from tui.cli import main


@pytest.mark.parametrize("path", texts(), ids=lambda path: path.name)
def test_it_is_as_the_command_line_is_now(path: Path) -> None:
    assert path.read_text() == texts()[path], "write it anew: python -m tests.static"


@pytest.mark.parametrize("shell", COMPLETIONS)
def test_what_the_command_prints_is_what_packages_install(shell: str) -> None:
    done = CliRunner().invoke(main, ["completion", shell])
    assert done.exit_code == 0
    assert done.output == COMPLETIONS[shell].read_text()


if shutil.which("man"):

    def test_the_manual_renders_without_a_warning() -> None:
        done = subprocess.run(
            ["man", "--warnings=all", "-l", MANUAL],
            env={**os.environ, "MANWIDTH": "80", "MANPAGER": "cat", "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert not done.stderr
        assert "--hold SECONDS" in done.stdout


def test_packages_hold_the_manual_the_completions_and_the_unit_files() -> None:
    static = {str(path.relative_to(ROOT)) for path in (MANUAL, *COMPLETIONS.values())}
    units = {f"manager/service/units/{name}" for name in ("trunkline.service", "trunkline-user.service")}
    source = {each.distribution_path for each in SdistBuilder(str(ROOT)).recurse_included_files()}
    assert static | units | {"LICENSE", "README.md"} <= source
    wheel = WheelBuilder(str(ROOT))
    assert units <= {each.distribution_path for each in wheel.recurse_included_files()}
    assert {str(Path(path).relative_to(ROOT)) for path in wheel.config.shared_data} == static
