"""Spans of time as people type them."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui import span

NOON = time.mktime((2026, 11, 23, 12, 0, 0, 0, 0, -1))


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("30 min", 1800.0),
        ("30min", 1800.0),
        ("2 h", 7200.0),
        ("1 h 30 min", 5400.0),
        ("0.5h", 1800.0),
        (" 90 S ", 90.0),
        ("2 d", 172_800.0),
        ("until 18:30", 6.5 * 3600),
        ("18:30", 6.5 * 3600),
        ("until 06:00", 18 * 3600.0),
        ("until 12:00", 24 * 3600.0),
    ],
)
def test_what_is_typed_is_understood(words, seconds):
    assert span.seconds_of(words, NOON) == seconds


@pytest.mark.parametrize(
    "words",
    ["", "30", "soon", "0 min", "min", "25:00", "until 12:60", "-5 min", "2 h and more", "1 h x 2 h", "²h"],
)
def test_what_is_no_time_is_refused_with_examples(words):
    with pytest.raises(span.SpanError, match="is no time: 30 min, 2 h, until 06:00"):
        span.seconds_of(words, NOON)


@given(st.text())
def test_any_text_is_a_time_to_come_or_refused(words):
    seconds = None
    with suppress(span.SpanError):
        seconds = span.seconds_of(words, NOON)
    assert seconds is None or seconds > 0
