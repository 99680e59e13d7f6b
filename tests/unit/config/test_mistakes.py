from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from manager.config import ConfigError, load
from tests.unit.config.parts import AMI, CANARY, SIP, WS


def test_every_mistake_is_told_at_once_in_the_order_of_the_file(mistakes):
    found = mistakes(
        f"[defaults]\njitter = 2\n[connections.a]\ntyp = 1\n{AMI}cooldown = -1\n"
        f"[connections.b]\n{SIP}weight = 0\n"
    )
    assert [(each.line, each.key) for each in found] == [
        (2, "defaults.jitter"),
        (4, "connections.a.typ"),
        (9, "connections.a.cooldown"),
        (15, "connections.b.weight"),
    ]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("max_atempts", "max_attempts"),
        ("maxAttempts", "max_attempts"),
        ("pasword", "password"),
        ("endpoint", "endpoints"),
        ("CA_FILE", "ca_file"),
    ],
)
def test_a_misspelt_name_is_told_the_nearest(mistake, written, meant):
    found = mistake(f"[connections.a]\n{AMI}{written} = 1\n")
    assert (found.line, found.key) == (6, f"connections.a.{written}")
    assert (found.found, found.nearest) == ("an unknown name", meant)


def test_names_of_later_are_unknown_now(mistake):
    assert mistake(f"[connections.a]\n{AMI}colour = true\n").found == "an unknown name"


def test_an_unknown_name_that_is_near_to_none_is_told_all(mistake):
    found = mistake(f"[connections.a]\n{AMI}zzzzzz = 1\n")
    assert found.nearest == ""
    assert "heartbeat_interval" in found.expected
    assert "password" in found.expected
    names = found.expected.removeprefix("one of ").split(", ")
    assert len(names) == len(set(names))


def test_misspelt_tables_types_and_sources_are_told_the_nearest_too(mistakes):
    found = mistakes(
        '[default]\n[conections.a]\n[connections.b]\ntype = "websockets"\nbase_dely = 1\n[connections.c]\n'
        + AMI.replace("{ env", "{ evn")
    )
    assert [each.nearest for each in found] == ["defaults", "connections", "websocket", "base_delay", "env"]


def test_a_setting_of_another_type_is_no_spelling_mistake(mistake):
    found = mistake(f"[connections.a]\n{AMI}aor = 'sip:a@h'\n")
    assert (found.found, found.expected) == (
        "a name that does not belong here",
        "it is no setting of type ami",
    )


def test_a_setting_of_a_connection_does_not_belong_into_defaults(mistake):
    found = mistake(f'[defaults]\nca_file = "x"\n[connections.a]\n{AMI}')
    assert (found.key, found.nearest) == ("defaults.ca_file", "")
    assert "[connections.NAME]" in found.expected


@pytest.mark.parametrize(
    "line",
    [
        "base_delay = 0",
        "base_delay = -1",
        "base_delay = nan",
        "base_delay = inf",
        "base_delay = true",
        'base_delay = "1"',
        "base_delay = 1e300",
        f"base_delay = 1{'0' * 400}",
        "max_delay = 0.5",
        "base_delay = 31",
        "max_attempts = 0",
        "max_attempts = 1.5",
        "max_attempts = true",
        "max_attempts = 100000",
        "connect_timeout = 0",
        "heartbeat_interval = 0",
        "heartbeat_timeout = inf",
        "suspect_timeout = -inf",
        "health_interval = -0.0",
        "unhealthy_threshold = 0",
        "stable_after = -1",
        "cooldown = -1",
        "blocked_retry = nan",
        "jitter = 1.1",
        "jitter = -0.1",
        "login_budget = 0",
        "login_window = 0",
        "start_rate = -1",
        "start_rate = 0.01",
        "start_rate = inf",
        "start_rate = nan",
        "start_rate = 1e5",
        "start_rate = true",
        "sibling_wake = 1",
        'sibling_doubt = "no"',
        "weight = 0",
        "weight = nan",
        "weight = false",
        'verify = "yes"',
        "verify = 1",
        'group = ""',
        'group = "  "',
        f'group = "{"x" * 65}"',
        'server_name = "a b"',
        'ca_file = ""',
        'ca_file = "a\\u0000b"',
        'ca_file = "~nobody-of-this-name/x"',
        'cert_file = "x"',
        'key_file = "x"',
    ],
)
def test_a_value_that_makes_no_sense_is_refused_with_its_line(mistake, line):
    found = mistake(f"[connections.a]\n{AMI}{line}\n")
    assert found.line == 6
    assert found.key == f"connections.a.{line.partition(' ')[0]}"
    assert found.found
    assert found.expected


@pytest.mark.parametrize(
    "line",
    [
        "stable_after = 0",
        "cooldown = 0",
        "blocked_retry = 0",
        "jitter = 0",
        "jitter = 1",
        "start_rate = 0",
        "sibling_wake = false",
    ],
)
def test_a_zero_that_makes_sense_is_taken(read, line):
    read(f"[connections.a]\n{AMI}{line}\n")


def test_defaults_that_contradict_each_other_are_told_once(mistake):
    found = mistake(f"[defaults]\nmax_delay = 0.5\n[connections.a]\n{AMI}[connections.b]\n{SIP}")
    assert found.key == "defaults.max_delay"


def test_a_connection_that_contradicts_the_defaults_is_told(mistake):
    found = mistake(f"[defaults]\nmax_delay = 10\n[connections.a]\nbase_delay = 20\n{AMI}")
    assert (found.key, found.line) == ("connections.a.base_delay", 4)


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        (AMI, "ws://h"),
        (AMI, "sip:h"),
        (AMI, "h"),
        (AMI, "ami://"),
        (AMI, "ami://h:0"),
        (AMI, "ami://h:65536"),
        (AMI, "ami://h/path"),
        (SIP, "ami://h"),
        (SIP, "sip:6001@h"),
        (SIP, "sip:h;transport=sctp"),
        (WS, "http://h"),
        (WS, "sip:h"),
        (WS, "ws://h/#part"),
        (WS, "ws://user@h/"),
        (WS, "ws://[::g]/"),
        (WS, "ws://[::1/"),
        (WS, "ws://h /"),
        (WS, ""),
    ],
)
def test_an_address_that_does_not_fit_is_refused(mistake, kind, address):
    text = re.sub(r"endpoints = \[.*\]", f'endpoints = [\n"{address}"]', kind)
    found = mistake(f"[connections.a]\n{text}")
    assert (found.key, found.line) == ("connections.a.endpoints[0]", 4)


@pytest.mark.parametrize("line", ["", "endpoints = []", 'endpoints = "ami://h"', "endpoints = 1"])
def test_a_connection_needs_an_array_of_addresses(mistake, line):
    text = re.sub(r"endpoints = .*", line, AMI)
    found = mistake(f"[connections.a]\n{text}")
    assert found.key == "connections.a.endpoints"
    assert '["ami://pbx1.example.com:5038"]' in found.expected


def test_an_address_stands_once(mistake):
    twice = AMI.replace("[", '["ami://h", ')
    found = mistake(f"[connections.a]\n{twice}")
    assert found.key == "connections.a.endpoints[1]"


@pytest.mark.parametrize(
    "line",
    [
        'aor = "6001@h"',
        'aor = "sip:h"',
        f'aor = "sip:6001:{CANARY}@h"',
        'aor = "sip:6001@h;x=y"',
        'aor = "sip:60\\n01@h"',
        "aor = 6001",
        "expires = 0",
        "expires = 1.5",
        "invite_answer = 399",
        "invite_answer = 700",
        'invite_answer = "486"',
        'username = ""',
        'username = "a\\nb"',
    ],
)
def test_a_registration_that_makes_no_sense_is_refused(mistake, line):
    name = line.partition(" ")[0]
    found = mistake("[connections.a]\n" + re.sub(rf"{name} = .*\n", "", SIP) + line + "\n")
    assert found.key == f"connections.a.{name}"
    assert CANARY not in str(found)


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("headers = 1", "headers"),
        ("headers = { X = 1 }", "headers.X"),
        ('headers = { "X Y" = "1" }', 'headers."X Y"'),
        ('headers = { Host = "x" }', "headers.Host"),
        ('headers = { sec-websocket-key = "x" }', "headers.sec-websocket-key"),
        ('headers = { X = "a\\r\\nY: b" }', "headers.X"),
        ('headers = { X = "€" }', "headers.X"),
        ("query = [1]", "query"),
        ("query = { a = 1 }", "query.a"),
        ('query = { a = "" }', "query.a"),
        ('subprotocols = "sip"', "subprotocols"),
        ('subprotocols = ["s p"]', "subprotocols[0]"),
        ('subprotocols = ["sip", "sip"]', "subprotocols[1]"),
        ("on_connect = [1]", "on_connect[0]"),
        ('on_connect = ["a", ""]', "on_connect[1]"),
        ('heartbeat_message = ""', "heartbeat_message"),
        ('check_reply = "x"', "check_reply"),
        ("compression = 1", "compression"),
        ("max_message_size = 0", "max_message_size"),
        ("max_message_size = 1e6", "max_message_size"),
        ('proxy = "proxy:3128"', "proxy"),
        ('proxy = "ftp://proxy"', "proxy"),
        ('proxy = "http://proxy/path"', "proxy"),
        ('proxy = "http://me@proxy"', "proxy"),
        ('proxy = "http://proxy:99999"', "proxy"),
        ("proxy = 1", "proxy"),
    ],
)
def test_a_websocket_that_makes_no_sense_is_refused(mistake, line, key):
    found = mistake(f"[connections.a]\n{WS}{line}\n")
    assert (found.key, found.line) == (f"connections.a.{key}", 4)


@pytest.mark.parametrize(
    ("source", "key"),
    [
        ("1", "password"),
        ('""', "password"),
        ("{}", "password"),
        ('{ env = "A", file = "b" }', "password"),
        ('{ env = "" }', "password.env"),
        ('{ env = "A=B" }', "password.env"),
        ("{ env = 1 }", "password.env"),
        ('{ file = "" }', "password.file"),
        ("{ command = [] }", "password.command"),
        ('{ command = "pass show x" }', "password.command"),
        ('{ command = ["pass", 1] }', "password.command[1]"),
    ],
)
def test_a_secret_has_one_source_that_can_be_read(mistake, source, key):
    found = mistake("[connections.a]\n" + AMI.replace('{ env = "P" }', source))
    assert (found.key, found.line) == (f"connections.a.{key}", 5)


@pytest.mark.parametrize(
    ("text", "name"), [(AMI, "username"), (AMI, "password"), (SIP, "aor"), (SIP, "password"), (WS, "type")]
)
def test_what_has_to_be_there_is_asked_for_with_the_line_of_its_table(mistake, text, name):
    found = mistake("\n\n[connections.a]\n" + re.sub(rf"{name} = .*\n", "", text))
    assert (found.line, found.key, found.found) == (3, f"connections.a.{name}", "nothing")


@pytest.mark.parametrize("name", ["", " ", "x" * 65, "a\\u001b[31m", "a\\u202eb", "a\\nb"])
def test_a_name_that_cannot_be_shown_is_refused(mistake, name):
    found = mistake(f'[connections."{name}"]\n{AMI}')
    assert (found.line, found.found) == (1, "a name that does not fit")
    assert str(found).replace("\n", "").isprintable()


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "[defaults]\njitter = 0\n", "[connections]\n"])
def test_a_file_without_a_connection_is_refused(mistake, text):
    assert mistake(text).expected == "at least one table [connections.NAME]"


@pytest.mark.parametrize(
    ("text", "key"),
    [("defaults = 1\n[connections.a]\n" + AMI, "defaults"), ("connections = []", "connections"),
     ("[connections]\na = 1", "connections.a"), ("[[connections]]\n" + AMI, "connections")],
)  # fmt: skip
def test_what_should_be_a_table_is_told_so(mistake, text, key):
    found = mistake(text)
    assert found.key == key
    assert "a table" in found.expected


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[connections.a]\ntype = ami\n", 2),
        ("a = 1\na = 2\n", 2),
        ('[connections.a]\npassword = "x\n', 2),
        ("[connections.a\n", 1),
        ("x = [1,\n2\n", 3),
        ("\n\n= 1", 3),
    ],
)
def test_broken_toml_is_a_mistake_with_a_line(mistake, text, line):
    found = mistake(text)
    assert found.line == line
    assert found.expected == "TOML"


def test_broken_toml_shows_no_secret(mistake):
    assert CANARY not in str(mistake(f'[connections.a]\npassword = "{CANARY}\ntype = "ami"\n'))


def test_bytes_that_are_no_text_are_a_mistake_with_a_line(mistake):
    assert mistake(b"a = 1\nb = '\xff'\n").line == 2


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 5000 + "]" * 5000, "a = " + "9" * 5000, "#" + "x" * (9 << 20)]
)
def test_a_file_beyond_all_measure_is_a_mistake(mistake, text):
    assert mistake(text)


def test_a_file_that_cannot_be_read_is_a_mistake(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (tmp_path / "missing.toml", tmp_path, fifo, Path("a\0b")):
        with pytest.raises(ConfigError) as caught:
            load(path)
        assert caught.value.mistakes[0].found


def test_the_whole_reads_well_at_80_columns(write):
    path = write(
        f"[connections.a]\n{AMI}max_atempts = 3\n"
        f'[connections."b\\u001b[31m"]\n{WS}weight = "heavy"\nzzzzzz = 1\n'
    )
    with pytest.raises(ConfigError) as caught:
        load(path)
    text = str(caught.value)
    assert text.startswith(
        f"{path}: 4 mistakes\n\n  line 6, connections.a.max_atempts\n    found     an unknown name\n"
    )
    assert "    perhaps   max_attempts\n" in text
    lines = text.split("\n")[1:]
    assert max(map(len, lines)) <= 80
    assert all(line.isprintable() for line in lines)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("line", "key", "found"),
    [
        ('strategy = "fastest"', "connections.a.strategy", 'the string "fastest"'),
        ("strategy = 3", "connections.a.strategy", "3"),
    ],
)
def test_an_unknown_strategy_is_refused_where_it_stands(mistake, line, key, found):
    told = mistake(f"[connections.a]\n{AMI}{line}\n")
    assert (told.key, told.found) == (key, found)
    assert '"least-latency"' in told.expected


def test_a_misspelt_strategy_is_told_the_nearest(mistake):
    assert mistake(f'[connections.a]\n{AMI}strategy = "roundrobin"\n').nearest == "round-robin"


@pytest.mark.parametrize("weight", ["0", "-1", "nan", "inf", "true", '"3"', "1e9"])
def test_a_weight_that_is_none_is_refused(mistake, weight):
    text = AMI.replace('["ami://h"]', f'[{{ address = "ami://h", weight = {weight} }}]')
    told = mistake(f'[connections.a]\nstrategy = "weighted"\n{text}')
    assert told.key == "connections.a.endpoints[0].weight"


def test_a_weight_under_another_strategy_is_refused(mistake):
    text = AMI.replace('["ami://h"]', '[{ address = "ami://h", weight = 3 }]')
    assert mistake(f"[connections.a]\n{text}").expected == 'strategy = "weighted" beside endpoints'


def test_a_table_without_an_address_is_refused(mistakes):
    text = AMI.replace('["ami://h"]', "[{ weigth = 3 }]")
    assert {each.key for each in mistakes(f"[connections.a]\n{text}")} >= {
        "connections.a.endpoints[0].address",
        "connections.a.endpoints[0].weigth",
    }


def test_a_spare_without_a_second_endpoint_is_refused_where_it_stands(mistake):
    told = mistake(f"[connections.a]\n{AMI}spare = true\n")
    assert (told.key, told.line) == ("connections.a.spare", AMI.count("\n") + 2)
    assert told.expected == "a second endpoint for it"


def test_a_spare_beside_an_endpoint_that_is_wrong_is_no_mistake_of_its_own(mistake):
    text = AMI.replace('["ami://h"]', '["ami://h", "http://h"]')
    assert mistake(f"[connections.a]\n{text}spare = true\n").key == "connections.a.endpoints[1]"
