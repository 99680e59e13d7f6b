"""The ring of the log."""

from __future__ import annotations

import gc
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from tests.tui.log.lines import filled, line
from tests.tui.test_sanitise import EVIL
from tui.log.entry import Level
from tui.log.store import LONGEST, LogStore

levels = st.sampled_from(Level)


@given(st.lists(levels, max_size=400), st.integers(min_value=1, max_value=60))
def test_the_ring_holds_no_more_than_its_limit_in_order_and_counts_what_it_drops(added, limit):
    store = LogStore(limit)
    for level in added:
        entry = store.add(line(level=level))
        assert store.entries[-1] is entry
        assert len(store.entries) <= limit
    numbers = [entry.number for entry in store.entries]
    assert numbers == sorted(set(numbers))
    for level in Level:
        held = [entry for entry in store.entries if entry.kind.level <= level]
        assert store.held(level) == len(held)
        assert store.held(level) + store.dropped(level) == sum(each <= level for each in added)
    assert all(store.holds(entry) for entry in store.entries)


@given(st.lists(levels, max_size=200), st.integers(min_value=1, max_value=30))
def test_what_is_dropped_is_the_oldest_of_its_kind(added, limit):
    store = LogStore(limit)
    every = [store.add(line(level=level)) for level in added]
    kept = set(map(id, store.entries))
    for detail in (True, False):
        of_a_kind = [id(each) in kept for each in every if (each.kind.level is Level.DETAIL) is detail]
        assert of_a_kind == sorted(of_a_kind)


def test_a_flood_of_answered_heartbeats_does_not_push_problems_out():
    store = LogStore(1000)
    problems = [store.add(line(level=Level.PROBLEM)) for _ in range(800)]
    for _ in range(5000):
        store.add(line(level=Level.DETAIL))
    assert all(store.holds(problem) for problem in problems)
    assert store.dropped(Level.CHANGE) == 0
    assert store.held(Level.DETAIL) - store.held(Level.CHANGE) == 1000 - 800


def test_problems_push_details_out_only_down_to_their_share_and_then_the_oldest():
    store = LogStore(1000)
    for _ in range(1000):
        store.add(line(level=Level.DETAIL))
    for _ in range(3000):
        store.add(line(level=Level.PROBLEM))
    assert store.held(Level.CHANGE) >= 800
    assert {entry.kind.level for entry in store.entries} == {Level.PROBLEM}


def test_texts_are_made_harmless_and_bounded_as_they_are_kept():
    store = LogStore()
    entry = store.add(line(EVIL + "x" * 5000, subject=EVIL, word=EVIL))
    assert len(entry.text) == LONGEST
    assert (entry.text + entry.subject + entry.kind.word).isprintable()


def test_the_same_text_is_kept_once():
    store, word = LogStore(), "refused"
    one, other = (store.add(line(f"connection {word}")) for _ in range(2))
    assert one.text is other.text
    assert one.kind is other.kind


def test_a_hundred_thousand_entries_of_different_texts_take_less_than_40_mib():
    gc.collect()
    tracemalloc.start()
    store = LogStore()
    for number in range(100_000):
        store.add(line(f"8 s to attempt 4/15 · connection refused by peer {number}"))
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(store.entries) == 100_000
    assert taken < 40 * 2**20


def test_an_entry_is_found_by_its_number_and_its_successor_where_it_has_gone():
    store = filled(10, limit=5)
    assert [entry.number for entry in store.entries] == [6, 7, 8, 9, 10]
    assert store.index_of(8) == 2
    assert store.index_of(2) == 0
    assert store.index_of(11) == 5
