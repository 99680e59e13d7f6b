"""What the sections of the details say, apart from the screen."""

from __future__ import annotations

import math
import time

import pytest

from manager.history import History, Sample
from manager.model import Failure, FailureClass, Phase, Stage
from tests.tui.fake_client import REFUSED, connection
from tests.tui.remembered import change, failed, remembered
from tui import glyphs, rows, themes
from tui.details import attempts, failures, latency, timeline
from tui.details.subject import Subject
from tui.line import Ink
from tui.page import Writer

INK = Ink(themes.load("trunkline-dark"), glyphs.UNICODE)


def told(section, history: History, width: int = 100, **fields) -> str:
    writer = Writer(INK, width)
    section.write(writer, Subject(connection("desk", **fields), history, (), time.time()))
    return "\n".join(
        " ".join(piece.text for piece in line) for each in writer.sections for line in each.lines
    )


def bar(*changes, width: int = 12) -> str:
    """Return the bar of an hour that ends now, a cell five minutes."""
    now = time.time()
    lasted = list(timeline.spans(changes, now))
    cells = timeline.cells(lasted, now - 3600, now, width)
    return "".join("?" if phase is None else phase.value[0] for phase in cells)


def test_a_cell_of_the_bar_shows_the_worst_that_was_in_it():
    assert bar() == "????????????"
    assert bar(change(1790, Phase.UP, Phase.WAITING)) == "wwwwwwwuuuuu"
    assert bar(change(1850, Phase.PARKED, Phase.UP), change(1849, Phase.UP, Phase.PARKED)) == "uuuuupuuuuuu"
    assert bar(change(3200, Phase.PAUSED, Phase.UP)) == "uppppppppppp"


def test_what_was_before_the_first_change_is_known_by_it():
    assert len(list(timeline.spans([change(60, Phase.CONNECTING, Phase.STOPPED)], time.time()))) == 1
    ((since, until, phase), _) = timeline.spans([change(60, Phase.UP, Phase.CONNECTING)], time.time())
    assert (since, phase) == (-math.inf, Phase.CONNECTING)
    assert until == pytest.approx(time.time() - 60, abs=5)


def test_failures_that_are_alike_are_one_with_how_often_and_since_when():
    history = remembered("desk", failures=tuple(failed(REFUSED, 100 - number) for number in range(5)))
    text = told(failures, history)
    assert text.count("connection refused") == 1
    assert "5 times since" in text
    assert "nothing listens there" in text


def test_a_failure_says_what_it_means_and_how_long_the_server_asked_to_wait():
    busy = Failure(kind=FailureClass.OVERLOAD, stage=Stage.LOGIN, reason="503", retry_after=90.0)
    text = told(failures, remembered("desk", failures=(failed(busy), failed(REFUSED, probe="refresh"))))
    assert "overload, at login: the server asks for patience" in text
    assert "asked us to wait 90 s" in text
    assert "transient, at connect of a refresh: may pass by itself" in text


@pytest.mark.parametrize("width", [38, 100])
def test_an_attempt_says_which_it_was_and_what_came_of_it(width):
    history = remembered(
        "desk",
        change(100, Phase.CONNECTING, Phase.WAITING, attempt=2),
        change(98, Phase.WAITING, Phase.CONNECTING, failure=REFUSED),
        change(90, Phase.CONNECTING, Phase.WAITING, attempt=3),
        change(89, Phase.PAUSED, Phase.CONNECTING),
        change(80, Phase.CONNECTING, Phase.PAUSED),
        change(79, Phase.UP, Phase.CONNECTING),
        change(50, Phase.CONNECTING, Phase.UP, attempt=1),
    )
    text = " ".join(told(attempts, history, width).split())
    for words in ("2/15", "connect: connection refused after 2", "broken off after 1", "unnumbered",
                  "up after 1", "under way"):  # fmt: skip
        assert words in text


def test_only_so_many_changes_and_attempts_are_told_and_the_rest_counted():
    changes = [
        change(4000 - number, *((Phase.UP, Phase.CONNECTING) if number % 2 else (Phase.CONNECTING, Phase.UP)))
        for number in range(60)
    ]
    text = told(timeline, remembered("desk", *changes, dropped=7))
    assert "40 older changes are remembered · 7 are no longer held" in text
    assert "10 older ones are remembered" in told(attempts, remembered("desk", *changes))


def test_the_chart_marks_losses_and_does_not_draw_over_them():
    now = time.time()
    samples = [Sample(now - 3600 + 25 * number, None if 72 <= number < 75 else 0.02) for number in range(144)]
    lines = latency.chart(samples, now, 80, 10)
    assert len(lines) == 10
    assert all(sum(len(piece.text) for piece in line) <= 80 for line in lines)
    pieces = [piece for line in lines for piece in line]
    assert {*"".join(piece.text for piece in pieces if piece.tone == "bad")} == {latency.LOST}
    curve = next(line for line in lines if any(piece.tone == "accent" for piece in line))
    assert len([piece for piece in curve if piece.tone == "accent"]) == 2
    assert (
        latency.summary(samples) == f"median 20 ms, 20 ms to 20 ms · 3 of 144 heartbeats lost {latency.LOST}"
    )


def test_a_chart_of_nothing_but_losses_is_drawn_too():
    samples = [Sample(time.time() - 60, None)]
    assert any(piece.tone == "bad" for line in latency.chart(samples, time.time(), 60, 8) for piece in line)
    assert latency.summary(samples) == f"1 of 1 heartbeat lost {latency.LOST}"


def test_the_chart_stays_as_it_is_within_a_minute_where_nothing_was_measured():
    now = math.ceil(time.time() / 60) * 60 - 50.0
    samples = [Sample(now - 600, 0.02), Sample(now - 500, 0.03)]
    assert latency.chart(samples, now, 80, 10) == latency.chart(samples, now + 45, 80, 10)
    assert latency.chart(samples, now, 80, 10) != latency.chart(samples, now + 65, 80, 10)


def test_a_chart_for_a_terminal_without_unicode_is_drawn_with_asterisks():
    lines = latency.chart([Sample(time.time() - 60, 0.02)], time.time(), 60, 8, ascii_only=True)
    assert any(piece.text.strip("*") == "" for line in lines for piece in line if piece.tone == "accent")


@pytest.mark.parametrize(
    ("type_name", "facts", "lines"),
    [
        (
            "sip",
            {"registrar": "192.0.2.1:5060", "contact": "sip:6001@192.0.2.9", "expires": 60,
             "expires_at": 7200.0, "transport": "tcp", "server": None, "public_address": None,
             "calls_refused": 2, "messages_dropped": 0},
            [("registration", "granted for 60 s, until 02:00:00, refreshed before that"),
             ("flow", "tcp to 192.0.2.1:5060"), ("contact", "sip:6001@192.0.2.9"), ("calls refused", "2")],
        ),
        (
            "ami",
            {"version": "22.10.1", "build": "22.10.1~dfsg", "started": "2026-01-01 00:00:00", "calls": 4},
            [("Asterisk", "22.10.1 (22.10.1~dfsg)"), ("up since", "2026-01-01 00:00:00 by its own clock"),
             ("calls", "4")],
        ),
        (
            "websocket",
            {"messages_in": 1204, "bytes_in": 5000, "messages_out": 1, "subprotocol": "sip",
             "close_code": 1012},
            [("received", "1,204 messages, 5,000 B"), ("sent", "1 message"), ("subprotocol", "sip"),
             ("closed with", "1012 the server restarts")],
        ),
        ("unheard-of", {"one_thing": 1, "nothing": None}, [("one thing", "1")]),
    ],
)  # fmt: skip
def test_each_type_names_what_it_knows(type_name, facts, lines):
    assert rows.details_of(type_name, facts) == lines


@pytest.mark.parametrize("type_name", ["sip", "ami", "websocket", "unheard-of"])
def test_facts_that_are_nothing_of_the_kind_are_no_trouble(type_name):
    facts = dict.fromkeys(("expires", "expires_at", "calls", "messages_in", "close_code"), "\x1b[31m")
    assert all(isinstance(text, str) for line in rows.details_of(type_name, facts) for text in line)
