"""What `trunkline status` makes of a snapshot."""

from __future__ import annotations

import time

import pytest
from click.testing import CliRunner

from tui.cli import main
from tui.commands.status import CRITICAL, OK, UNKNOWN, WARNING, age, summary, table, verdict


def connection(phase: str = "up", **fields) -> dict:
    return {"name": "pbx1", "type": "ami", "group": "pbx1", "phase": phase, "since": 0.0} | fields


def snapshot(*statuses: dict, **fields) -> dict:
    return {"statuses": list(statuses), "health": 50, "mutes": []} | fields


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        ([], UNKNOWN),
        ([connection()], OK),
        ([connection("suspect")], WARNING),
        ([connection("connecting", down_since=None)], WARNING),
        ([connection("connecting", down_since=5.0)], CRITICAL),
        ([connection(), connection("waiting")], CRITICAL),
        ([connection("parked")], CRITICAL),
        ([connection("blocked")], CRITICAL),
        ([connection("paused")], OK),
        ([connection("stopped"), connection("suspect")], WARNING),
        ([connection("waiting", acknowledged=3.0)], OK),
        ([connection("waiting", acknowledged=None)], CRITICAL),
    ],
)
def test_a_probe_hears_of_the_worst_connection_that_nobody_knows_of(statuses, code):
    assert verdict(snapshot(*statuses)) == code


def test_a_muted_group_alarms_nobody():
    waiting = connection("waiting", group="office")
    assert verdict(snapshot(waiting, mutes=[{"group": "office"}])) == OK
    assert verdict(snapshot(waiting, mutes=[{"group": "cellar"}])) == CRITICAL


def test_a_line_counts_all_phases_and_names_the_verdict():
    told = snapshot(connection(), connection("suspect"), connection("waiting"), connection("paused"))
    assert summary(told) == "critical: 2 of 3 up, 1 suspect, 1 waiting, 1 paused; health 50 %"
    assert summary(snapshot()) == "unknown: no connection is configured"
    assert summary(snapshot(connection("paused"), health=None)).endswith("health unknown")


def test_the_reason_stands_where_something_is_wrong_and_nothing_there_reaches_the_terminal():
    failure = {"reason": "connection \x1b]0;x\x07refused"}
    *_, line = table(snapshot(connection("waiting", failure=failure, endpoint="pbx1:5038")), now=90.0)
    assert line.split()[:5] == ["pbx1", "ami", "waiting", "1m", "pbx1:5038"]
    assert line.endswith("connection ␛]0;x␇refused")
    *_, line = table(snapshot(connection("up", failure=failure)), now=90.0)
    assert "refused" not in line


def test_beside_the_reason_stands_when_it_is_tried_again():
    at = time.mktime((2026, 11, 27, 2, 14, 36, 0, 0, -1))
    failure = {"reason": "connection refused"}
    *_, line = table(snapshot(connection("waiting", failure=failure, next_attempt=at)), now=90.0)
    assert line.endswith("connection refused, next try 02:14:36")
    *_, line = table(snapshot(connection("blocked", failure=failure, next_attempt=None)), now=90.0)
    assert line.endswith("connection refused")


def test_a_probe_that_is_not_let_in_or_not_answered_ends_with_3_and_a_line_on_stdout(tmp_path):
    key, token = tmp_path / "key", tmp_path / "token"
    for path in (key, token):
        path.write_text("nothing\n")
    nobody = ["--attach", str(tmp_path / "s.sock")]
    stranger = ["--attach", "wss://127.0.0.1:1", "--ca", str(key), "--token-file", str(token)]
    for where, said in ((nobody, "no service answers"), (stranger, "holds no certificate")):
        done = CliRunner().invoke(main, ["status", "--exit-code", *where])
        assert done.exit_code == UNKNOWN
        assert done.stdout.startswith("unknown: ")
        assert said in done.stdout
        plain = CliRunner().invoke(main, ["status", *where])
        assert not plain.stdout
        assert said in plain.stderr


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0s"), (59.9, "59s"), (60, "1m"), (7200, "2h"), (200_000, "2d")]
)
def test_a_span_is_told_in_its_largest_unit(seconds, text):
    assert age(seconds) == text
