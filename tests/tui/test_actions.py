"""What an operator does about a trouble, what becomes of it in the row, and why not where it is refused."""

from __future__ import annotations

import asyncio
import time

import pytest
from msgspec.structs import replace

from manager.client import Acknowledge, Mute, Refresh, Skip
from manager.errors import UnknownGroupError
from manager.events import Acknowledged, Muted, Unmuted
from manager.model import MuteStatus, Phase, Result
from tests.tui.conftest import line_with, row_of, screen_text, seen, text_gone, text_seen
from tests.tui.driving import app_of, keys, rows
from tests.tui.fake_client import DROPS, FakeClient, connection, exchange, scored, waiting
from tui.app import TrunklineApp

SIX = time.mktime((2026, 11, 23, 6, 0, 0, 0, 0, -1))


def answering(client, ok: bool, text: str, **fields):
    """Have every command about one connection answered so."""

    def answer(command):
        status = client.statuses[command.name]
        return (Result(connection=command.name, ok=ok, text=text, status=status, **fields),)

    client.answer = answer


def acknowledge(client, name: str, instant: float | None) -> None:
    status = replace(client.statuses[name], acknowledged=instant)
    client.emit(Acknowledged, status=scored(status))


def mute(client, group: str, until: float) -> None:
    given = MuteStatus(group=group, since=time.time(), until=until)
    client.mutes = (given,)
    client.emit(Muted, mute=given)


# --- s: skip the countdown -----------------------------------------------------------------------------


@pytest.mark.parametrize("phase", [Phase.WAITING, Phase.PARKED])
async def test_s_skips_a_countdown_and_tells_what_came_of_it_in_the_row(phase):
    app, client = app_of(connection("desk", phase=phase))
    answering(client, False, "refused once more")
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "s skip")
        await pilot.press("s")
        await seen(pilot, lambda: "refused once more" in row_of(app, "desk"))
        assert client.commands == [Skip(name="desk")]


async def test_s_on_a_row_without_a_countdown_is_not_offered_and_says_why_not():
    app, client = app_of(connection("desk"))
    answering(client, False, "up: there is no countdown to skip")
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "r reconnect")
        assert "skip" not in keys(app)
        await pilot.press("s")
        await seen(pilot, lambda: "up: there is no countdown to skip" in row_of(app, "desk"))


async def test_s_skips_only_the_countdowns_among_the_marked_rows():
    app, client = app_of(
        connection("a", phase=Phase.WAITING), connection("b"), connection("c", phase=Phase.PARKED)
    )
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "SIP")
        await pilot.press("asterisk", "s")
        await seen(pilot, lambda: client.commands == [Skip(name="a"), Skip(name="c")])


async def test_a_skip_that_the_login_budget_forbids_says_until_when_and_r_goes_past_it():
    app, client = app_of(connection("ami", "ami", Phase.WAITING))
    answering(client, False, "not tried", next_login=SIX)
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "s skip")
        await pilot.press("s")
        await text_seen(pilot, "no login before 06:00:00 · r overrides")
        await pilot.press("r")
        await seen(pilot, lambda: len(client.commands) == 2)
        assert client.commands[1].override


# --- U: refresh what is selected -----------------------------------------------------------------------


async def test_u_in_capitals_asks_the_selected_one_alone():
    app, client = app_of(*exchange())
    answering(client, True, "12 ms · all well")
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk-6001")
        while rows(app).selected_name != "desk-6002":
            await pilot.press("j")
        await pilot.press("U")
        await seen(pilot, lambda: "12 ms · all well" in row_of(app, "desk-6002"))
        assert client.commands == [Refresh(name="desk-6002")]


async def test_u_in_capitals_on_a_row_that_is_not_up_says_why_not():
    app, client = app_of(connection("desk", phase=Phase.WAITING))
    answering(client, False, "waiting: nobody listens")
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        await pilot.press("U")
        await text_seen(pilot, "waiting: nobody listens")
        assert client.commands == [Refresh(name="desk")]


# --- a: acknowledge ------------------------------------------------------------------------------------


async def test_a_acknowledges_and_the_row_and_its_verdict_are_dimmed_behind_the_others():
    known, other = (
        connection("ami", "sip", Phase.BLOCKED, host="pbx2"),
        connection("desk", phase=Phase.SUSPECT),
    )
    app, client = app_of(known, other)
    answering(client, True, "done with")
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "a ack")
        assert rows(app).selected_name == "ami"
        await pilot.press("a")
        await seen(pilot, lambda: "done with" in row_of(app, "ami"))
        assert client.commands == [Acknowledge(name="ami")]
        rows(app).parent.operator.orders.feedback.clear()
        acknowledge(client, "ami", SIX)
        await seen(pilot, lambda: "acknowledged 23 Nov 06:00 · wrong secret" in row_of(app, "ami"))
        text = screen_text(app)
        verdicts = [index for index, line in enumerate(text) if "pbx1" in line or "pbx2" in line]
        assert "pbx1" in text[verdicts[0]]
        assert "pbx2  acknowledged 23 Nov 06:00" in text[verdicts[1]]
        names = [line[3:7].strip() for line in text if line[3:7].strip() in ("ami", "desk")]
        assert names == ["desk", "ami"]
        assert " a ack" not in keys(app)


async def test_a_again_takes_the_acknowledgement_back():
    app, client = app_of(connection("ami", "ami", Phase.BLOCKED, acknowledged=SIX))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "acknowledged")
        await pilot.press("a")
        await seen(pilot, lambda: client.commands == [Acknowledge(name="ami", withdraw=True)])
        acknowledge(client, "ami", None)
        await text_gone(pilot, "acknowledged 23 Nov")


async def test_of_several_only_those_are_acknowledged_that_are_not_yet():
    app, client = app_of(
        connection("a", phase=Phase.WAITING, acknowledged=SIX),
        connection("b", phase=Phase.WAITING),
        connection("c"),
    )
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "SIP")
        await pilot.press("asterisk", "a")
        await seen(pilot, lambda: client.commands == [Acknowledge(name="b")])


async def test_a_on_a_row_that_is_well_is_not_offered_and_says_why_not():
    app, client = app_of(connection("desk"))
    answering(client, False, "up: there is no trouble to acknowledge")
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "r reconnect")
        assert " a ack" not in keys(app)
        await pilot.press("a")
        await seen(pilot, lambda: "there is no trouble to acknowledge" in row_of(app, "desk"))


async def test_a_connection_that_is_up_but_drops_in_a_rhythm_can_be_acknowledged():
    app, client = app_of(connection("desk", flap=DROPS))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "a ack")
        await pilot.press("a")
        await seen(pilot, lambda: client.commands == [Acknowledge(name="desk")])
        acknowledge(client, "desk", SIX)
        await text_seen(pilot, "acknowledged 23 Nov 06:00 · drops after")
        assert "registered until" in row_of(app, "desk")
        await pilot.press("a")
        await seen(pilot, lambda: client.commands[1:] == [Acknowledge(name="desk", withdraw=True)])


async def test_acknowledged_and_other_troubles_of_a_host_do_not_share_a_row():
    statuses = [
        connection(f"desk-{n}", phase=Phase.WAITING, acknowledged=SIX if n % 2 else None) for n in range(40)
    ]
    app, _ = app_of(*statuses)
    async with app.run_test(size=(120, 24)) as pilot:
        await text_seen(pilot, "acknowledged · connection refused")
        folds = [line for line in screen_text(app) if "on pbx1" in line]
        assert len(folds) == 2
        assert "acknowledged" in folds[1]


# --- m: mute -------------------------------------------------------------------------------------------


async def test_m_mutes_the_group_of_the_row_for_the_time_that_is_typed():
    app, client = app_of(connection("desk", phase=Phase.WAITING, **waiting(300, 300)), connection("b"))

    def answer(command):
        return tuple(
            Result(connection=name, ok=True, text=f"{command.group} is muted", status=status)
            for name, status in client.statuses.items()
        )

    client.answer = answer
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        await pilot.press("m")
        await text_seen(pilot, "mute pbx1 for: ")
        assert "30 min, 2 h, until 06:00" in keys(app)
        await pilot.press(*"30 min")
        assert client.commands == []
        await pilot.press("enter")
        await seen(pilot, lambda: client.commands == [Mute(group="pbx1", seconds=1800.0)])
        await seen(pilot, lambda: all("pbx1 is muted" in row_of(app, name) for name in ("desk", "b")))
        mute(client, "pbx1", SIX)
        await text_seen(pilot, "pbx1 muted until 23 Nov 06:00")
        line = line_with(app, "refuses")
        assert "muted until 23 Nov 06:00 · refuses desk" in line
        client.commands.clear()
        await pilot.press("m")
        await seen(pilot, lambda: client.commands == [Mute(group="pbx1", seconds=0.0)])
        client.emit(Unmuted, group="pbx1", expired=False)
        await seen(pilot, lambda: "muted until" not in "\n".join(screen_text(app)[:4]))


@pytest.mark.parametrize("typed", [["escape"], ["3", "0", "escape"], ["enter"]])
async def test_nothing_is_muted_without_a_time(typed):
    app, client = app_of(connection("desk"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        await pilot.press("m", *typed)
        await text_seen(pilot, "r reconnect")
        assert client.commands == []


async def test_a_time_that_is_none_is_refused_with_examples():
    app, client = app_of(connection("desk"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        await pilot.press("m", *"soon", "enter")
        await text_seen(pilot, "not muted: “soon” is no time: 30 min, 2 h, until 06:00")
        assert client.commands == []


async def test_a_time_that_the_manager_refuses_says_why_in_the_row():
    app, client = app_of(connection("desk"))

    def refuse(_command):
        raise UnknownGroupError("no connection is in a group called 'pbx1'")

    client.answer = refuse
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        await pilot.press("m", *"2 h", "enter")
        await text_seen(pilot, "not done: no connection is in a group called 'pbx1'")


async def test_the_groups_of_all_marked_rows_are_muted():
    app, client = app_of(connection("a"), connection("b", host="pbx2"), connection("c", host="pbx2"))
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "SIP")
        await pilot.press("asterisk", "m")
        await text_seen(pilot, "mute 2 groups for: ")
        await pilot.press(*"2 h", "enter")
        await seen(pilot, lambda: [command.group for command in client.commands] == ["pbx1", "pbx2"])


async def test_mutes_that_were_there_before_the_dashboard_are_shown_and_end_with_their_event():
    app, client = app_of(connection("desk"))
    client.mutes = tuple(MuteStatus(group=group, since=0.0, until=SIX) for group in ("pbx1", "pbx2"))
    async with app.run_test(size=(80, 24)) as pilot:
        await text_seen(pilot, "2 groups muted")
        client.emit(Unmuted, group="pbx2", expired=True)
        await text_seen(pilot, "pbx1 muted until 23 Nov 06:00")


# --- q: leave ------------------------------------------------------------------------------------------


async def test_q_just_leaves_a_manager_that_runs_elsewhere():
    app, client = app_of(*exchange())
    client.embedded = False
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "q leave")
        await pilot.press("q")
        await seen(pilot, lambda: app._exit)


async def test_the_first_line_says_that_the_manager_runs_elsewhere():
    client = FakeClient(*exchange())
    client.embedded = False
    async with TrunklineApp(client, title="office").run_test(size=(140, 40)) as pilot:
        await text_seen(pilot, "office · attached")


# --- feedback ------------------------------------------------------------------------------------------


async def test_a_result_is_not_told_of_a_connection_that_has_come_to_stand_otherwise():
    app, client = app_of(connection("desk"))
    answering(client, True, "closed and up again after 52 ms")
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        await pilot.press("r")
        await seen(pilot, lambda: "up again after 52 ms" in row_of(app, "desk"))
        client.change("desk", phase=Phase.WAITING, **waiting(300, 300))
        await seen(pilot, lambda: "connection refused" in row_of(app, "desk"))
        assert "up again" not in row_of(app, "desk")


@pytest.mark.parametrize(
    ("key", "words"),
    [("s", "skipping the countdown…"), ("a", "acknowledging…"), ("U", "asking…")],
)
async def test_what_is_under_way_stands_in_the_row_at_once(key, words):
    app, client = app_of(connection("desk", phase=Phase.WAITING, **waiting(300, 300)))
    pending, never = [], asyncio.Event()

    async def command(order):
        pending.append(order)
        await never.wait()

    client.command = command
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        await pilot.press(key)
        await seen(pilot, lambda: words in row_of(app, "desk"))
        assert len(pending) == 1
