"""A shorter writing comes to the same picture."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.grid import Grid
from tui.difference import Difference

COLUMNS, LINES = 24, 4
RED, GREEN, ON_BLUE = "\x1b[38;2;255;0;0m", "\x1b[32m", "\x1b[38;2;255;0;0;48;2;0;0;255m"
STYLES = ["", RED, GREEN, ON_BLUE, "\x1b[7;32m", "\x1b[1;38;5;9;48;5;4m", "\x1b[4m", "\x1b[48;2;0;0;255m"]
LETTERS = st.sampled_from("aab 5 ●━東é" + "\u0301")


def at(line: int, column: int, text: str, style: str = "") -> str:
    return f"\x1b[{line + 1};{column + 1}H" + (f"{style}{text}\x1b[0m" if style else text)


def shown(*writings: str) -> Grid:
    grid = Grid(COLUMNS, LINES)
    for writing in writings:
        grid.feed(writing.encode())
    return grid


@st.composite
def pictures(draw) -> str:
    pieces = []
    for line in draw(st.lists(st.integers(0, LINES - 1), min_size=1, max_size=LINES)):
        column, text = draw(st.integers(0, COLUMNS - 1)), ""
        for style in draw(st.lists(st.sampled_from(STYLES), min_size=1, max_size=4)):
            letters = draw(st.text(LETTERS, max_size=8))
            while column + cell_len(text + letters) > COLUMNS:
                letters = letters[:-1]
                if not letters:
                    break
            if letters:
                text += letters
                pieces.append(at(line, column + cell_len(text) - cell_len(letters), letters, style))
    return "".join(pieces) or at(0, 0, "a")


@given(st.lists(pictures(), max_size=8))
def test_what_is_left_out_stands_there_already(written):
    difference = Difference()
    shorter = [difference.shorten(writing) for writing in written]
    assert shown(*shorter).looks == shown(*written).looks


def test_the_same_picture_again_is_not_written():
    difference = Difference()
    picture = at(0, 0, "desk-6001  5 s", ON_BLUE) + at(1, 0, "pbx1")
    assert difference.shorten(picture)
    assert difference.shorten(picture) == ""


def test_a_number_that_ticks_costs_its_digit_and_its_colours():
    difference = Difference()
    difference.shorten(at(2, 4, " 15 s", RED))
    assert difference.shorten(at(2, 4, " 14 s", RED)) == "\x1b[3;7H\x1b[38;2;255;0;0m4\x1b[0m"


def test_only_the_colour_that_is_another_is_sent():
    difference = Difference()
    written = difference.shorten(at(0, 0, "a", ON_BLUE) + at(0, 1, "b", "\x1b[38;2;0;255;0;48;2;0;0;255m"))
    assert written.endswith("a\x1b[38;2;0;255;0mb\x1b[0m")


def test_what_changes_in_two_styles_on_many_lines_is_written_style_by_style():
    difference = Difference()

    def rows(bar: str, seconds: str) -> str:
        return "".join(at(line, 0, bar, RED) + at(line, 8, seconds, GREEN) for line in range(LINES))

    difference.shorten(rows("━━", "15"))
    written = difference.shorten(rows("━─", "14"))
    assert written.count("m") == 3
    assert shown(rows("━━", "15"), written).looks == shown(rows("━─", "14")).looks


def test_blanks_of_one_background_are_the_same_whatever_their_letters_would_be_like():
    difference = Difference()
    difference.shorten(at(0, 0, "   ", RED))
    assert difference.shorten(at(0, 0, "   ", GREEN)) == ""
    assert difference.shorten(at(0, 0, "   ", "\x1b[7;32m")) != ""


@pytest.mark.parametrize("other", ["\x1b[?1049h", "\x1b]52;c;eA==\x07", "\x1b[?2048$p", "\x07", "", "plain"])
def test_what_is_no_picture_is_passed_on_as_it_is(other):
    difference = Difference()
    assert difference.shorten(other) == other


def test_everything_is_written_anew_on_a_screen_that_was_somebody_elses():
    for forget in (Difference.forget, lambda difference: difference.shorten("\x1b[?1049h")):
        difference = Difference()
        first = difference.shorten(at(0, 0, "desk"))
        forget(difference)
        assert difference.shorten(at(0, 0, "desk")) == first


def test_a_cursor_that_is_put_somewhere_stays_there_and_one_in_the_corner_is_not_put():
    difference = Difference()
    difference.shorten(at(0, 0, "rows /de"))
    assert difference.shorten(at(0, 0, "rows /de") + "\x1b[1;9H") == "\x1b[1;9H"
    assert difference.shorten(at(0, 0, "rows /de") + "\x1b[1;1H") == ""
