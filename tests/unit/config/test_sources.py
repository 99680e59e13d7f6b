"""Every setting that counts, and where it was written down."""

from __future__ import annotations

from pathlib import Path

import pytest

from manager.config import load
from manager.effective import SettingRow, rows_of
from manager.endpoint import parse_endpoint
from manager.engine.reload import difference
from manager.secret import Secret, SecretSource
from manager.settings import AmiSettings, Policy, WebSocketSettings

FILE = """\
[defaults]
policy = "gentle"
max_attempts = 7

[policies.office]
base = "gentle"
cooldown = 60

[connections.ami]
type = "ami"
endpoints = ["ami://pbx1", "ami://pbx2"]
username = "monitor"
password = { env = "PBX1_SECRET" }
heartbeat_timeout = 11

[connections.desk]
type = "sip"
policy = "office"
endpoints = ["sip:pbx1;transport=tcp"]
aor = "sip:6001@pbx1"
password = { file = "~/.secrets/6001" }
ca_file = "ca.pem"

[connections.feed]
type = "websocket"
endpoints = ["wss://feed/events?token=c4n4ry-in-address"]
headers = { Authorization = "c4n4ry-header", Accept = "text" }
query = { api_key = { command = ["pass", "c4n4ry-argument"] }, plain = "c4n4ry-query" }
on_connect = ["hello", { env = "GREETING" }]
proxy = "http://user:c4n4ry-proxy@proxy:3128"
"""


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, SettingRow]]:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "config.toml"
    path.write_text(FILE)
    path.chmod(0o600)
    return {settings.name: {row.key: row for row in rows_of(settings)} for settings in load(path).connections}


@pytest.mark.parametrize(
    ("connection", "key", "value", "source"),
    [
        ("ami", "type", "ami", "config.toml:10"),
        ("ami", "endpoints[1]", "pbx2:5038", "config.toml:11"),
        ("ami", "username", "monitor", "config.toml:12"),
        ("ami", "password", "*** (env PBX1_SECRET)", "config.toml:13"),
        ("ami", "heartbeat_timeout", "11", "config.toml:14"),
        ("ami", "policy", "gentle", "config.toml:2 [defaults]"),
        ("ami", "max_attempts", "7", "config.toml:3 [defaults]"),
        ("ami", "base_delay", "5", "preset gentle"),
        ("ami", "start_rate", "5", "preset gentle"),
        ("ami", "peek", "true", "built-in"),
        ("ami", "weight", "1", "built-in"),
        ("ami", "group", "", "built-in"),
        ("desk", "policy", "office", "config.toml:18"),
        ("desk", "cooldown", "60", "config.toml:7 [policies.office]"),
        ("desk", "base_delay", "5", "preset gentle"),
        ("desk", "username", "6001", "aor"),
        ("desk", "password", "*** (file ~/.secrets/6001)", "config.toml:21"),
        ("desk", "ca_file", "~/ca.pem", "config.toml:22"),
        ("desk", "strategy", "priority", "built-in"),
        ("feed", "endpoints[0]", "wss://feed/events?token=***", "config.toml:26"),
        ("feed", "headers.Authorization", "***", "config.toml:27"),
        ("feed", "headers.Accept", "text", "config.toml:27"),
        ("feed", "query.api_key", "*** (command pass)", "config.toml:28"),
        ("feed", "query.plain", "***", "config.toml:28"),
        ("feed", "on_connect[0]", "hello", "config.toml:29"),
        ("feed", "on_connect[1]", "*** (env GREETING)", "config.toml:29"),
        ("feed", "proxy", "***", "config.toml:30"),
        ("feed", "compression", "false", "built-in"),
    ],
)
def test_a_setting_says_what_it_is_and_where_it_comes_from(rows, connection, key, value, source):
    row = rows[connection][key]
    assert (row.value, row.source) == (value, source)


def test_no_secret_is_among_them(rows):
    assert "c4n4ry" not in repr(rows)


def test_a_policy_of_its_own_does_not_take_the_numbers_of_the_defaults(rows):
    assert rows["desk"]["max_attempts"].value != "7"
    assert "defaults" not in rows["desk"]["max_attempts"].source


def test_every_number_of_the_policy_is_told(rows):
    told = [row.key for row in rows["ami"].values() if row.section == "policy"]
    assert told == ["policy", *Policy.__struct_fields__]


def test_a_line_that_moved_is_no_change(tmp_path: Path):
    path = tmp_path / "config.toml"
    path.write_text(FILE)
    path.chmod(0o600)
    before = {settings.name: settings for settings in load(path).connections}
    path.write_text("\n\n" + FILE)
    after = load(path).connections
    found = difference(before, after)
    assert (found.added, found.removed, found.changed) == ((), (), ())
    assert rows_of(after[0]) != rows_of(before["ami"])


def test_settings_that_a_program_made_say_so():
    settings = AmiSettings(
        name="one",
        endpoints=(parse_endpoint("ami://pbx1"),),
        username="monitor",
        password=SecretSource(plain=Secret("c4n4ry")),
        policy=Policy(max_attempts=3),
    )
    rows = {row.key: (row.value, row.source) for row in rows_of(settings)}
    assert rows["password"] == ("***", "program")
    assert rows["max_attempts"] == ("3", "program")
    assert rows["max_delay"] == ("30", "built-in")
    assert rows["policy"] == ("default", "built-in")


def test_a_program_that_hands_secrets_in_as_text_sees_them_masked_too():
    settings = WebSocketSettings(
        name="one",
        endpoints=(parse_endpoint("ws://h/"),),
        headers={"X-Token": "c4n4ry"},
        query={"any": "c4n4ry"},
        proxy="http://user:c4n4ry@proxy:1",
    )
    assert "c4n4ry" not in repr(rows_of(settings))
    assert {row.key: row.value for row in rows_of(settings)}["proxy"] == "***@proxy:1"
