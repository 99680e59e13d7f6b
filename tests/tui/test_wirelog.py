"""How many messages are held for the wire view, and which."""

from __future__ import annotations

import pytest

from manager.events import Gap
from tests.tui.remembered import message
from tui import wirelog
from tui.wirelog import WireLog


def texts(log: WireLog) -> list[str]:
    return [entry.text for entry in log.messages()]


def test_messages_that_are_too_much_together_go_the_oldest_first(monkeypatch):
    monkeypatch.setattr(wirelog, "LARGEST", 100)
    log = WireLog()
    gone = log.append(message(number, f"{number}" * 40, kind="text") for number in range(4))
    assert [text[0] for text in texts(log)] == ["2", "3"]
    assert (gone, log.dropped, log.total) == (2, 2, 4)


def test_what_is_held_in_a_pause_is_bounded_too_and_counted_once(monkeypatch):
    monkeypatch.setattr(wirelog, "LIMIT", 3)
    log = WireLog()
    log.append([message(0, "before", kind="text")])
    log.pause(True)
    for number in range(1, 6):
        log.append([message(number, str(number), kind="text")])
    assert (texts(log), log.waiting, log.dropped) == (["before"], 3, 2)
    log.pause(False)
    assert (texts(log), log.total, log.dropped) == (["3", "4", "5"], 6, 3)


@pytest.mark.parametrize("words", ["", "even"])
def test_what_is_shown_goes_with_what_is_kept(monkeypatch, words):
    monkeypatch.setattr(wirelog, "LIMIT", 4)
    log = WireLog()
    log.filter(words)
    log.append([Gap(missed=3)])
    for number in range(9):
        log.append([message(number, f"{number} {'odd' if number % 2 else 'even'}", kind="text")])
    assert texts(log) == [text for text in ("5 odd", "6 even", "7 odd", "8 even") if words in text]
    log.filter("")
    assert len(log.shown) == 4
