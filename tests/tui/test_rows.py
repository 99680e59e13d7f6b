"""The rows of a connection type that another package brings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from manager.plugins import ROWS
from tests.installing import install, install_example
from tui import rows

FACTS = {"banner": "READY", "pongs": 3, "nothing": None}
PLAIN = "banner READY · pongs 3"


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    rows._installed.cache_clear()
    yield folder
    rows._installed.cache_clear()


def test_a_type_without_rows_shows_its_facts_as_they_are(packages):
    assert rows.title_of("banner") == "banner"
    assert rows.facts_of("banner", FACTS) == PLAIN


def test_a_package_brings_the_rows_of_its_type(packages):
    install_example(packages)
    assert rows.title_of("banner") == "Banner"
    assert rows.facts_of("banner", FACTS) == "READY · 3 pongs"
    assert rows.section_order("banner") > rows.section_order("ami")


def test_the_rows_of_a_built_in_type_are_nobody_elses(packages):
    install(packages, "usurper", {ROWS: {"ami": "usurping_rows"}}, usurping_rows="TITLE = 'x'")
    assert rows.title_of("ami") == "AMI"


@pytest.mark.parametrize(
    "source", ["raise SystemExit", "TITLE = 3\ndef present(facts): ...", "TITLE = 'x'"], ids=range(3)
)
def test_rows_that_cannot_be_used_leave_the_default(packages, caplog, source, request):
    module = f"broken_rows_{request.node.callspec.id}"
    install(packages, "broken", {ROWS: {"banner": module}}, **{module: source})
    assert rows.title_of("banner") == "banner"
    assert rows.facts_of("banner", FACTS) == PLAIN
    assert caplog.text.count("the rows of the type banner cannot be used") == 1


@pytest.mark.parametrize("body", ["raise SystemExit", "return None", "return [3]"], ids=range(3))
def test_rows_that_go_wrong_while_they_are_shown_leave_the_default_from_then_on(
    packages, caplog, body, request
):
    module = f"wild_rows_{request.node.callspec.id}"
    source = f"TITLE = 'W\\x1b[31m'\ndef present(facts):\n    facts.clear()\n    {body}\n"
    install(packages, "wild", {ROWS: {"banner": module}}, **{module: source})
    assert rows.title_of("banner") == "W␛[31m"
    for _ in range(2):
        assert rows.facts_of("banner", FACTS) == PLAIN
    assert caplog.text.count("the rows of the type banner") == 1


def test_a_package_without_details_has_its_facts_as_they_are(packages):
    install_example(packages)
    assert rows.details_of("banner", FACTS) == [("banner", "READY"), ("pongs", "3")]


def test_a_package_brings_the_details_of_its_type(packages):
    source = "TITLE = 'D'\ndef present(facts): return []\ndef details(facts): return [('pongs', 'three')]\n"
    install(packages, "detailed", {ROWS: {"banner": "detailed_rows"}}, detailed_rows=source)
    assert rows.details_of("banner", FACTS) == [("pongs", "three")]


@pytest.mark.parametrize(
    "body",
    ["raise SystemExit", "return None", "return ['x']", "return [(1, 2)]", "return [('a', 'b', 'c')]"],
    ids=range(5),
)  # fmt: skip
def test_details_that_go_wrong_leave_the_default_and_the_row_alone(packages, caplog, body, request):
    module = f"wild_details_{request.node.callspec.id}"
    source = f"TITLE = 'W'\ndef present(facts): return ['well']\ndef details(facts):\n    {body}\n"
    install(packages, "wild", {ROWS: {"banner": module}}, **{module: source})
    for _ in range(2):
        assert rows.details_of("banner", FACTS) == [("banner", "READY"), ("pongs", "3")]
    assert rows.facts_of("banner", FACTS) == "well"
    assert caplog.text.count("the rows of the type banner") == 1
