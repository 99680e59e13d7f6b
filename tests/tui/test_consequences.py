"""What is said before something is closed."""

from __future__ import annotations

import pytest

from manager.model import Phase
from tests.tui.fake_client import connection
from tui.consequences import calls_on, of_reopening


def ami(name: str, calls: object, host: str = "pbx1", **fields):
    return connection(name, "ami", host=host, **({"facts": {"calls": calls}} | fields))


def test_calls_are_counted_once_a_server_and_only_where_they_are_known():
    statuses = [
        ami("a", 4),
        ami("b", 5),
        ami("c", 10, "pbx2"),
        ami("d", None, "pbx3"),
        ami("e", "many", "pbx4"),
        connection("f", "ami", Phase.WAITING, host="pbx5", facts={"calls": 7}),
        connection("desk"),
    ]
    assert calls_on(statuses) == 15


def test_where_no_server_tells_nothing_is_claimed():
    assert calls_on([connection("desk"), ami("a", None)]) is None
    assert of_reopening([connection("desk"), connection("b", phase=Phase.WAITING)]) == "1 of 2 is up"


@pytest.mark.parametrize(
    ("calls", "words"),
    [
        (0, "no calls on their servers"),
        (1, "1 call on their servers goes on"),
        (1200, "1,200 calls on their servers go on"),
    ],
)
def test_calls_that_are_known_are_told_with_what_becomes_of_them(calls, words):
    assert of_reopening([ami("a", calls), connection("b")]) == f"2 of 2 are up, {words}"


def test_where_nothing_is_up_there_is_nothing_to_say():
    assert of_reopening([connection("b", phase=Phase.WAITING)]) == ""
