from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import CANARY, command


def run(environment: dict[str, str], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), env=environment, capture_output=True, text=True, timeout=240, check=False
    )


async def test_check_says_what_the_settings_mean(environment, settings):
    done = run(environment, "check", "--config", settings)
    assert done.returncode == 0
    assert "lab-ami: ami at 127.0.0.1:" in done.stdout
    assert "3 connections, no mistakes" in done.stdout
    assert CANARY not in done.stdout + done.stderr


async def test_check_tells_every_mistake_at_once(environment, tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(
        '[defaults]\nmax_atempts = 3\n[connections.a]\ntype = "sipp"\n[connections.b]\ntype = "ami"\n'
    )
    done = run(environment, "check", "--config", path)
    assert done.returncode == 2
    assert not done.stdout
    for part in ("max_atempts", "max_attempts", "sipp", "endpoints", "username", "password"):
        assert part in done.stderr


async def test_settings_that_are_not_there_are_told_with_their_place(environment, home):
    done = run(environment, "watch")
    assert done.returncode == 2
    assert f"there are no settings at {home}" in done.stderr
    assert "trunkline config example >" in done.stderr
    assert "Traceback" not in done.stderr


async def test_plain_secrets_that_others_can_read_are_refused_with_the_command_to_run(environment, settings):
    settings.chmod(0o644)
    done = run(environment, "check", "--config", settings)
    assert done.returncode == 2
    assert f"chmod 600 {settings}" in done.stderr


async def test_the_sample_that_is_printed_is_valid_as_it_stands(environment, tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(run(environment, "config", "example").stdout)
    path.chmod(0o600)
    assert run(environment, "check", "--config", path).returncode == 0


def test_the_place_of_the_settings_is_told(environment, home):
    assert run(environment, "config", "path").stdout.strip() == str(home / ".config/trunkline/config.toml")


@pytest.mark.parametrize("arguments", [(), ("demo",)])
def test_without_a_terminal_the_dashboard_is_refused_with_a_word(environment, arguments, tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("")
    done = run(environment, *arguments, *([] if arguments else ["--config", path]))
    assert done.returncode != 0
    assert "\x1b" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_the_version_and_the_help_are_there(environment):
    assert run(environment, "--version").stdout.startswith("trunkline, version ")
    help_text = run(environment, "--help").stdout
    assert all(
        verb in help_text
        for verb in ("watch", "check", "demo", "serve", "status", "events", "wait", "service")
    )
    assert max(map(len, help_text.splitlines())) <= 80


def test_the_command_line_does_not_load_the_screen_for_what_needs_none(environment):
    code = (
        "import sys, tui.commands.watch, tui.commands.wait, manager.manager, manager.config;"
        "sys.exit(any(name in sys.modules for name in ('textual', 'rich')))"
    )
    command_line = [command()[0], "-c", code]
    assert subprocess.run(command_line, env=environment, timeout=240, check=False).returncode == 0
