from __future__ import annotations

import math

import msgspec
import pytest

from manager.presets import PRESETS
from manager.settings import ConnectionSettings, Policy
from tests.unit.config.parts import AMI, SIP


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_chosen_by_its_name_in_defaults_and_in_a_connection(read, name):
    for text in (f'[defaults]\npolicy = "{name}"\n[connections.a]\n{AMI}',
                 f'[connections.a]\npolicy = "{name}"\n{AMI}'):  # fmt: skip
        (settings,) = read(text).connections
        assert (settings.policy_name, settings.policy) == (name, PRESETS[name])


def test_a_policy_that_nobody_names_is_the_default(read):
    (settings,) = read(f"[connections.a]\n{AMI}").connections
    assert (settings.policy_name, settings.policy) == ("default", Policy())


def test_a_named_policy_sets_some_numbers_and_takes_the_rest_from_its_base(read):
    text = (
        '[policies.patient]\nbase = "quiet"\nmax_attempts = 99\n[policies.quiet]\nbase = "gentle"\n'
        f'jitter = 0\n[connections.a]\npolicy = "patient"\ncooldown = 7\n{AMI}'
    )
    (settings,) = read(text).connections
    gentle = PRESETS["gentle"]
    assert settings.policy == msgspec.structs.replace(gentle, jitter=0.0, max_attempts=99, cooldown=7.0)
    assert settings.policy_name == "patient"


def test_a_named_policy_stands_in_for_the_numbers_of_defaults_altogether(read):
    text = (
        "[defaults]\njitter = 0\nmax_attempts = 3\n[policies.brief]\nmax_attempts = 5\n"
        f'[connections.a]\npolicy = "brief"\n{AMI}[connections.b]\n{SIP}'
    )
    a, b = read(text).connections
    assert a.policy == Policy(max_attempts=5)
    assert b.policy == Policy(max_attempts=3, jitter=0.0)


@pytest.mark.parametrize(
    ("table", "key"),
    [("defaults", "policy"), ("connections.a", "policy"), ("policies.mine", "base")],
)
def test_an_unknown_policy_is_told_the_nearest(mistake, table, key):
    text = f"[connections.a]\n{AMI}" if table != "connections.a" else ""
    rest = AMI if table == "connections.a" else ""
    found = mistake(f'{text}[{table}]\n{key} = "gentel"\n{rest}')
    assert (found.key, found.found) == (f"{table}.{key}", 'the string "gentel"')
    assert (found.nearest, found.line) == ("gentle", 7 if text else 2)
    assert '"rfc5626"' in found.expected


@pytest.mark.parametrize("value", ["1", '""', "[]", "{}", '"\\u001b[31m"'])
def test_what_names_no_policy_is_refused(mistake, value):
    found = mistake(f"[connections.a]\n{AMI}policy = {value}\n")
    assert (found.line, found.key) == (6, "connections.a.policy")
    assert str(found).replace("\n", "").isprintable()


def test_a_policy_of_ones_own_is_offered_too(mistake):
    found = mistake(f'[policies.office]\n[connections.a]\n{AMI}policy = "ofice"\n')
    assert found.nearest == "office"


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_cannot_be_replaced(mistake, name):
    found = mistake(f"[policies.{name}]\njitter = 0\n[connections.a]\n{AMI}")
    assert (found.line, found.key) == (1, f"policies.{name}")


def test_policies_that_stand_on_each_other_are_refused_once_with_the_circle(mistake):
    found = mistake(
        '[policies.a]\nbase = "b"\n[policies.b]\nbase = "c"\n[policies.c]\nbase = "a"\n'
        f'[connections.a]\npolicy = "b"\n{AMI}'
    )
    assert (found.line, found.key) == (6, "policies.c.base")
    assert found.found == "a circle: a → b → c → a"


def test_a_policy_cannot_stand_on_itself(mistake):
    found = mistake(f'[policies.a]\nbase = "a"\n[connections.a]\n{AMI}')
    assert (found.line, found.found) == (2, "a circle: a → a")


@pytest.mark.parametrize(
    ("text", "key"),
    [("[policies]\na = 1\n", "policies.a"), ("policies = 1\n", "policies"),
     ('[policies." "]\n', 'policies." "'), ("[policies.a]\njiter = 0\n", "policies.a.jiter"),
     ("[policies.a]\njitter = 2\n", "policies.a.jitter"),
     ('[policies.a]\ngroup = "x"\n', "policies.a.group")],
)  # fmt: skip
def test_a_policy_that_makes_no_sense_is_refused(mistake, text, key):
    assert mistake(f"{text}[connections.a]\n{AMI}").key == key


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        ("heartbeat_timeout = 25", "heartbeat_timeout"),
        ("heartbeat_interval = 10", "heartbeat_interval"),
        ("suspect_timeout = 10.5", "suspect_timeout"),
        ("heartbeat_timeout = 2", "heartbeat_timeout"),
        ("heartbeat_interval = 8\nheartbeat_timeout = 9", "heartbeat_timeout"),
        ("connect_timeout = 601", "connect_timeout"),
    ],
)
@pytest.mark.parametrize("table", ["defaults", "policies.p", "connections.a"])
def test_numbers_that_contradict_each_other_are_told_where_they_stand(mistake, table, lines, name):
    rest = "" if table == "connections.a" else "[connections.a]\n"
    found = mistake(f"[{table}]\n{lines}\n{rest}{AMI}")
    assert found.key == f"{table}.{name}"
    assert (
        found.line
        == 1 + lines.split("\n").index(next(x for x in lines.split("\n") if x.startswith(name))) + 1
    )


def test_a_connection_that_contradicts_the_policy_it_names_is_told_its_own_line(mistake):
    found = mistake(f'[connections.a]\npolicy = "gentle"\nheartbeat_interval = 15\n{AMI}')
    assert (found.line, found.key) == (3, "connections.a.heartbeat_interval")
    assert found.found == "heartbeat_timeout 20 not below heartbeat_interval 15"


def test_two_connections_of_one_name_are_told_both_lines(mistake):
    found = mistake(f'[connections."pbx 1"]\n{AMI}\n[connections.b]\n{SIP}[connections."pbx 1"]\n{AMI}')
    assert (found.line, found.key) == (12, 'connections."pbx 1"')
    assert found.found == "a second table of this name; the first is in line 1"


@pytest.mark.parametrize(
    "numbers",
    [
        {"login_budget": 0},
        {"login_budget": 1.5},
        {"max_attempts": True},
        {"base_delay": math.nan},
        {"base_delay": -1},
        {"max_delay": math.inf},
        {"max_delay": 0.5},
        {"jitter": 1.5},
        {"start_rate": 0.01},
        {"cooldown": "5"},
        {"heartbeat_timeout": 25},
        {"suspect_timeout": 11},
        {"connect_timeout": 3600},
    ],
)
def test_a_policy_made_by_a_program_is_checked_too(numbers):
    with pytest.raises(ValueError, match=next(iter(numbers))):
        Policy(**numbers)
    with pytest.raises(ValueError, match=next(iter(numbers))):
        msgspec.structs.replace(Policy(), **numbers)


@pytest.mark.parametrize(
    ("fields", "what"),
    [({"endpoints": ()}, "endpoint"), ({"name": ""}, "name"), ({"weight": math.nan}, "weight"),
     ({"weight": 0}, "weight"), ({"weight": math.inf}, "weight")],
)  # fmt: skip
def test_settings_made_by_a_program_are_checked_too(read, fields, what):
    (good,) = read(f"[connections.a]\n{AMI}").connections
    assert isinstance(good, ConnectionSettings)
    with pytest.raises(ValueError, match=what):
        msgspec.structs.replace(good, **fields)
