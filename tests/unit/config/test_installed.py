"""Connection types and policies that other packages bring, as a file names them."""

from __future__ import annotations

from pathlib import Path

import pytest

from manager.config import clashes
from manager.config.installed import as_policy
from manager.plugins import DRIVERS, POLICIES, PluginError
from manager.presets import PRESETS
from manager.settings import Policy
from tests.installing import install, install_example
from tests.unit.config.parts import AMI, CANARY

BANNER = 'type = "banner"\nendpoints = ["banner://h"]\ngreeting = "READY"\n'
MODULE = """
from manager.settings import ConnectionSettings
SCHEMES = {"odd": 1}
class Settings(ConnectionSettings, frozen=True, kw_only=True):
    type = "odd"
def create(settings, memory): ...
def read(section, common):
    return Settings(**common)
"""
ODD = '[connections.a]\ntype = "odd"\nendpoints = ["odd://h"]\n'


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


@pytest.fixture
def example(packages: Path) -> None:
    install_example(packages)


@pytest.fixture
def odd(packages: Path, request: pytest.FixtureRequest):
    """Installs a package whose module is `MODULE` with lines appended."""

    def odd(more: str = "") -> None:
        module = f"odd_{abs(hash(request.node.name))}"
        install(packages, "oddity", {DRIVERS: {"odd": module}}, **{module: MODULE + more})

    return odd


def test_an_installed_type_is_read_with_all_that_connections_have(read, example):
    (settings,) = read(f"[connections.a]\n{BANNER}weight = 3\nmax_attempts = 7\n").connections
    assert (settings.name, settings.type, settings.greeting) == ("a", "banner", "READY")
    assert (settings.weight, settings.policy.max_attempts) == (3.0, 7)
    (endpoint,) = settings.endpoints
    assert (endpoint.scheme, endpoint.host, endpoint.port, endpoint.label) == (
        "banner",
        "h",
        7000,
        "banner://h",
    )


def test_what_is_wrong_in_its_table_is_told_like_any_other(mistakes, example):
    told = mistakes('[connections.a]\ntype = "banner"\nendpoints = ["ami://h", "x://h"]\ngreting = 3\n')
    assert {(each.line, each.key) for each in told} == {
        (3, "connections.a.endpoints[0]"),
        (3, "connections.a.endpoints[1]"),
        (1, "connections.a.greeting"),
        (4, "connections.a.greting"),
    }
    by_key = {each.key: each for each in told}
    assert by_key["connections.a.greting"].nearest == "greeting"
    assert by_key["connections.a.endpoints[0]"].expected == "for type banner: banner:"
    assert by_key["connections.a.endpoints[1]"].expected == "an address begins with banner://"


def test_a_setting_of_a_built_in_type_does_not_belong_to_it(mistake, example):
    assert (
        mistake(f'[connections.a]\n{BANNER}aor = "sip:x@y"\n').expected == "it is no setting of type banner"
    )


@pytest.mark.parametrize(("line", "found"), [('type = "baner"\n', 'the string "baner"'), ("", "nothing")])
def test_an_unknown_type_lists_the_installed_ones_too(mistakes, example, line, found):
    told = next(each for each in mistakes(f"[connections.a]\n{line}") if each.key == "connections.a.type")
    assert told.found == found
    assert told.expected == 'one of "ami", "banner", "sip" and "websocket"'
    assert told.nearest == ("banner" if line else "")


def test_an_installed_policy_is_a_preset_like_any_other(read, example):
    text = f'[connections.a]\npolicy = "impatient"\n{AMI}[policies.mine]\nbase = "impatient"\ncooldown = 7\n'
    (settings,) = read(f'{text}[connections.b]\npolicy = "mine"\n{AMI}').connections[:1]
    assert (settings.policy_name, settings.policy.base_delay, settings.policy.jitter) == ("impatient", 0.1, 0)
    *_, b = read(f'{text}[connections.b]\npolicy = "mine"\n{AMI}').connections
    assert (b.policy.base_delay, b.policy.cooldown) == (0.1, 7)


def test_an_unknown_policy_lists_the_installed_ones_too(mistake, example):
    told = mistake(f'[defaults]\npolicy = "impatent"\n[connections.a]\n{AMI}')
    assert told.nearest == "impatient"
    assert '"gentle"' in told.expected


def test_a_policy_of_the_file_goes_before_an_installed_one(read, example):
    text = f'[policies.impatient]\nbase_delay = 9\n[connections.a]\npolicy = "impatient"\n{AMI}'
    (settings,) = read(text).connections
    assert settings.policy == Policy(base_delay=9.0)


@pytest.mark.parametrize("key", ["type", "policy"])
def test_of_a_name_that_trunkline_has_itself_its_own_is_used_and_check_says_so(packages, read, key):
    entries = {DRIVERS: {"ami": "usurper_of_names"}, POLICIES: {"gentle": "usurper_of_names"}}
    install(packages, "usurper", entries, usurper_of_names="raise AssertionError('imported')")
    (settings,) = read(f'[connections.a]\npolicy = "gentle"\n{AMI}').connections
    assert (settings.type, settings.policy) == ("ami", PRESETS["gentle"])
    (told,) = [each for each in clashes() if ("policy" in each) == (key == "policy")]
    assert "usurper 1.0 is not used" in told


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("del create", "oddity 1.0 has no create for it"),
        ("read = 3", "oddity 1.0 has no read for it"),
        ("del SCHEMES", "oddity 1.0 has no SCHEMES for it that can be used"),
        ("SCHEMES = {}", "oddity 1.0 has no SCHEMES for it that can be used"),
        ("SCHEMES = {'od d': 1}", "oddity 1.0 has no SCHEMES for it that can be used"),
        ("SCHEMES = {'odd': 0}", "oddity 1.0 has no SCHEMES for it that can be used"),
    ],
)
def test_a_module_that_lacks_something_is_a_mistake_at_the_type_and_nothing_else_is_lost(
    mistakes, odd, more, told
):
    odd(more)
    text = f"{ODD}of_its_own = 1\n[connections.b]\n{AMI}wight = 1\n"
    assert [(each.line, each.key) for each in mistakes(text)] == [
        (2, "connections.a.type"),
        (10, "connections.b.wight"),
    ]
    assert told in mistakes(text)[0].found


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("raise ValueError(section.raw('secret'))", "raised ValueError"),
        ("raise SystemExit", "raised SystemExit"),
        ("return None", "gave None and no settings"),
        ("return 'settings'", "gave a str and no settings"),
        ("return Settings(**common | {'name': 'b'})", "did not take over what all types have"),
        ("Settings.type = 'even'; return Settings(**common)", "gave settings of the type 'even'"),
        ("Settings.secrets = lambda self: ['x']; return Settings(**common)", "no tuple of SecretSource"),
        ("Settings.secrets = lambda self: 1 / 0; return Settings(**common)", "raised ZeroDivisionError"),
    ],
)
def test_a_reader_that_does_something_wrong_is_a_mistake_in_its_table(mistakes, odd, caplog, body, told):
    odd(f"def read(section, common):\n    section.expect(['secret'])\n    {body}\n")
    (mistake,) = mistakes(f'{ODD}secret = "{CANARY}"\n')
    assert (mistake.line, mistake.key) == (1, "connections.a")
    assert told in mistake.found
    assert "oddity 1.0" in mistake.found
    assert CANARY not in str(mistake)
    assert CANARY not in caplog.text


def test_a_reader_that_notes_a_mistake_may_give_nothing(mistake, odd):
    odd("def read(section, common):\n    section.text('word', 'a word')\n")
    assert mistake(ODD).key == "connections.a.word"


@pytest.mark.parametrize(
    ("offered", "told"),
    [
        (None, "offers None"),
        ([1], "offers a list"),
        ({"max_atempts": 3}, "sets 'max_atempts'"),
        ({3: 3}, "sets '3'"),
        ({"jitter": 7}, "jitter is 7"),
        ({"max_attempts": 2.5}, "max_attempts is 2.5"),
        ({"jitter": float("nan")}, "jitter is nan"),
        ({"peek": "yes"}, "sets peek to a str"),
        ({"max_delay": 0.1}, "max_delay 0.1 below base_delay 1"),
    ],
)
def test_a_policy_is_held_to_the_bounds_of_any_other(offered, told):
    with pytest.raises(PluginError) as caught:
        as_policy(offered, "oddity 1.0")
    assert told in str(caught.value)
    assert caught.value.hint


def test_a_policy_may_be_a_policy():
    assert as_policy(Policy(jitter=0.0), "oddity 1.0") == Policy(jitter=0.0)


def test_a_policy_that_cannot_be_used_is_a_mistake_where_it_is_named(packages, mistake):
    install(packages, "wild", {POLICIES: {"wild": "wild_policies:P"}}, wild_policies="P = {'jitter': 7}")
    told = mistake(f'[connections.a]\npolicy = "wild"\n{AMI}')
    assert (told.line, told.key) == (2, "connections.a.policy")
    assert told.found == 'the string "wild", but in wild 1.0 jitter is 7'
    assert told.expected == "a number from 0 to 1"
