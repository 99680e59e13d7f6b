"""What packages offer by their entry points, and what of it is wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from manager.plugins import DRIVERS, POLICIES, PluginError, Plugins
from tests.installing import install


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


def test_a_name_is_loaded_once(packages):
    install(packages, "one", {DRIVERS: {"kind": "once_loaded"}}, once_loaded="")
    plugins = Plugins(DRIVERS)
    assert plugins.names == ["kind"]
    assert plugins.load("kind") is plugins.load("kind") is sys.modules["once_loaded"]
    assert plugins.package("kind") == "one 1.0"


def test_a_name_that_nobody_offers_is_a_key_error(packages):
    with pytest.raises(KeyError):
        Plugins(DRIVERS).load("kind")


@pytest.mark.parametrize(
    ("value", "source", "error"),
    [
        ("broken_{0}", "raise SystemExit(4)", "SystemExit"),
        ("broken_{0}", "raise ValueError('x')", "ValueError"),
        ("broken_{0}", "def (", "SyntaxError"),
        ("not_there_{0}", "", "ModuleNotFoundError"),
        ("broken_{0}:MISSING", "", "AttributeError"),
    ],
)
def test_what_cannot_be_imported_is_told_in_a_sentence_and_its_frames_in_the_log(
    packages, caplog, value, source, error
):
    unique = f"{error.lower()}"
    value = value.format(unique)
    install(packages, "bad", {DRIVERS: {"kind": value}}, **{f"broken_{unique}": source})
    plugins = Plugins(DRIVERS)
    for _ in range(2):
        with pytest.raises(PluginError) as caught:
            plugins.load("kind")
    assert str(caught.value) == f"importing {value} of bad 1.0 raised {error}"
    assert caught.value.hint
    assert caplog.text.count(f"importing trunkline.drivers kind raised {error}") == 1


def test_a_name_that_two_packages_offer_is_nobodys(packages):
    install(packages, "first", {POLICIES: {"calm": "first_one:P"}}, first_one="P = {}")
    install(packages, "second", {POLICIES: {"calm": "second_one:P"}}, second_one="P = {}")
    with pytest.raises(PluginError, match=r"it is offered by first 1\.0 and second 1\.0"):
        Plugins(POLICIES).load("calm")


def test_a_name_that_trunkline_has_itself_is_told(packages):
    install(packages, "usurper", {DRIVERS: {"sip": "usurping", "mine": "usurping"}}, usurping="")
    assert Plugins(DRIVERS).clashes(["ami", "sip"]) == [
        'the connection type "sip" of usurper 1.0 is not used: trunkline has one of this name itself'
    ]


def test_the_damaged_metadata_of_one_package_hides_no_other(packages, caplog):
    install(packages, "sound", {DRIVERS: {"kind": "sound_one"}}, sound_one="")
    damaged = packages / "damaged-1.0.dist-info"
    damaged.mkdir()
    (damaged / "METADATA").write_text("Metadata-Version: 2.1\nName: damaged\nVersion: 1.0\n")
    (damaged / "entry_points.txt").write_text("[trunkline.drivers]\nno value at all\n")
    assert Plugins(DRIVERS).names == ["kind"]
    assert "cannot be read" in caplog.text


def test_nothing_is_looked_for_where_no_unknown_name_is_met(tmp_path):
    """The entry points of all packages take longer to read than a small file."""
    path = tmp_path / "config.toml"
    path.write_text(
        '[defaults]\npolicy = "gentle"\n[policies.mine]\nbase = "aggressive"\n'
        '[connections.a]\ntype = "websocket"\npolicy = "mine"\nendpoints = ["ws://h/"]\n'
    )
    program = (
        "import sys, importlib.metadata\n"
        "def look(**_): raise AssertionError('looked for entry points')\n"
        "importlib.metadata.entry_points = look\n"
        "from pathlib import Path\nimport manager, tui.rows\nfrom manager import ConnectionManager\n"
        f"(one,) = manager.load(Path({str(path)!r})).connections\n"
        "ConnectionManager()._registry._factory(one.type)\n"
        "assert 'manager.drivers.ami' not in sys.modules\n"
        "tui.rows.title_of(one.type)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert not done.stderr
