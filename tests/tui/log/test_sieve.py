"""Filters, and how they are worked out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tui.log.lines import line
from tui.log.entry import Level
from tui.log.sieve import Filter, Sieve
from tui.log.store import LogStore


@pytest.mark.parametrize(
    ("wanted", "passes"),
    [
        (Filter(), ["problem", "change"]),
        (Filter(Level.PROBLEM), ["problem"]),
        (Filter(Level.DETAIL), ["problem", "change", "detail"]),
        (Filter(subjects=frozenset({"ami", "x"})), ["change"]),
        (Filter(word="waiting"), ["problem"]),
        (Filter(words=("desk", "waiting")), ["problem"]),
        (Filter(words=("prob", "chan")), []),
        (Filter(Level.DETAIL, words=("e",)), ["problem", "change", "detail"]),
    ],
)
def test_a_filter_lets_through_what_it_asks_for(wanted, passes):
    store = LogStore()
    store.add(line("Problem", Level.PROBLEM, word="waiting"))
    store.add(line("Change", Level.CHANGE, subject="ami"))
    store.add(line("Detail", Level.DETAIL))
    sieve = Sieve(store, wanted)
    sieve.sift()
    assert [entry.text.lower() for entry in sieve.found] == passes


added = st.tuples(st.sampled_from(Level), st.sampled_from("ab"), st.sampled_from(["x", "y"]))
wanted = st.builds(
    Filter,
    st.sampled_from(Level),
    st.sampled_from([frozenset(), frozenset("a")]),
    st.sampled_from(["", "x"]),
    st.sampled_from([(), ("b",), ("a", "x")]),
)


@given(st.lists(added | st.integers(0, 7), max_size=150), wanted, st.integers(1, 40))
def test_whatever_the_order_of_adding_and_looking_what_is_found_is_what_passes(steps, wanted, limit):
    """A step is something added, or a slice of so many entries."""
    store = LogStore(limit)
    sieve = Sieve(store, wanted)
    for step in steps:
        if isinstance(step, int):
            sieve.sift(step + 1)
        else:
            level, subject, word = step
            store.add(line("", level, subject=subject, word=word))
    while not sieve.complete:
        sieve.sift(7)
    sieve.sift()
    assert sieve.found == [entry for entry in store.entries if wanted.accepts(entry)]


def test_a_slice_looks_at_no_more_than_it_may():
    store = LogStore()
    for _ in range(100):
        store.add(line())
    sieve = Sieve(store, Filter())
    sieve.sift(30)
    assert len(sieve.found) == 30
    assert not sieve.complete
    sieve.sift()
    assert len(sieve.found) == 100
    assert sieve.complete
