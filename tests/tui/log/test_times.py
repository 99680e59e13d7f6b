"""How times of the log are shown, and where in a line the words are."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest

from tui.log.marks import pieces
from tui.log.times import STEP, Times, age, iso

NIGHT = time.mktime((2026, 11, 23, 2, 14, 26, 0, 0, -1))


@pytest.fixture
def _berlin(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()


@pytest.mark.usefixtures("_berlin")
def test_three_ways_to_tell_a_time():
    night = time.mktime((2026, 11, 23, 2, 14, 26, 0, 0, -1))
    assert [each.stamp(night, night + 130) for each in Times] == ["02:14:26", "2 min", "01:14:26Z"]
    assert Times.LOCAL.next.next.next is Times.LOCAL


@pytest.mark.usefixtures("_berlin")
def test_a_file_has_the_date_the_milliseconds_and_the_zone():
    night = time.mktime((2026, 11, 23, 2, 14, 26, 0, 0, -1)) + 0.25
    assert iso(night, utc=False) == "2026-11-23T02:14:26.250+01:00"
    assert iso(night, utc=True) == "2026-11-23T01:14:26.250Z"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        *((-5, "now"), (0, "now"), (9.9, "now"), (10, "10 s"), (59, "50 s"), (119, "110 s"), (120, "2 min")),
        *((7199, "119 min"), (7200, "2 h"), (47 * 3600, "47 h"), (48 * 3600, "2 d"), (9e6, "104 d")),
    ],
)
def test_an_age_is_told_in_coarse_steps(seconds, shown):
    assert age(seconds) == shown
    assert len(shown) <= Times.AGO.width


def test_an_age_changes_no_oftener_than_it_is_redrawn():
    changes = [second for second in range(1, 600) if age(second) != age(second - 1)]
    assert min(later - earlier for earlier, later in pairwise(changes)) >= STEP


def test_the_day_is_told_where_it_is_another():
    assert Times.LOCAL.day(NIGHT, NIGHT + 3600) == ""
    assert Times.LOCAL.day(NIGHT, NIGHT + 24 * 3600) == "23 Nov"
    assert Times.AGO.day(NIGHT, NIGHT + 24 * 3600) == ""


@pytest.mark.parametrize(
    ("text", "words", "marked"),
    [
        ("connection refused", ("refused",), ["refused"]),
        ("Refused, REFUSED", ("refused",), ["Refused", "REFUSED"]),
        ("a.b axb", ("a.b",), ["a.b"]),
        ("desk-6001", ("desk", "desk-6001"), ["desk-6001"]),
        ("plain", (), []),
        ("", ("x",), []),
    ],
)
def test_words_are_found_as_they_are_written(text, words, marked):
    found = list(pieces(text, words))
    assert [piece for piece, is_marked in found if is_marked] == marked
    assert "".join(piece for piece, _ in found) == text
