"""Where one stands in the table, whatever becomes of its lines."""

from __future__ import annotations

import pytest

from tests.tui.fake_client import connection
from tui.arrange import Blank, Fold, Heading, Single
from tui.cursor import Cursor

A, B, C, D, E = (connection(name) for name in "abcde")
HEADING, BLANK = Heading("sip", ()), Blank()
FOLD = Fold("type:sip:up", "", (D, E))
LINES = [HEADING, Single(A), Single(B), BLANK, HEADING, Single(C), FOLD]


@pytest.fixture
def cursor() -> Cursor:
    cursor = Cursor()
    assert cursor.put(LINES)
    return cursor


def test_it_begins_on_the_first_line_that_can_be_stood_on(cursor):
    assert (cursor.at, cursor.name, cursor.names) == (1, "a", ["a"])
    assert [index for index in range(len(LINES)) if cursor.can_stand(index)] == [1, 2, 5, 6]


def test_it_steps_over_headings_and_blanks_and_ends_at_the_last(cursor):
    cursor.stand(2)
    assert (cursor.onward(1), cursor.onward(-1)) == (5, 1)
    cursor.stand(6)
    assert (cursor.onward(1), cursor.onward(-1)) == (None, 5)
    assert (cursor.nearest(0), cursor.nearest(4), cursor.nearest(99)) == (1, 5, 6)


def test_it_goes_on_to_the_next_that_is_wanted(cursor):
    assert cursor.onward(1, lambda line: isinstance(line, Fold)) == 6
    assert cursor.onward(1, lambda _line: False) is None


def test_it_stays_with_its_connection_wherever_that_comes_to_stand(cursor):
    cursor.stand(2)
    assert not cursor.put([Single(C), HEADING, Single(B)])
    assert (cursor.at, cursor.name) == (2, "b")


def test_where_its_line_is_gone_it_keeps_to_what_took_its_place(cursor):
    cursor.stand(5)
    assert cursor.put([HEADING, Single(A), Single(B)])
    assert cursor.name == "b"
    assert not cursor.put(LINES)
    assert cursor.at == 2


def test_without_lines_it_is_on_nothing_and_finds_its_connection_again(cursor):
    cursor.stand(2)
    for empty in ([], [HEADING]):
        assert not cursor.put(empty)
        assert (cursor.line, cursor.names, cursor.onward(1), cursor.nearest(0)) == (None, [], None, None)
    assert not cursor.put(LINES)
    assert cursor.name == "b"


def test_it_opens_a_fold_stands_on_the_first_of_it_and_closes_it_again(cursor):
    assert not cursor.unfold()
    cursor.stand(6)
    assert (cursor.name, cursor.names) == (None, ["d", "e"])
    assert cursor.unfold()
    assert (cursor.unfolded, cursor.name) == ({FOLD.key}, "d")
    assert not cursor.put([HEADING, Single(A), Single(D, FOLD.key), Single(E, FOLD.key)])
    assert cursor.at == 2
    assert cursor.fold()
    assert not cursor.unfolded
    assert not cursor.put(LINES)
    assert cursor.line is FOLD


def test_it_seeks_a_connection_that_is_to_have_a_line(cursor):
    cursor.seek("e")
    assert cursor.name == "e"
    assert not cursor.put([FOLD, Single(E)])
    assert cursor.at == 1
