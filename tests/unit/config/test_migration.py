"""Old settings become a file that can be used, and nothing of them is lost without a word."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manager.config import ConfigError, Mistake, load
from manager.config.migration import NAMES, Migration, migrate
from manager.errors import TrunklineError
from manager.settings import Policy

ALL = """\
// how the call centre keeps its connections up
const config = {
  maxReconnectAttempts: 15,   // then it gives up
  'baseDelay': 1000,
  "maxDelay": 30000,          /* the cap */
  healthCheckInterval: 45000,
  connectionTimeout: 20000,
  heartbeatInterval: 30000,
  unhealthyThreshold: 5,
};
"""


@pytest.fixture
def migrated(tmp_path):
    def migrated(text: str | bytes) -> Migration:
        path = tmp_path / "old.js"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return migrate(path)

    return migrated


@pytest.fixture
def policy(migrated, tmp_path):
    """Return what old settings mean once they are read from their file."""

    def policy(text: str) -> Policy:
        path = tmp_path / "config.toml"
        path.write_text(migrated(text).text)
        (connection,) = load(path).connections
        return connection.policy

    return policy


@pytest.fixture
def mistakes(migrated):
    def mistakes(text: str | bytes) -> tuple[Mistake, ...]:
        with pytest.raises(ConfigError) as caught:
            migrated(text)
        assert "without arithmetic" in caught.value.hint
        return caught.value.mistakes

    return mistakes


def test_every_number_is_taken_over_in_our_units(policy) -> None:
    assert policy(ALL) == Policy(
        max_attempts=15,
        base_delay=1,
        max_delay=30,
        health_interval=45,
        connect_timeout=20,
        heartbeat_interval=30,
        unhealthy_threshold=5,
    )


def test_each_line_says_what_it_was(migrated) -> None:
    told = migrated(ALL)
    assert "health_interval = 45     # healthCheckInterval: 45000 ms\n" in told.text
    assert "max_attempts = 15        # maxReconnectAttempts: 15\n" in told.text
    assert told.unsupported == ()


@pytest.mark.parametrize(
    "around",
    [
        "{}",
        "  {}\n",
        "\ufeff{}",
        "const config = {};",
        "let x={}",
        "export const settings: Settings = {} as const;",
        "export default {};",
        "module.exports = {};\n",
        "exports.settings = {}",
        "settings = {}",
        "/* not { this one */ var $c = {}; // the end",
        "const config = {};\n\nmodule.exports = config;\n",
        "const config = {};\nexport default config",
    ],
)
def test_an_object_is_found_in_whatever_line_it_stands(policy, around: str) -> None:
    assert policy(around.replace("{}", "{ baseDelay: 2500, }")).base_delay == 2.5


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        ("baseDelay: 1234.5678", "base_delay = 1.235  # baseDelay: 1234.5678 ms, rounded to milliseconds"),
        ("baseDelay: '500'", "base_delay = 0.5  # baseDelay: 500 ms"),
        ("baseDelay: 0x3e8", "base_delay = 1  # baseDelay: 1000 ms"),
        (
            "connectionTimeout: 900000",
            (
                "connect_timeout = 600  # connectionTimeout: 900000 ms, lowered to the most that is possible "
                "here"
            ),
        ),
        (
            "baseDelay: 0",
            "base_delay = 0.001  # baseDelay: 0 ms, raised to the least that is possible here",
        ),
        (
            "maxReconnectAttempts: Infinity",
            (
                "max_attempts = 1000  # maxReconnectAttempts: Infinity, lowered to the most that is possible "
                "here"
            ),
        ),
        (
            "maxReconnectAttempts: 2.5",
            "max_attempts = 2  # maxReconnectAttempts: 2.5, rounded to a whole number",
        ),
        (
            "maxReconnectAttempts: -1",
            "max_attempts = 1  # maxReconnectAttempts: -1, raised to the least that is possible here",
        ),
    ],
)
def test_what_had_to_be_changed_is_told_in_its_line(migrated, policy, setting: str, line: str) -> None:
    text = f"{{ {setting} }}"
    assert f"\n{line}\n" in migrated(text).text
    policy(text)


def test_numbers_that_would_contradict_each_other_are_made_to_fit(policy, migrated) -> None:
    made = policy("{ baseDelay: 60000, heartbeatInterval: 5000 }")
    assert (made.max_delay, made.heartbeat_timeout, made.suspect_timeout) == (60, 2, 2)
    assert "raised to base_delay" in migrated("{ baseDelay: 60000, maxDelay: 1000 }").text


def test_what_has_no_meaning_here_is_named_and_its_value_is_not(migrated) -> None:
    told = migrated(
        "{ baseDelay: 1000, maxDelai: 3, url: 'wss://canary', off: [], none: null, maxDelay: null,"
        " sip: { password: 'canary', baseDelay: 5, deep: { token: 'canary' } } }"
    )
    assert told.unsupported == (
        "maxDelai",
        "url",
        "off",
        "none",
        "sip.password",
        "sip.baseDelay",
        "sip.deep.token",
    )
    assert "#   maxDelai (perhaps maxDelay is meant)\n" in told.text
    assert "#   sip.baseDelay (it has one, but not within sip)\n" in told.text
    assert "canary" not in told.text


def test_a_name_cannot_leave_its_comment(migrated) -> None:
    told = migrated('{ "a\\n[connections.evil]\\u001b": 1, baseDelay: 1000 }')
    assert "evil" not in tomllib.loads(told.text)["connections"]
    assert "\x1b" not in told.text


@pytest.mark.parametrize(
    ("text", "line", "found"),
    [
        ("{\n baseDelay: 5 * 1000 }", 2, "unexpected"),
        ("{\n baseDelay: SECOND,\n}", 2, "unexpected"),
        ("const config = {\n  baseDelay: 1000\n  maxDelay: 3 }", 3, 'unexpected "m", at column 3'),
        ("{ baseDelay: 1000", 1, "the end of the file"),
        ("{\n baseDelay: 1,\n maxDelay: 2,\n baseDelay: 3 }", 4, "once more; the first is in line 2"),
        ("{\n // baseDelay: 7\n baseDelay: 'soon' }", 3, "a string that is no number"),
        ("{\n maxDelay: true }", 2, "true or false"),
        ("{\n maxDelay: NaN }", 2, "NaN"),
        ("{\n maxDelay: [1] }", 2, "an array"),
        ("{\n maxDelay: {a: 1} }", 2, "an object"),
        ("", None, "nothing"),
        ("[1, 2]", None, "something that is no object"),
        ("[" * 5000, None, "without end"),
        (b"{ a: 1,\n b: '\xff' }", 2, "not UTF-8"),
        (b"{" + b" " * 70_000 + b"}", None, "more than 64 KiB"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_cannot_be_read_is_told_with_its_line(mistakes, text, line: int | None, found: str) -> None:
    (mistake,) = mistakes(text)
    assert mistake.line == line
    assert found in mistake.found


def test_all_mistakes_are_told_at_once(mistakes) -> None:
    assert [each.key for each in mistakes("{ baseDelay: 'x', maxDelay: false, heartbeatInterval: 'y' }")] == [
        "baseDelay",
        "maxDelay",
        "heartbeatInterval",
    ]


@pytest.mark.parametrize(
    "text", [ALL, "{ baseDelay: 1 }", "/* x */ module.exports = {}", "export default {}"]
)
def test_one_that_is_given_as_a_configuration_is_told_what_to_run(tmp_path: Path, text: str) -> None:
    path = tmp_path / "old settings.js"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert caught.value.mistakes[0].command == f"trunkline config migrate '{path}'"


@pytest.mark.parametrize("name", ["missing.js", ""])
def test_a_file_that_is_not_there_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(TrunklineError, match=r"cannot read .*(No such file|Is a directory)") as caught:
        migrate(tmp_path / name)
    assert not caught.value.hint


def test_numbers_with_separators_are_numbers_and_nothing_else_with_a_line_below_is(migrated) -> None:
    text = "{ connectionTimeout: 10_000, baseDelay: '1_0', a_1_2: 3 } // 1_0"
    with pytest.raises(ConfigError) as caught:
        migrated(text)
    assert [each.key for each in caught.value.mistakes] == ["baseDelay"]
    told = migrated(text.replace("'1_0'", "1_000"))
    assert "connect_timeout = 10 " in told.text
    assert "base_delay = 1 " in told.text
    assert told.unsupported == ("a_1_2",)


@settings(max_examples=30)
@given(
    st.dictionaries(
        st.sampled_from(sorted(NAMES)), st.floats(allow_nan=False) | st.integers(-(10**12), 10**12)
    )
)
def test_whatever_the_numbers_are_the_file_can_be_used(tmp_path_factory, numbers) -> None:
    folder = tmp_path_factory.mktemp("migration")
    (folder / "old.json").write_text(
        "{" + ",".join(f"{name}: {value}" for name, value in numbers.items()).replace("inf", "Infinity") + "}"
    )
    told = migrate(folder / "old.json")
    (folder / "config.toml").write_text(told.text)
    assert len(load(folder / "config.toml").connections) == 1
