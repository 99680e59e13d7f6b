"""The key that writes a report: which outage, where it stands, and what is said when it cannot be written."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from msgspec.structs import replace

from manager.events import Stable
from manager.model import Phase
from tests.tui.conftest import screen_text, seen, text_seen
from tests.tui.driving import app_of, keys, rows
from tests.tui.fake_client import connection, waiting
from tui.preferences import Preferences

NOW = 1_795_400_000.0


def reports(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "state" / "trunkline").glob("incident-*.md"))


def lose(client, name: str) -> None:
    client.change(name, phase=Phase.WAITING, attempt=1, stable=False, down_since=NOW, **waiting(300, 300))


def bring_back(client, name: str) -> None:
    client.change(name, phase=Phase.UP, up_since=NOW + 60, failure=None, deadline=None)
    status = replace(client.statuses[name], stable=True, down_since=None)
    client.emit(Stable, status=status)


@pytest.fixture
def copied(monkeypatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr("textual.app.App.copy_to_clipboard", lambda _app, text: found.append(text))
    return found


async def test_i_writes_the_outage_of_the_selected_row_names_the_file_and_offers_a_copy(tmp_path, copied):
    app, client = app_of(connection("desk"), connection("other", host="pbx2"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        lose(client, "desk")
        bring_back(client, "desk")
        lose(client, "other")
        await seen(pilot, lambda: app.screen.board.statuses["other"].phase is Phase.WAITING)
        while rows(app).selected_name != "desk":
            await pilot.press("j")
        await pilot.press("i")
        await text_seen(pilot, "holds the report")
        (path,) = reports(tmp_path)
        assert path.name in keys(app)
        assert "offered to the terminal too" in keys(app)
        text = path.read_text()
        assert text.startswith("# Outage of pbx1\n")
        assert "other" not in text
        assert copied == [text]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_a_row_that_was_never_lost_has_the_last_outage_of_all_reported(tmp_path, copied):
    app, client = app_of(connection("desk"), connection("other", host="pbx2"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        lose(client, "other")
        await seen(pilot, lambda: app.screen.board.statuses["other"].phase is Phase.WAITING)
        while rows(app).selected_name != "desk":
            await pilot.press("j")
        await pilot.press("i")
        await text_seen(pilot, "holds the report")
        assert reports(tmp_path)[0].read_text().startswith("# Outage of pbx2\n")


async def test_where_nothing_was_lost_it_says_so_and_writes_nothing(tmp_path, copied):
    app, _ = app_of(connection("desk"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        await pilot.press("i")
        await text_seen(pilot, "no report: no connection was lost, as far as this dashboard has seen")
        assert not reports(tmp_path)
        assert not copied


async def test_a_report_that_cannot_be_written_says_why_in_plain_words(tmp_path, copied):
    (tmp_path / "state").write_text("a file where the folder should be")
    app, client = app_of(connection("desk"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        lose(client, "desk")
        await text_seen(pilot, "refuses")
        await pilot.press("i")
        await text_seen(pilot, "there is a file where a folder should be")
        assert "no report: there is a file" in keys(app)
        assert not copied


async def test_a_report_too_long_for_a_clipboard_is_not_offered_to_it(tmp_path, copied, monkeypatch):
    monkeypatch.setattr("tui.clipboard.LIMIT", 10)
    app, client = app_of(connection("desk"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        lose(client, "desk")
        await text_seen(pilot, "refuses")
        await pilot.press("i")
        await text_seen(pilot, "holds the report")
        assert "too long to offer it to the terminal" in keys(app)
        assert not copied
        assert reports(tmp_path)


async def test_names_that_are_hidden_on_the_screen_are_hidden_in_the_report(tmp_path, copied):
    app, client = app_of(connection("desk"), preferences=Preferences(privacy=True, read_only=True))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "sip-1")
        lose(client, "desk")
        await text_seen(pilot, "refuses")
        await pilot.press("i")
        await text_seen(pilot, "holds the report")
        text = reports(tmp_path)[0].read_text()
        assert "desk" not in text
        assert "pbx1" not in text
        assert "sip-1" in text


async def test_what_a_terminal_would_obey_reaches_neither_file_nor_clipboard(tmp_path, copied):
    hostile = "desk\x1b]52;c;AAAA\x07\u202e"
    app, client = app_of(connection(hostile))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "SIP")
        lose(client, hostile)
        await text_seen(pilot, "waiting")
        await pilot.press("i")
        await text_seen(pilot, "holds the report")
        text = reports(tmp_path)[0].read_text()
        assert text.replace("\n", "").isprintable()
        assert copied == [text]
        assert "\x1b" not in "".join(screen_text(app))
