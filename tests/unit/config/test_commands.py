"""`trunkline config show` and `migrate` as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from manager.config import load
from tui.cli import main

SETTINGS = """
[defaults]
max_attempts = 20

[connections.pbx1-ami]
type = "ami"
endpoints = ["ami://127.0.0.1:5038"]
username = "monitor"
password = "canary-1"

[connections.backend]
type = "websocket"
endpoints = ["wss://backend.example.com/call/centre?api_key=canary-2"]
headers = { Authorization = { env = "BACKEND_AUTH" }, X-Token = "canary-3" }
"""


def run(*arguments: str | Path) -> Result:
    done = CliRunner().invoke(main, ["config", *map(str, arguments)])
    assert "canary" not in done.output
    return done


@pytest.fixture
def config(write) -> Path:
    return write(SETTINGS)


def test_every_setting_is_shown_with_where_it_comes_from(config: Path) -> None:
    lines = run("show", "--config", config).output.splitlines()
    assert lines[0] == "pbx1-ami"
    rows = [line.split() for line in lines]
    assert ["max_attempts", "20", "config.toml:3", "[defaults]"] in rows
    assert ["username", "monitor", "config.toml:8"] in rows
    assert ["password", "***", "config.toml:9"] in rows
    assert ["base_delay", "1", "built-in"] in rows
    assert ["group", "-", "built-in"] in rows
    assert ["headers.Authorization", "***", "(env", "BACKEND_AUTH)", "config.toml:14"] in rows
    place = rows.index(["endpoints[0]", "wss://backend.example.com/call/centre?api_key=***"])
    assert rows[place + 1] == ["config.toml:13"]
    assert max(map(len, lines)) <= 80


def test_what_the_service_is_told_is_shown_with_its_tokens_masked(config: Path) -> None:
    assert "[service]" not in run("show", "--config", config).output
    config.write_text(
        f'{SETTINGS}\n[service]\nlisten = "[::1]:8443"\ncert_file = "/c.pem"\nkey_file = "/k.pem"\n'
        'read_token = "canary-4"\nact_token = { env = "ACT" }\n'
    )
    said = run("show", "--config", config).output.partition("[service]\n")[2]
    assert [line.split() for line in said.splitlines()] == [
        ["read_group", "-", "built-in"],
        ["act_group", "-", "built-in"],
        ["listen", "[::1]:8443", "config.toml:17"],
        ["cert_file", "/c.pem", "config.toml:18"],
        ["key_file", "/k.pem", "config.toml:19"],
        ["read_token", "***", "config.toml:20"],
        ["act_token", "***", "(env", "ACT)", "config.toml:21"],
    ]
    assert "[service]" not in run("show", "backend", "--config", config).output
    told = json.loads(run("show", "--json", "--config", config).output)
    assert {row["key"] for row in told if row["connection"] is None} == {
        line.split()[0] for line in said.splitlines()
    }


def test_the_file_is_checked_under_either_name(config: Path) -> None:
    said = CliRunner().invoke(main, ["check", "--config", str(config)]).output
    assert "2 connections, no mistakes" in said
    assert run("check", "--config", config).output == said
    config.write_text("[connections]\n")
    assert run("check", "--config", config).exit_code == 2


def test_one_connection_is_shown_alone_and_as_json(config: Path) -> None:
    told = json.loads(run("show", "backend", "--json", "--config", config).output)
    assert {row["connection"] for row in told} == {"backend"}
    assert {"connection", "section", "key", "value", "source"} == told[0].keys()
    done = run("show", "nobody", "--config", config)
    assert done.exit_code == 2
    assert "no connection is called 'nobody'" in done.output


def test_what_is_printed_of_old_settings_is_a_file_and_what_is_left_out_is_told(tmp_path: Path) -> None:
    old = tmp_path / "settings.js"
    old.write_text("module.exports = { baseDelay: 2000, retries: 3 };")
    done = run("migrate", old)
    assert done.exit_code == 0
    assert done.stderr == "trunkline: without a meaning here, and left out: retries\n"
    new = tmp_path / "config.toml"
    new.write_text(done.stdout)
    assert load(new).connections[0].policy.base_delay == 2


def test_old_settings_that_cannot_be_read_end_with_2_and_print_no_file(tmp_path: Path) -> None:
    old = tmp_path / "settings.js"
    old.write_text("{ baseDelay: 2 * SECOND }")
    done = run("migrate", old)
    assert done.exit_code == 2
    assert not done.stdout
    assert "line 1" in done.stderr
