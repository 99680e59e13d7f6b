"""Times, durations, counts, and what is made to fit."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui import formats
from tui.paint import bar
from tui.row import Countdown
from tui.sanitise import clean


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0004, "<1 ms"),
        (0.031, "31 ms"),
        (0.31, "0.3 s"),
        (1.0, "1 s"),
        (1.25, "1.2 s"),
        (8.0, "8 s"),
        (45.4, "45 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "119 min"),
        (7200, "2 h"),
        (33_120, "9 h 12 min"),
        (259_200, "3 d"),
    ],
)
def test_a_duration_has_one_or_two_units(seconds, shown):
    assert formats.duration(seconds) == shown


@pytest.mark.parametrize(
    ("remaining", "shown"),
    [(30.0, "30 s"), (29.999, "30 s"), (4.2, "5 s"), (1.0, "1 s"), (0.2, "1 s"), (0.0, "1 s"), (-3.0, "1 s")],
)
def test_a_countdown_shows_the_second_that_has_begun_and_never_zero(remaining, shown):
    assert formats.countdown(remaining) == shown


def test_a_countdown_of_more_than_a_thousand_seconds_shows_minutes():
    assert formats.countdown(1800) == "30 min"
    assert formats.countdown(999) == "999 s"


@given(st.floats(min_value=0.001, max_value=5000))
def test_a_countdown_says_something_else_right_after_its_next_change_and_not_before(remaining):
    countdown = Countdown(deadline=remaining, wait=remaining)
    change = countdown.next_change(0.0)
    if change is None:
        assert countdown.seconds(0.0) == countdown.seconds(remaining + 10) == "1 s"
        return
    assert 0 < change <= 60
    assert countdown.seconds(max(change - 0.001, 0.0)) == countdown.seconds(0.0)
    assert countdown.seconds(change + 0.001) != countdown.seconds(0.0)


def test_a_bar_is_full_when_a_wait_begins_and_empty_only_when_it_ends():
    countdown = Countdown(deadline=8.0, wait=8.0)
    assert bar(countdown.left(0.0), 12) == ("━" * 12, "")
    assert bar(countdown.left(4.0), 12) == ("━" * 6, "─" * 6)
    assert bar(countdown.left(7.99), 12) == ("╸", "─" * 11)
    assert bar(countdown.left(8.0), 12) == ("", "─" * 12)


@given(st.floats(min_value=0, max_value=1), st.integers(min_value=0, max_value=40))
def test_a_bar_keeps_its_width(left, width):
    assert len("".join(bar(left, width))) == width


def test_a_moment_of_another_day_has_its_date():
    now = time.mktime((2026, 11, 23, 20, 0, 0, 0, 0, -1))
    assert formats.moment(now - 60, now) == "19:59:00"
    assert formats.moment(now - 86_400 * 3, now) == "20 Nov 20:00"
    # A night shift reads times across midnight without a date.
    assert formats.moment(now, now + 5 * 3600) == "20:00:00"


def test_counts_have_their_thousands_apart_and_words_agree():
    assert formats.count(1204) == "1,204"
    assert formats.plural(1, "call") == "1 call"
    assert formats.plural(4, "call") == "4 calls"


@given(st.text(max_size=60), st.integers(min_value=0, max_value=30), st.sampled_from(["left", "right"]))
def test_what_is_made_to_fit_has_exactly_its_width(text, width, align):
    assert cell_len(formats.fit(clean(text), width, align)) == width


def test_what_is_cut_ends_in_an_ellipsis():
    assert formats.fit("trunk-telekom-berlin", 8) == "trunk-t…"
    assert formats.fit("12 ms", 8, "right") == "   12 ms"
