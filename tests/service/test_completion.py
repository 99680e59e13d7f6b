"""A shell completes commands, options, and the names of connections."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import BashComplete

from manager.embedded import EmbeddedClient
from manager.places import sockets_to_ask
from tests.service.conftest import serving
from tests.static import COMPLETIONS, ROOT
from tui.cli import main

SETTINGS = "".join(
    f'[connections."{name}"]\ntype = "ami"\nendpoints = ["ami://127.0.0.1"]\nusername = "m"\n'
    'password = { env = "S" }\n'
    for name in ("desk-1", "desk-2", "with space", "pbx")
)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(SETTINGS)
    return path


def completed(words: list[str], incomplete: str = "") -> list[str]:
    completion = BashComplete(main, {}, "trunkline", "_TRUNKLINE_COMPLETE")
    return [each.value for each in completion.get_completions(words, incomplete)]


def test_names_are_completed_from_the_settings(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(config.parent))
    assert completed(["doctor", "--config", str(config)]) == ["desk-1", "desk-2", "pbx"]
    assert completed(["--config", str(config), "pause"], "desk") == ["desk-1", "desk-2"]
    assert completed(["wait", "--config", str(config), "desk-1"], "desk") == ["desk-2"]
    assert completed(["config", "show", "--config", str(config)], "p") == ["pbx"]


async def test_names_are_completed_from_the_service_where_one_runs(
    config: Path, folder: Path, manager: EmbeddedClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    (where := sockets_to_ask(config)[0]).parent.mkdir()
    async with serving(manager, where):
        assert await asyncio.to_thread(completed, ["reconnect", "--config", str(config)]) == ["one", "two"]
        assert await asyncio.to_thread(completed, ["reconnect", "--attach", str(where)]) == ["one", "two"]


@pytest.mark.parametrize("text", ["[connections", "", None])
def test_where_nothing_can_be_found_out_nothing_is_offered(
    tmp_path: Path, text: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    if text is not None:
        (tmp_path / "config.toml").write_text(text)
    assert completed(["doctor", "--config", str(tmp_path / "config.toml")]) == []
    assert completed(["doctor", "--attach", str(tmp_path / "nobody.sock")]) == []


def test_commands_and_options_are_completed() -> None:
    assert "doctor" in completed([], "do")
    assert completed(["doctor"], "--no") == ["--no-login"]
    assert completed(["completion"]) == ["bash", "zsh", "fish"]


def test_bash_completes_with_the_script(config: Path, tmp_path: Path) -> None:
    (tmp_path / "trunkline").write_text(f'#!/bin/sh\nexec {sys.executable} -m tui "$@"\n')
    (tmp_path / "trunkline").chmod(0o755)
    program = (
        f"source {COMPLETIONS['bash']}; COMP_WORDS=(trunkline doctor --config {config} desk); COMP_CWORD=4;"
        '_trunkline_completion trunkline; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", program],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "XDG_RUNTIME_DIR": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "desk-1 desk-2\n"
    assert not done.stderr
