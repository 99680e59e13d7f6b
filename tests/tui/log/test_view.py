"""Where one stands in the log, and that one stays there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.tui.log.lines import filled, line, texts, viewed
from tui.log import words
from tui.log.entry import Level
from tui.log.sieve import SLICE, Filter
from tui.log.store import LogStore
from tui.log.view import LogView


def add(view: LogView, *added: str, level: Level = Level.CHANGE, subject: str = "desk") -> None:
    for text in added:
        view.store.add(line(text, level, subject=subject))
    view.advance()


def current(view: LogView) -> str:
    assert view.current is not None
    return view.current.text


def test_it_follows_the_newest_until_one_moves_and_again_at_the_end():
    view = viewed(filled(10))
    assert texts(view) == ["6", "7", "8", "9", "10"]
    add(view, "11")
    assert (current(view), texts(view)[0]) == ("11", "7")
    view.move(-1)
    add(view, "12", "13")
    assert not view.following
    assert (current(view), texts(view), view.unseen) == ("10", ["7", "8", "9", "10", "11"], 2)
    view.move(3)
    assert view.following
    assert view.unseen == 0


def test_a_window_that_leaps_makes_room_for_some_lines_and_stays_until_it_is_full():
    view = viewed(filled(5))
    view.resize(6, leap=2)
    add(view, "6")
    assert texts(view) == ["1", "2", "3", "4", "5", "6"]
    add(view, "7")
    assert texts(view) == ["4", "5", "6", "7"]
    add(view, "8", "9")
    assert texts(view) == ["4", "5", "6", "7", "8", "9"]
    add(view, "10")
    assert texts(view) == ["7", "8", "9", "10"]


def test_what_is_read_stays_where_a_leap_put_it_and_a_window_that_is_resized_is_full():
    view = viewed(filled(6))
    view.resize(6, leap=2)
    add(view, "7")
    view.follow(False)
    assert texts(view) == ["4", "5", "6", "7"]
    add(view, "8", "9", "10")
    assert (current(view), texts(view)) == ("7", ["4", "5", "6", "7", "8", "9"])
    view.follow(True)
    assert texts(view) == ["7", "8", "9", "10"]
    view.resize(9, leap=3)
    assert texts(view) == ["2", "3", "4", "5", "6", "7", "8", "9", "10"]


def test_more_lines_at_a_time_than_a_leap_makes_room_for_fill_the_window():
    view = viewed(filled(6))
    view.resize(6, leap=2)
    add(view, "7", "8", "9")
    assert texts(view) == ["4", "5", "6", "7", "8", "9"]
    view.only_word("down")
    assert texts(view) == []
    view.only_word("down")
    assert texts(view) == ["4", "5", "6", "7", "8", "9"]


def test_fewer_lines_than_the_window_begin_at_its_top():
    view = viewed(filled(2))
    assert (view.top, texts(view)) == (0, ["1", "2"])
    view.move(-1)
    add(view, "3", "4")
    assert (view.top, texts(view)) == (0, ["1", "2", "3", "4"])


def test_pages_and_ends():
    view = viewed(filled(20))
    view.page(-1)
    assert (current(view), view.top) == ("16", 15)
    view.page(-1)
    assert (current(view), view.top) == ("12", 11)
    view.edge(-1)
    assert texts(view) == ["1", "2", "3", "4", "5"]
    view.page(1)
    assert current(view) == "5"
    view.edge(1)
    assert (current(view), view.following) == ("20", True)


def test_what_is_read_does_not_move_while_the_ring_drops_the_oldest():
    view = viewed(filled(50, limit=50))
    view.page(-2)
    before = texts(view)
    add(view, *map(str, range(51, 80)))
    assert texts(view) == before
    assert not view.overrun


def test_when_the_line_one_stands_on_is_dropped_it_says_so_and_stays_at_the_oldest():
    view = viewed(filled(50, limit=50))
    view.page(-2)
    add(view, *map(str, range(51, 120)))
    assert view.overrun
    assert texts(view) == ["70", "71", "72", "73", "74"]
    assert words.state(view) == "held at the oldest, the rest was dropped"
    add(view, "120")
    assert texts(view)[0] == "71"
    view.move(1)
    assert not view.overrun
    assert current(view) == "72"


def test_a_hold_holds_even_on_the_newest_line():
    view = viewed(filled(10))
    view.follow(False)
    add(view, "11")
    assert (current(view), view.unseen) == ("10", 1)
    view.follow(True)
    assert current(view) == "11"


def test_another_filter_keeps_the_line_where_it_is_on_the_screen():
    store = LogStore()
    for number in range(60):
        store.add(line(str(number), Level.PROBLEM if number % 3 == 0 else Level.CHANGE))
    view = viewed(store)
    view.move(-30)
    view.move(2)
    view.move(1)
    row, was = view.at - view.top, current(view)
    assert int(was) % 3 != 0 or view.move(1) is None
    view.move(-(int(current(view)) % 3))
    row, was = view.at - view.top, current(view)
    view.next_level()
    assert (view.at - view.top, current(view)) == (row, was)
    assert {int(text) % 3 for text in texts(view)} == {0}
    view.next_level()
    view.next_level()
    assert view.filter == Filter()
    assert (view.at - view.top, current(view)) == (row, was)


def test_a_line_that_is_filtered_away_is_stood_in_for_and_found_again():
    view = viewed(filled(10))
    add(view, "other", subject="ami")
    view.move(-4)
    assert current(view) == "7"
    view.only_subjects(frozenset({"ami"}))
    assert current(view) == "other"
    view.only_subjects(frozenset({"ami"}))
    assert current(view) == "7"


def test_only_this_again_shows_all_again():
    view = viewed(filled(3))
    view.only_word("up")
    assert view.filter.word == "up"
    view.only_word("up")
    view.only_subjects(frozenset({"a"}))
    view.only_subjects(frozenset({"b"}))
    assert view.filter.subjects == {"b"}
    view.clear()
    assert view.filter == Filter()
    assert words.narrowed(view) == []


def test_a_search_goes_to_the_nearest_older_match_and_on_around_the_ends():
    view = viewed(filled(30))
    view.move(-10)
    view.begin_search()
    view.seek("2")
    assert (current(view), view.hits, view.following) == ("20", (3, 12), False)
    assert words.search(view) == "“2” 3 of 12"
    assert view.step(1) is False
    assert current(view) == "21"
    assert view.step(-1) is False
    assert view.step(-1) is False
    assert view.step(-1) is False
    assert current(view) == "2"
    assert view.step(-1) is True
    assert current(view) == "29"
    assert view.step(1) is True
    assert current(view) == "2"


def test_a_search_that_is_taken_back_leads_back():
    view = viewed(filled(30))
    view.begin_search()
    view.seek("1")
    view.seek("11")
    assert (current(view), view.following) == ("11", False)
    view.seek("11x")
    assert (current(view), view.following, words.search(view)) == ("30", True, "“11x” no match")
    view.seek("1")
    assert current(view) == "21"
    view.seek("")
    assert (current(view), view.following, view.hits) == ("30", True, (0, 0))


def test_a_search_that_is_taken_back_leads_back_to_the_line_that_was_held_and_its_place():
    view = viewed(filled(30))
    view.move(-12)
    view.move(2)
    before = current(view), texts(view)
    view.begin_search()
    view.seek("3")
    assert current(view) == "13"
    view.seek("")
    assert (current(view), texts(view)) == before


def test_a_search_needs_all_of_its_words_wherever_they_stand():
    view = viewed(filled(3))
    add(view, "Connection Refused", subject="desk-6001")
    view.seek("refused 6001 UP")
    assert view.hits == (1, 1)
    view.seek("refused 6002")
    assert view.hits == (0, 0)


def test_matches_grow_with_the_log_and_say_when_one_is_on_none():
    view = viewed(filled(3))
    view.seek("2")
    add(view, "2", "4")
    assert view.hits == (1, 2)
    view.move(1)
    assert words.search(view) == "“2” 2 matches"


def test_the_lines_that_match_alone_and_those_around_them_again():
    view = viewed(filled(30))
    view.seek("2")
    view.only_hits()
    assert texts(view) == ["25", "26", "27", "28", "29"]
    assert words.narrowed(view) == ["only “2”"]
    assert view.hits == (12, 12)
    view.step(-1)
    view.only_hits()
    assert (current(view), texts(view)[0] in map(str, range(22, 29))) == ("28", True)


def test_selected_lines_are_those_between_both_ends_that_pass_the_filter():
    view = viewed(filled(10))
    assert view.selected == range(9, 10)
    view.select()
    add(view, "11")
    view.move(-2)
    assert [view.lines[index].text for index in view.selected] == ["8", "9", "10"]
    view.edge(1)
    assert not view.following, "the cursor would run on and select what comes"
    assert len(view.selected) == 2
    view.select()
    assert not view.selecting


def test_an_empty_log_can_be_asked_everything():
    view = viewed(LogStore())
    for act in (view.select, view.next_level, view.only_hits, view.clear):
        act()
    view.move(1)
    view.page(-1)
    view.edge(1)
    view.seek("x")
    assert view.step(1) is False
    assert (view.current, view.window, view.selected, view.hits, view.unseen) == (
        None,
        [],
        range(0),
        (0, 0),
        0,
    )


def test_a_filter_over_a_hundred_thousand_is_worked_out_in_slices_and_the_old_lines_stay_meanwhile():
    view = viewed(filled(100_000))
    before = texts(view)
    view.only_word("down")
    slices = 1
    while view.working:
        assert texts(view) == before
        view.advance()
        slices += 1
    assert slices == 100_000 // SLICE
    assert view.lines == []


def test_lines_that_come_while_a_search_is_worked_out_are_in_it():
    view = viewed(filled(2 * SLICE))
    view.seek("newer")
    add(view, "newer")
    while view.advance():
        pass
    assert view.hits[1] == 1


class Reading(RuleBasedStateMachine):
    """Everything that can happen to a log, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.view = LogView(LogStore(40))

    def _quietly(self, number: int, level: Level) -> None:
        for count in range(number):
            self.view.store.add(line(str(count), level, subject="ab"[count % 2]))
        self.view.advance()

    @rule(number=st.integers(1, 30), level=st.sampled_from(Level))
    def lines_come(self, number, level):
        held, before = not self.view.following, self.view.window
        self._quietly(number, level)
        kept = [entry for entry in before if self.view.store.holds(entry)]
        if held and kept == before:
            assert self.view.window[: len(before)] == before

    @rule(steps=st.integers(-12, 12))
    def move(self, steps):
        self.view.move(steps)

    @rule(side=st.sampled_from([-1, 1]))
    def page_or_end(self, side):
        self.view.page(side)

    @rule(height=st.integers(1, 9), leap=st.integers(0, 4))
    def resize(self, height, leap):
        self.view.resize(height, leap=leap)

    @rule(following=st.booleans())
    def follow(self, following):
        self.view.follow(following)

    @rule()
    def level(self):
        self.view.next_level()

    @rule(subject=st.sampled_from("ab"))
    def only(self, subject):
        self.view.only_subjects(frozenset(subject))

    @rule(text=st.sampled_from(["", "1", "2", "a", "zz"]))
    def search(self, text):
        self.view.begin_search()
        self.view.seek(text)

    @rule()
    def only_hits(self):
        self.view.only_hits()

    @precondition(lambda self: self.view.search)
    @rule(direction=st.sampled_from([-1, 1]))
    def step(self, direction):
        self.view.step(direction)
        at, number = self.view.hits
        assert bool(at) == bool(number)

    @rule()
    def select(self):
        self.view.select()

    @rule()
    def clear(self):
        self.view.clear()

    @invariant()
    def the_lines_are_those_that_pass(self):
        wanted = self.view.filter
        assert self.view.lines == [each for each in self.view.store.entries if wanted.accepts(each)]

    @invariant()
    def the_cursor_is_in_the_window_and_the_window_in_the_log(self):
        view = self.view
        if view.lines:
            assert view.current in view.window
            assert 0 <= view.top <= view.at < len(view.lines)
            assert set(view.selected) <= set(range(len(view.lines)))
        if view.following and view.lines:
            assert view.current is view.lines[-1]
        assert 0 <= view.unseen <= len(view.lines)

    @invariant()
    def the_matches_are_counted(self):
        view = self.view
        found = [entry for entry in view.lines if view.search and entry.holds(view.search)]
        assert view.hits[1] == len(found)


TestReading = Reading.TestCase


@given(st.lists(st.integers(-3, 3), max_size=30))
def test_moving_back_and_forth_moves_the_window_only_at_its_edges(steps):
    view = viewed(filled(40))
    view.move(-20)
    for step in steps:
        top, at = view.top, view.at
        view.move(step)
        if top <= at + step < top + 5:
            assert view.top == top


@pytest.mark.parametrize(("level", "counted"), [(Level.CHANGE, "2"), (Level.DETAIL, "3")])
def test_the_count_is_of_the_lines_of_the_level(level, counted):
    view = viewed(filled(2))
    add(view, "detail", level=Level.DETAIL)
    while view.filter.level is not level:
        view.next_level()
    assert words.count(view) == counted
