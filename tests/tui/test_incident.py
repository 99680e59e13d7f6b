"""The report of an outage: what it says, and that nothing from outside becomes more than text in it."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from manager.events import (
    Acknowledged,
    BudgetChanged,
    Commanded,
    LoginWithheld,
    MaxAttemptsReached,
    Muted,
    Stable,
    StateChanged,
)
from manager.model import BudgetStatus, Failure, FailureClass, MuteStatus, Phase, Stage, Status
from tests.tui.fake_client import connection
from tui import incident
from tui.outages import Outage, Outages
from tui.privacy import Privacy
from tui.sanitise import clean

BEGAN = time.mktime((2026, 11, 23, 2, 13, 8, 0, 0, -1))


class Story:
    """Events of an outage, one after another."""

    def __init__(self) -> None:
        self.kept = Outages()
        self.now = BEGAN
        self.statuses: dict[str, Status] = {}

    def event(self, kind: type, **fields) -> None:
        self.kept.told(kind(seq=1, time=self.now, health=50, **fields))

    def phase(self, name: str, phase: Phase, previous: Phase = Phase.UP, **fields) -> None:
        usual = {"since": self.now, "stable": False}
        if phase is not Phase.UP:
            usual["down_since"] = BEGAN
        status = self.statuses[name] = connection(name, phase=phase, **(usual | fields))
        self.event(StateChanged, status=status, previous=previous)

    def lost(self, name: str, **fields) -> None:
        self.phase(name, Phase.WAITING, **fields)

    def tries(self, name: str, number: int, fails: str = "connection refused", **fields) -> None:
        self.phase(name, Phase.CONNECTING, Phase.WAITING, attempt=number, **fields)
        failure = Failure(kind=FailureClass.TRANSIENT, stage=Stage.CONNECT, reason=fails)
        self.phase(name, Phase.WAITING, Phase.CONNECTING, attempt=number + 1, failure=failure, **fields)

    def back(self, name: str, number: int, **fields) -> None:
        self.phase(name, Phase.CONNECTING, Phase.WAITING, attempt=number, **fields)
        self.phase(name, Phase.UP, Phase.CONNECTING, up_since=self.now, down_since=BEGAN, **fields)
        status = connection(name, phase=Phase.UP, up_since=self.now, **fields)
        self.statuses[name] = status
        self.event(Stable, status=status)

    def report(self, whole: int = 5, mask=str) -> str:
        self.kept.settle(self.statuses, self.now)
        outage = self.kept.find()
        assert isinstance(outage, Outage)
        return incident.report(
            outage, whole=whole, deeds=self.kept.deeds, budgets=self.kept.budgets, now=self.now, mask=mask
        )


def night() -> Story:
    story = Story()
    for name in ("desk-1", "desk-2"):
        story.lost(name)
    story.lost("ami", type_name="ami")
    for number in (1, 2, 3):
        story.now += 30
        for name in ("desk-1", "desk-2"):
            story.tries(name, number)
    story.event(Commanded, command="reconnect", connection="desk-1")
    story.event(Commanded, command="refresh", connection="elsewhere")
    story.event(Commanded, command="reconnect", connection=None)
    story.event(Commanded, command="reconnect", connection=None)
    story.event(Muted, mute=MuteStatus(group="pbx1", since=story.now, until=story.now + 60))
    story.event(Muted, mute=MuteStatus(group="pbx7", since=story.now, until=story.now + 60))
    story.event(
        Acknowledged,
        status=connection("desk-2", phase=Phase.WAITING, down_since=BEGAN, acknowledged=story.now),
    )
    story.now += 10
    story.event(
        BudgetChanged, budget=BudgetStatus(host="pbx1", used=2, limit=4, window=600.0, next_free=None)
    )
    story.event(BudgetChanged, budget=BudgetStatus(host="pbx9", used=1, limit=4, window=600.0))
    story.event(LoginWithheld, status=story.statuses["ami"], host="pbx1")
    story.now += 292
    story.back("desk-1", 4)
    story.back("desk-2", 4)
    story.back("ami", 4, type_name="ami")
    return story


def test_a_report_says_what_broke_when_what_was_tried_and_when_it_came_back(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    text = night().report()
    lines = text.splitlines()
    assert lines[0] == "# Outage of pbx1"
    assert "| | local time (CET) | UTC |" in lines
    assert "| began | 2026-11-23 03:13:08 | 2026-11-23 02:13:08 |" in lines
    assert "| ended | 2026-11-23 03:19:40 | 2026-11-23 02:19:40 |" in lines
    assert "It lasted 6 min 32 s. Lost: 3 of 5 connections." in lines
    assert "- On pbx1: refuses 3 of 5 (SIP, AMI); what helps: nothing listens there" in lines
    assert "| 03:13:08 | desk-1, desk-2, ami | lost: connection refused |" in lines
    failed = "attempts 1 to 3 failed, the last at 03:14:38: connection refused"
    assert f"| 03:13:38 | desk-1, desk-2 | {failed} |" in lines
    assert "| 03:14:38 | all | reconnect asked for |" in lines
    assert "| 03:14:48 | ami | no login tried: the budget of pbx1 is used up |" in lines
    assert "| 03:19:40 | desk-1, desk-2, ami | up again with attempt 4 |" in lines
    assert "- 03:14:38 reconnect asked for: desk-1" in lines
    assert "- 03:14:38 reconnect asked for: all, 2 times" in lines
    assert "- 03:14:38 muted: pbx1" in lines
    assert "- 03:14:38 acknowledged: desk-2" in lines
    assert "| desk-1 | SIP | pbx1:5060/tcp | 03:13:08 | 03:19:40 | 6 min 32 s | 1 | 4 |" in lines
    assert "| ami | AMI | pbx1:5038 | 03:13:08 | 03:19:40 | 6 min 32 s | 1 | 1 |" in lines
    assert "- 03:14:48 pbx1: 2 of 4 in 10 min" in lines
    for foreign in ("elsewhere", "pbx7", "pbx9"):
        assert foreign not in text


def test_an_outage_that_is_not_over_says_so():
    story = Story()
    story.lost("desk")
    story.now += 90
    text = story.report(whole=1)
    assert "It is not over: 1 min 30 s so far. Lost: 1 of 1 connection." in text
    assert "| written | 2026-11-23 02:14:38 |" in text
    assert "| not yet | 1 min 30 s | 1 | 0 |" in text
    assert "Nobody asked for anything." in text
    assert "## Refused logins\n\nNone." in text


def test_the_last_attempt_and_what_comes_after_it_are_told():
    story = Story()
    story.lost("desk")
    story.now += 1
    story.phase("desk", Phase.CONNECTING, Phase.WAITING, attempt=15)
    story.phase("desk", Phase.PARKED, Phase.CONNECTING)
    story.event(MaxAttemptsReached, status=story.statuses["desk"], attempts=15)
    for _ in range(2):
        story.now += 300
        story.phase("desk", Phase.CONNECTING, Phase.PARKED, attempt=0)
        story.phase("desk", Phase.PARKED, Phase.CONNECTING)
    text = story.report()
    assert "| attempt 15 failed: connection refused |" in text
    assert "all 15 attempts failed, probed slowly from then on" in text
    assert "| 2 slow probes failed, the last at 02:23:09: connection refused |" in text


def test_many_that_meet_the_same_share_a_row_and_are_counted():
    story = Story()
    for number in range(12):
        story.lost(f"desk-{number}")
    assert "| desk-0, desk-1, desk-2, desk-3 and 8 more | lost: connection refused |" in story.report(12)


def test_a_long_timeline_is_cut_and_says_by_how_much():
    story = Story()
    story.lost("desk")
    for number in range(1, 700):
        story.now += 10
        story.tries("desk", number, fails=f"reason {number}")
    lines = story.report().splitlines()
    assert sum("failed" in line for line in lines) == incident.ROWS - 1
    assert "200 more rows left out here." in lines


def test_what_was_not_seen_is_not_pretended():
    story = Story()
    story.lost("desk")
    story.statuses["desk"] = connection("desk", up_since=BEGAN + 60)
    text = story.report()
    assert "| 02:14:08 | desk | up again |" in text
    assert "Some of it was not seen" in text
    assert "Some of it was not seen" not in night().report()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.94, "0.9 s"),
        (45.2, "45 s"),
        (392.0, "6 min 32 s"),
        (3600.0, "1 h 0 min 0 s"),
        (93_605.0, "1 d 2 h 0 min 5 s"),
    ],
)
def test_lengths_are_told_to_the_second(seconds, words):
    assert incident.length(seconds) == words


# --- hidden names ----------------------------------------------------------------------------------------


def test_a_report_for_others_names_nobody():
    story = night()
    privacy = Privacy()
    privacy.learn(story.statuses.values())
    privacy.on = True
    text = story.report(mask=privacy)
    for secret in ("desk-1", "desk-2", "pbx1"):
        assert secret not in text
    assert "# Outage of host-1" in text
    assert "sip-1" in text


# --- hostile text ----------------------------------------------------------------------------------------

MARKDOWN = MarkdownIt("commonmark").enable("table")
HOSTILE = [
    "](javascript:alert(1))",
    "![x](http://evil/x.png)",
    "<script>alert(1)</script>",
    "a | b || c",
    "`code` ``",
    "**bold** _em_ ~~gone~~",
    "&lt;b&gt; &#x1b;",
    "\x1b]52;c;AAAA\x07",
    "line\nbreak\r\n# heading",
    "\u202eesrever",
    "back\\slash \\| \\",
    "[ref]: http://evil",
    "https://evil www.evil.com",
    "$x$ ^up^",
    "- item\n1. one",
]


def outside(text: str) -> Story:
    story = Story()
    failure = Failure(kind=FailureClass.PERMANENT, stage=Stage.LOGIN, reason=text, hint=text)
    fields = {"failure": failure, "host": text, "endpoint": text}
    story.lost(text, **fields)
    story.tries(text, 1, fails=text, host=text, endpoint=text)
    story.phase(text, Phase.BLOCKED, Phase.CONNECTING, **fields)
    story.event(LoginWithheld, status=story.statuses[text], host=text)
    story.event(Commanded, command="reconnect", connection=text)
    story.event(BudgetChanged, budget=BudgetStatus(host=text, used=1, limit=4, window=600.0))
    return story


def shape(text: str) -> list[str]:
    """Return what a reader of Markdown makes of a text, apart from its words."""
    found = []
    for token in MARKDOWN.parse(text):
        if token.type == "inline":
            found += [child.type for child in token.children if child.type != "text_special"]
        else:
            found.append(token.type)
    return [kind for kind in found if kind != "text"]


def words(text: str) -> str:
    """Return the text that a reader of Markdown sees."""
    inline = [token for token in MARKDOWN.parse(text) if token.type == "inline"]
    return " ".join("".join(child.content for child in token.children) for token in inline)


PLAIN = shape(outside("plain").report())


@given(
    st.one_of(
        st.sampled_from(HOSTILE),
        st.text(min_size=1),
        st.text("\\`*_[]()<>|~#&!$^:/w.-+= \n\t\x1b", min_size=1),
    )
)
@settings(deadline=None, max_examples=120)
def test_whatever_comes_from_outside_is_shown_as_it_is_and_becomes_nothing_else(text):
    report = outside(text).report()
    assert shape(report) == PLAIN
    assert report.replace("\n", "").isprintable()
    shown = clean(text)
    shown = shown if len(shown) <= 300 else shown[:299] + "…"
    if shown.strip():
        assert " ".join(shown.split()) in " ".join(words(report).split())


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_hostile_gets_through_where_names_are_hidden(text):
    story, privacy = outside(text), Privacy()
    privacy.learn(story.statuses.values())
    privacy.on = True
    assert shape(story.report(mask=privacy)) == PLAIN


def test_addresses_do_not_become_links_where_bare_ones_do():
    gfm = MarkdownIt("gfm-like")
    report = outside("https://evil.example/x and www.evil.example").report()
    assert "<a " not in gfm.render(report)


def test_no_screen_is_needed_to_write_a_report():
    code = "import sys, tui.incident, tui.outages; sys.exit('textual' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
