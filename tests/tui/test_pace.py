"""How often the screen is drawn."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tui.pace import BUSY, CALM, URGENT, Pace
from tui.tempo import RATE, Tempo


class Owner:
    """A widget whose time is moved by hand, and its timer."""

    def __init__(self) -> None:
        self.now = 0.0
        self.is_running = True
        self.drawn: list[float] = []
        self._timer: tuple[float, Callable[[], None]] | None = None
        self.tempo = Tempo(lambda: self.now)
        self.pace = Pace(self, lambda: self.now, lambda: self.drawn.append(self.now), self.tempo)

    def set_timer(self, delay: float, callback: Callable[[], None]) -> Owner:
        self._timer = (self.now + delay, callback)
        return self

    def stop(self) -> None:
        self._timer = None

    def until(self, end: float) -> None:
        while self._timer is not None and self._timer[0] <= end:
            self.now, callback = self._timer
            callback()
        self.now = end

    def ask(self, times: int, every: float, interval: float) -> None:
        start = self.now
        for number in range(times):
            self.until(start + number * every)
            self.pace.request(interval)


@pytest.fixture
def owner() -> Owner:
    return Owner()


def test_after_a_quiet_time_it_is_drawn_at_once(owner):
    owner.pace.request(CALM)
    owner.until(10)
    owner.pace.request(CALM)
    assert owner.drawn == [0, 10]


def test_nothing_is_drawn_nor_timed_for_what_has_left_the_screen(owner):
    owner.pace.request(CALM)
    owner.is_running = False
    owner.pace.request(CALM)
    owner.until(10)
    owner.pace.request(CALM)
    assert owner.drawn == [0]


def test_a_few_requests_are_drawn_together_when_the_interval_is_over(owner):
    for _ in range(3):
        owner.pace.request(CALM)
    owner.until(1)
    assert owner.drawn == [0, CALM]


def test_a_more_urgent_request_does_not_wait_for_the_others(owner):
    owner.pace.request(CALM)
    owner.pace.request(CALM)
    owner.pace.request(URGENT)
    owner.until(1)
    assert owner.drawn == [0, URGENT]


@pytest.mark.parametrize("interval", [CALM, URGENT])
@pytest.mark.parametrize("rate", [200, 2000])
def test_many_requests_are_drawn_four_times_a_second(owner, interval, rate):
    owner.ask(times=10 * rate, every=1 / rate, interval=interval)
    assert 39 <= len(owner.drawn) <= 43
    assert all(
        later - earlier >= BUSY - 1e-9
        for earlier, later in zip(owner.drawn[2:], owner.drawn[3:], strict=False)
    )


def test_once_it_is_calm_again_it_is_drawn_as_often_as_is_asked(owner):
    owner.ask(times=1000, every=0.002, interval=CALM)
    owner.until(owner.now + 2)
    before = len(owner.drawn)
    owner.ask(times=20, every=0.2, interval=CALM)
    assert len(owner.drawn) == before + 20


def test_what_must_be_drawn_now_is_drawn_now_however_much_happens(owner):
    owner.ask(times=1000, every=0.002, interval=CALM)
    owner.pace.request(0)
    assert owner.drawn[-1] == owner.now


def test_a_picture_waits_for_as_long_as_the_bytes_of_the_one_before_take(owner):
    written = 0
    owner.tempo.written = lambda: written
    owner.pace.request(CALM)
    written += RATE // 2
    owner.pace.request(URGENT)
    owner.until(0.49)
    assert owner.drawn == [0]
    owner.until(0.51)
    assert owner.drawn == [0, 0.5]


def test_however_much_was_written_a_second_is_the_longest_wait(owner):
    written = 0
    owner.tempo.written = lambda: written
    owner.pace.request(CALM)
    written += 100 * RATE
    owner.ask(2, 0.01, CALM)
    owner.until(10)
    assert owner.drawn == [0, 1]


def test_what_a_key_asks_for_waits_for_no_bytes(owner):
    owner.tempo.written = lambda: 100 * RATE
    owner.pace.request(CALM)
    owner.pace.request(0)
    assert owner.drawn == [0]


def test_a_slow_terminal_is_drawn_on_half_as_often_when_somebody_says_so(owner):
    owner.tempo.asked = True
    owner.ask(2, 0, CALM)
    owner.until(10)
    assert owner.drawn == [0, 2 * CALM]


def test_a_terminal_that_falls_behind_counts_as_slow_until_a_minute_after_it_has_caught_up(owner):
    owner.tempo.waiting = lambda: 4
    owner.ask(3, 0.1, CALM)
    assert owner.tempo.slow
    owner.tempo.waiting = lambda: 0
    owner.until(60.1)
    assert owner.tempo.slow
    owner.until(60.3)
    assert not owner.tempo.slow


def test_a_terminal_that_is_behind_for_a_moment_as_at_the_start_is_not_slow(owner):
    owner.tempo.waiting = lambda: 4
    owner.ask(2, 0.1, CALM)
    owner.tempo.waiting = lambda: 0
    owner.ask(2, 0.1, CALM)
    owner.tempo.waiting = lambda: 4
    owner.ask(2, 0.1, CALM)
    assert not owner.tempo.slow


def test_nothing_is_drawn_for_a_terminal_that_takes_nothing_and_the_newest_once_it_does(owner):
    owner.tempo.waiting = lambda: 8
    owner.ask(20, 0.05, URGENT)
    owner.until(5)
    assert owner.drawn == []
    owner.tempo.waiting = lambda: 0
    owner.until(6)
    assert len(owner.drawn) == 1
