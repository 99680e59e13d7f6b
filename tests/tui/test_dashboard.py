"""The dashboard as an operator meets it: what is on the screen at each size and in each phase."""

from __future__ import annotations

import pytest

from manager.model import Failure, FailureClass, Phase, Stage
from tests.tui.conftest import line_with, row_of, screen_text, text_gone, text_seen
from tests.tui.driving import app_of, keys, rows
from tests.tui.fake_client import connection, exchange, waiting
from tui import phases
from tui.glyphs import ASCII, UNICODE
from tui.preferences import Preferences

SAYS = {
    Phase.UP: ("up", "12 ms", "registered until"),
    Phase.SUSPECT: ("suspect", "1/3", "no answer to OPTIONS since"),
    Phase.CONNECTING: ("connecting", "4/15", "trying now", "after connection refused"),
    Phase.WAITING: ("waiting", "4/15", "━", " s  connection refused"),
    Phase.PARKED: ("parked", "next try ", "connection refused"),
    Phase.BLOCKED: ("blocked", "next try ", "wrong secret or ACL", "mend the password"),
    Phase.PAUSED: ("paused", "paused since", "p resumes"),
    Phase.STOPPED: ("stopped", "not managed now"),
}


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
async def test_a_row_says_its_phase_by_glyph_and_word_and_what_belongs_to_it(glyphs):
    statuses = [connection(f"the-{phase.value}-one", phase=phase) for phase in Phase]
    app, _ = app_of(*statuses, preferences=Preferences(ascii=glyphs.ascii_only))
    async with app.run_test(size=(140, 40)) as pilot:
        await text_seen(pilot, "the-stopped-one")
        for phase, words in SAYS.items():
            row = row_of(app, f"the-{phase.value}-one")
            assert row[1] == glyphs.phases[phase]
            assert "pbx1:5060/tcp" in row
            told = row.replace(f"the-{phase.value}-one", "")
            for word in words:
                assert glyphs.plain(word) in told


async def test_the_row_of_a_connection_whose_service_is_lost_says_that_nothing_is_known_of_it():
    away = Failure(
        kind=FailureClass.TRANSIENT, stage=Stage.SESSION, reason="not known: munich is not attached"
    )
    app, _ = app_of(connection("desk", phase=Phase.STOPPED, failure=away))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "stopped")
        assert away.reason in row_of(app, "desk")


async def test_the_header_counts_by_phase_and_judges_the_worst_first():
    app, _ = app_of(*exchange(), title="berlin")
    async with app.run_test(size=(140, 40)) as pilot:
        await text_seen(pilot, "degraded")
        header = line_with(app, "degraded")
        for words in ("■ 1 blocked", "▲ 1 parked", "↻ 2 waiting", "● 8 up", "of 15 · berlin"):
            assert words in header
        text = screen_text(app)
        assert text[2][13:].startswith("■ pbx2  wrong secret or ACL")
        assert "stopped at 2 of 4 logins" in text[2]
        assert text[4].rstrip().endswith("+2 more")


async def test_a_narrow_header_is_one_line_and_two_verdicts():
    app, _ = app_of(*exchange())
    async with app.run_test(size=(80, 24)) as pilot:
        await text_seen(pilot, "61 %")
        text = screen_text(app)
        assert text[0].startswith(" 61 %")
        assert text[1].startswith(" ■ pbx2")
        assert text[2].rstrip().endswith("+3 more")
        assert text[3].startswith(" SIP")
        assert text[-5].startswith(" Events")


async def test_with_nothing_configured_the_health_is_unknown_and_a_sentence_says_what_to_do():
    app, _ = app_of()
    async with app.run_test(size=(200, 24)) as pilot:
        await text_seen(pilot, "unknown")
        await text_seen(pilot, "No connection is configured.")
        await text_seen(pilot, "config.toml")
        assert "reconnect" not in keys(app)


async def test_a_start_that_goes_well_is_opening_and_no_alarm():
    first = {"phase": Phase.CONNECTING, "failure": None, "attempt": 0, "down_since": None}
    app, client = app_of(connection("a", **first), connection("b", **first))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "opening  ▸ 2 connecting  of 2")
        await text_seen(pilot, "opening 2 connections for the first time")
        client.change("a", phase=Phase.WAITING, attempt=1, **waiting(1, 60))
        await text_seen(pilot, "critical")


async def test_sections_without_connections_do_not_show():
    app, _ = app_of(connection("a", "ami"), connection("b", "carrier-pigeon", facts={"speed_kmh": 80}))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "AMI ─")
        text = "\n".join(screen_text(app))
        assert "SIP" not in text
        assert "WebSocket" not in text
        assert "carrier-pigeon ─" in text
        assert "speed kmh 80" in text


async def test_columns_stand_where_they_stood_when_values_change():
    app, client = app_of(*exchange())
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk-6002")
        before = row_of(app, "pbx3-ami")
        client.change("pbx3-ami", latency=0.140, facts={"version": "22.10.1", "calls": 112})
        await text_seen(pilot, "112 calls")
        after = row_of(app, "pbx3-ami")
        assert before.index("ms") == after.index("ms")
        assert before.index("Asterisk") == after.index("Asterisk")


async def test_at_40_columns_the_worst_of_all_types_comes_first_and_every_problem_says_why():
    app, _ = app_of(*exchange())
    async with app.run_test(size=(40, 20)) as pilot:
        await text_seen(pilot, "7 up")
        assert screen_text(app)[3].startswith("■ pbx2-ami     wrong secret or ACL")
        for status in exchange():
            if not phases.well(status):
                assert len(row_of(app, status.name[:11]).split(maxsplit=2)) == 3
        await pilot.press("G", "enter")
        await text_seen(pilot, "● desk-6002")
        await pilot.press("g", "enter")
        await text_seen(pilot, "■ pbx2-ami  blocked")
        await pilot.press("J")
        await text_seen(pilot, "↻ desk-6001")


async def test_resizing_lays_everything_out_anew_and_keeps_the_cursor():
    app, _ = app_of(*exchange())
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "degraded")
        await pilot.press("j", "j")
        name = rows(app).selected_name
        await pilot.resize_terminal(40, 20)
        await text_gone(pilot, "degraded")
        assert "61 %" in screen_text(app)[0]
        await pilot.resize_terminal(120, 40)
        await text_seen(pilot, "degraded")
        assert rows(app).selected_name == name


async def test_two_hundred_connections_fold_and_every_problem_is_seen():
    many = [connection(f"desk-{i}", host=f"host{i % 11}") for i in range(185)]
    app, _ = app_of(*many, *exchange())
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "189 up")
        text = "\n".join(screen_text(app))
        for status in exchange():
            if status.phase is not Phase.UP:
                assert status.name in text
