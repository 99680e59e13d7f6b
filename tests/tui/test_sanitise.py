"""What comes from outside is shown, never obeyed."""

from __future__ import annotations

import asyncio
import io
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.segment import Segments
from textual.events import Paste

from manager.events import LoginWithheld, ProbeFailed, Reported
from manager.model import BudgetStatus, Failure, FailureClass, Phase, Result, Stage
from tests.hostile import HOSTILE
from tests.tui.conftest import screen_text, seen, text_seen
from tests.tui.fake_client import FakeClient, connection, waiting
from tests.tui.meter import SIZE, Meter
from tui import glyphs, themes
from tui.app import ExtraKey, TrunklineApp
from tui.line import Ink, Line
from tui.sanitise import clean

EVIL = "\x1b]52;c;ZXZpbA==\x07\x1b[31mred\x9b1m\x7f\u202egnp\u202c\u200b\u2028\r\n\x00[bold]x[/] [/"
FORBIDDEN = {*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), *"\u202e\u202c\u200b\u2028\u2066"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("connection refused", "connection refused"),
        ("Zürich ☎ 東京", "Zürich ☎ 東京"),
        ("\x1b[31m", "␛[31m"),
        ("a\r\nb", "a␍␊b"),
        ("\x7f", "␡"),
        ("\x9b", "<9B>"),
        ("\u202ex", "<202E>x"),
        ("a\u200bb", "a<200B>b"),
        ("a\u00a0b\tc\u3000d", "a b c d"),
        ("\u2028", "<2028>"),
    ],
)
def test_what_a_terminal_would_obey_becomes_visible(text, shown):
    assert clean(text) == shown


@given(st.text())
def test_clean_text_is_printable_whatever_came_in(text):
    assert clean(text).isprintable()


def test_a_megabyte_without_an_end_is_not_looked_at_to_its_end():
    assert len(clean("a" * 1_000_000)) == 4096


@given(st.text(max_size=40), st.integers(min_value=1, max_value=60), st.booleans())
def test_a_line_writes_no_control_character_to_the_terminal(text, width, ascii_only):
    ink = Ink(themes.load("ansi"), glyphs.ASCII if ascii_only else glyphs.UNICODE)
    strip = Line(ink, width).add(text, "warn").add(text, "text", 10).strip()
    assert strip.cell_length == width
    assert strip.text.isprintable()
    assert strip.text.isascii() or not ascii_only


def evil_failure() -> Failure:
    return Failure(kind=FailureClass.TRANSIENT, stage=Stage.CONNECT, reason=EVIL, hint=EVIL)


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("size", [(120, 40), (40, 20)])
async def test_hostile_text_reaches_no_sink_in_any_phase(phase, size):
    facts = {"version": EVIL, "calls": 1, EVIL: EVIL}
    client = FakeClient(
        connection(EVIL, "ami", phase, host=EVIL, endpoint=EVIL, facts=facts, failure=evil_failure()),
        connection("other", EVIL, phase, host="h", endpoint=EVIL, facts=facts, failure=evil_failure()),
        budgets=(BudgetStatus(host=EVIL, used=1, limit=4, window=600.0, next_free=None),),
    )
    client.answer = lambda _command: (
        Result(connection=EVIL, ok=False, text=EVIL, status=client.statuses[EVIL]),
    )

    async def evil_key(name: str | None) -> str:
        return f"{name}{EVIL}"

    app = TrunklineApp(client, title=EVIL, keys=[ExtraKey("x", EVIL, evil_key)])
    async with app.run_test(size=size) as pilot:
        await text_seen(pilot, "red")
        status = client.statuses[EVIL]
        client.emit(ProbeFailed, status=status, probe=EVIL, failure=evil_failure())
        client.emit(Reported, status=status, report=EVIL, text=EVIL, fields={})
        client.emit(LoginWithheld, status=status, host=EVIL)
        await seen(pilot, lambda: app.screen.query_one("#log").total == 3)
        await pilot.press("p")
        await asyncio.sleep(0)
        check(app)
        await pilot.press("x")
        await text_seen(pilot, "red")
        check(app)
        await pilot.press("slash", "z", "z")
        await text_seen(pilot, "nothing matches")
        check(app)


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_the_bytes_for_a_terminal_hold_text_and_its_colours_alone(hostile):
    failure = Failure(kind=FailureClass.TRANSIENT, stage=Stage.CONNECT, reason=hostile, hint=hostile)
    facts = {"version": hostile, "calls": 1, "subprotocol": hostile, "registrar": hostile, hostile: hostile}
    client = FakeClient(
        *[
            connection(
                f"{number}{hostile}",
                kind,
                phase,
                host=hostile,
                endpoint=hostile,
                facts=facts,
                failure=failure,
            )
            for number, (kind, phase) in enumerate(product(("sip", "ami", "websocket", hostile), Phase))
        ],
        budgets=(BudgetStatus(host=hostile, used=4, limit=4, window=600.0, next_free=None),),
    )
    app = Meter(client, title=hostile, keys=[ExtraKey("x", hostile, hostile.__add__)])
    async with app.run_test(size=SIZE) as pilot:
        await seen(pilot, lambda: app.screen.board.loaded)
        for status in list(client.statuses.values())[:9]:
            client.emit(ProbeFailed, status=status, probe=hostile, failure=failure)
            client.emit(Reported, status=status, report=hostile, text=hostile, fields={hostile: hostile})
            client.emit(LoginWithheld, status=status, host=hostile)
        await pilot.press("question_mark")
        await pilot.press("escape", "p")
        await pilot.pause()
        check(app)
    assert app.grid.strange == []


def check(app: TrunklineApp) -> None:
    """See that neither the cells nor the bytes for a terminal hold anything to obey."""
    for line in screen_text(app):
        assert not any(character in line for character in FORBIDDEN), repr(line)
    for strip in app.screen._compositor.render_strips(app.size):
        for segment in strip:
            assert not segment.control
            assert segment.style is None or segment.style.link is None
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, color_system="truecolor", width=app.size.width)
    console.print(Segments(seg for strip in app.screen._compositor.render_strips(app.size) for seg in strip))
    assert "]52;" not in written.getvalue().replace("␛]52;", "")


async def test_pasted_text_is_made_harmless_too():
    client = FakeClient(connection("desk", phase=Phase.WAITING, **waiting(8, 5)))
    app = TrunklineApp(client)
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        await pilot.press("slash")
        app.screen.query_one("#filter").post_message(Paste(EVIL))
        await text_seen(pilot, "rows /␛]52")
        check(app)
