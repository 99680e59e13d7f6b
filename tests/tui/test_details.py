"""The details of a connection: what they say, that they follow what happens, and each of their keys."""

from __future__ import annotations

import asyncio
import time

import pytest
from msgspec.structs import replace

from manager.client import Acknowledge, Mute, Pause, Reconnect, Refresh, Resume, Skip
from manager.effective import SettingRow
from manager.errors import TrunklineError
from manager.events import Changed, Muted, ProbeAnswered, Reloaded
from manager.history import History, Sample, SetAside
from manager.model import (
    Cost,
    Failure,
    FailureClass,
    Flap,
    FlapCause,
    MuteStatus,
    Phase,
    Result,
    SpareStatus,
    Stage,
)
from tests.tui.conftest import SIZES, line_with, screen_text, seen, text_gone, text_seen
from tests.tui.fake_client import connection, exchange, waiting
from tests.tui.remembered import (
    ENDPOINT,
    OTHER,
    SETTINGS,
    Remembering,
    change,
    failed,
    outage,
    remembered,
)
from tests.tui.test_sanitise import check
from tui.app import TrunklineApp
from tui.details import latency
from tui.preferences import Preferences


def opened(*statuses, **options) -> tuple[TrunklineApp, Remembering]:
    client = Remembering(*(statuses or (connection("desk", endpoint=ENDPOINT),)))
    for name in client.statuses:
        client.histories[name] = outage(name)
        client.rows[name] = SETTINGS
    return TrunklineApp(client, **options), client


def page(app: TrunklineApp):
    return app.screen.query_one("#page")


def whole(app: TrunklineApp) -> str:
    """Return the whole page, what is out of sight too."""
    return "\n".join("".join(piece.text for piece in line) for line in page(app)._lines)


async def open_details(pilot, name: str = "desk") -> None:
    app = pilot.app
    await text_seen(pilot, name)
    app.screen.query_one("#rows").select(name)
    await pilot.press("enter")
    await text_seen(pilot, "phase ")
    await seen(pilot, lambda: "config.toml:12" in whole(app))


@pytest.mark.parametrize("size", SIZES)
async def test_enter_shows_everything_that_is_known_of_a_connection(size):
    app, _ = opened()
    async with app.run_test(size=size) as pilot:
        await open_details(pilot)
        text = whole(app)
        for words in (
            "up since",
            "a heartbeat, as ever",
            "100 of 100 points",
            "registration",
            "in use",
            OTHER,
            "set aside until",
            "of the last hour",
            "lasted 10 s",
            "3 of 144 heartbeats lost",
            "no answer to OPTIONS",
            "may pass by itself",
            "nothing listens there",
            "1 of the last 2 succeeded",
            "*** (file ~/.secrets/6001)",
            "config.toml:13",
            "preset gentle",
        ):
            assert words in " ".join(text.split()) or words in text, words
        assert all("\x1b" not in line for line in screen_text(app))


async def test_what_can_be_done_about_a_failure_stands_beside_it():
    costs = (Cost(100, "blocked: wrong secret or ACL"),)
    app, _ = opened(connection("desk", phase=Phase.BLOCKED, costs=costs))
    async with app.run_test(size=(120, 40)) as pilot:
        await open_details(pilot)
        assert "mend the password" in line_with(app, "what to do")
        assert "r tries now" in line_with(app, "next   ")
        assert "-100" in line_with(app, "blocked: wrong secret")


async def test_the_spare_stands_beside_its_endpoint():
    spare = SpareStatus(endpoint=OTHER, phase=Phase.UP, since=time.time())
    app, _ = opened(connection("desk", endpoint=ENDPOINT, spare=spare))
    async with app.run_test(size=(120, 40)) as pilot:
        await open_details(pilot)
        assert f"{OTHER}  spare, up" in whole(app)
        assert f"{ENDPOINT}  in use" in whole(app)


async def test_the_page_follows_the_connection_and_stays_where_it_is_read():
    app, client = opened()
    async with app.run_test(size=(80, 24)) as pilot:
        await open_details(pilot)
        await pilot.press("right_square_bracket", "right_square_bracket")
        top = screen_text(app)[1]
        client.change("desk", phase=Phase.WAITING, attempt=3, **waiting(4, 100))
        await seen(pilot, lambda: "waiting since" in whole(app))
        assert screen_text(app)[1] == top
        await pilot.press("g")
        await text_seen(pilot, "attempt 3/15 at")


async def test_what_is_remembered_is_asked_for_again_when_something_happens_to_the_connection_alone():
    app, client = opened(connection("desk", endpoint=ENDPOINT), connection("other"))
    async with app.run_test(size=(120, 40)) as pilot:
        await open_details(pilot)
        looks = client.looks
        event = client.emit(ProbeAnswered, status=client.statuses["other"], probe="heartbeat")
        await seen(pilot, lambda: app.screen._board.position.seq == event.seq)
        await asyncio.sleep(0.3)
        assert client.looks == looks
        client.emit(ProbeAnswered, status=client.statuses["desk"], probe="heartbeat")
        await seen(pilot, lambda: client.looks > looks)


async def test_the_chart_is_not_drawn_anew_at_once_and_the_last_latency_is_told(monkeypatch):
    monkeypatch.setattr("tui.screens.details.CHART_EVERY", 600.0)
    drawn: list[int] = []
    chart = latency.chart
    monkeypatch.setattr(latency, "chart", lambda *given, **more: drawn.append(1) or chart(*given, **more))
    app, client = opened()
    async with app.run_test(size=(120, 40)) as pilot:
        await open_details(pilot)
        before = len(drawn)
        looks = client.looks
        for latest, shown in ((0.02, "20 ms"), (0.022, "22 ms"), (0.03, "30 ms")):
            client.emit(
                ProbeAnswered, status=replace(client.statuses["desk"], latency=latest), probe="heartbeat"
            )
            await seen(pilot, lambda shown=shown: shown in line_with(app, " latency  "))
        await seen(pilot, lambda: client.looks > looks)
        assert len(drawn) == before


async def test_what_was_measured_too_soon_after_a_drawing_is_drawn_once_the_time_has_come(monkeypatch):
    monkeypatch.setattr("tui.screens.details.CHART_EVERY", 0.5)
    app, client = opened()
    async with app.run_test(size=(120, 40)) as pilot:
        await open_details(pilot)
        for latest in (0.2, 0.3):
            samples = client.histories["desk"].samples
            client.histories["desk"] = History(
                connection="desk", samples=(*samples, Sample(time.time(), latest))
            )
            client.emit(ProbeAnswered, status=client.statuses["desk"], probe="heartbeat")
            await seen(pilot, lambda latest=latest: f"to {latest * 1000:.0f} ms" in whole(app))


async def test_an_answer_that_comes_after_the_end_is_not_drawn_and_sets_no_timer():
    app, client = opened()
    async with app.run_test(size=(120, 40)) as pilot:
        await open_details(pilot)
        details = app.screen
    samples = client.histories["desk"].samples
    details._history = History(connection="desk", samples=(*samples, Sample(time.time(), 0.2)))
    details._draw()
    details.last_line.say("nobody reads this")
    assert not details._timers
    assert not details.last_line._timers


async def test_other_settings_are_shown_when_they_are_taken_up():
    app, client = opened()
    async with app.run_test(size=(120, 40)) as pilot:
        await open_details(pilot)
        client.rows["desk"] = (replace(SETTINGS[0], source="config.toml:99"), *SETTINGS[1:])
        client.emit(Reloaded, added=(), removed=(), changed=())
        await seen(pilot, lambda: "config.toml:99" in whole(app))
        client.rows["desk"] = (replace(SETTINGS[0], source="config.toml:100"), *SETTINGS[1:])
        client.emit(Changed, status=client.statuses["desk"])
        await seen(pilot, lambda: "config.toml:100" in whole(app))


async def test_r_p_and_u_act_on_the_connection_and_tell_what_became_of_it():
    app, client = opened()

    def answer(command):
        status = client.statuses["desk"]
        return (Result(connection="desk", ok=True, text=f"did {type(command).__name__}", status=status),)

    client.answer = answer
    async with app.run_test(size=(120, 40)) as pilot:
        await open_details(pilot)
        for key, command in (("r", Reconnect), ("u", Refresh), ("p", Pause)):
            await pilot.press(key)
            await seen(pilot, lambda: client.commands != [])
            assert isinstance(client.commands.pop(), command)
            await text_seen(pilot, f"your command      did {command.__name__}")
        client.change("desk", phase=Phase.PAUSED)
        await text_seen(pilot, "p resume")
        await pilot.press("p")
        await seen(pilot, lambda: client.commands != [])
        assert client.commands == [Resume(name="desk")]


async def test_s_and_a_act_on_the_connection_and_are_shown_only_where_they_would_do_something():
    app, client = opened(connection("desk", endpoint=ENDPOINT, phase=Phase.WAITING, **waiting(300, 9999)))

    def answer(command):
        status = client.statuses["desk"]
        return (Result(connection="desk", ok=True, text=f"did {type(command).__name__}", status=status),)

    client.answer = answer
    async with app.run_test(size=(120, 40)) as pilot:
        await open_details(pilot)
        await text_seen(pilot, "s skip  a ack")
        await pilot.press("s")
        await text_seen(pilot, "your command      did Skip")
        await pilot.press("a")
        await text_seen(pilot, "your command      did Acknowledge")
        assert client.commands == [Skip(name="desk"), Acknowledge(name="desk")]
        client.change("desk", acknowledged=time.time())
        await text_gone(pilot, "a ack")
        await pilot.press("a")
        await seen(pilot, lambda: client.commands[2:] == [Acknowledge(name="desk", withdraw=True)])
        client.change("desk", phase=Phase.UP, acknowledged=None)
        await text_gone(pilot, "s skip")
        await pilot.press("s", "a")
        await seen(pilot, lambda: client.commands[3:] == [Skip(name="desk"), Acknowledge(name="desk")])


async def test_m_asks_in_the_last_line_of_the_details_for_how_long_and_ends_the_mute_again():
    app, client = opened()
    client.answer = lambda _: (
        Result(connection="desk", ok=True, text="pbx1 is muted", status=client.statuses["desk"]),
    )
    async with app.run_test(size=(120, 40)) as pilot:
        await open_details(pilot)
        await pilot.press("m")
        await text_seen(pilot, "mute pbx1 for: ▏")
        await pilot.press(*"soon", "enter")
        await text_seen(pilot, "not muted: “soon” is no time")
        await pilot.press("m", *"2 h", "enter")
        await text_seen(pilot, "your command      pbx1 is muted")
        assert client.commands == [Mute(group="pbx1", seconds=7200.0)]
        client.emit(Muted, mute=MuteStatus(group="pbx1", since=time.time(), until=time.time() + 7200))
        await text_seen(pilot, "m unmute")
        await pilot.press("m")
        await seen(pilot, lambda: client.commands[1:] == [Mute(group="pbx1", seconds=0.0)])


async def test_read_only_details_touch_nothing():
    app, client = opened(preferences=Preferences(read_only=True))
    async with app.run_test(size=(120, 40)) as pilot:
        await open_details(pilot)
        await pilot.press("r", "p", "u", "s", "a", "m", *"2 h", "enter", "escape")
        assert "reconnect" not in screen_text(app)[-1]
        assert client.commands == []


async def test_sections_and_lines_are_reached_by_keys():
    app, _ = opened()
    async with app.run_test(size=(80, 24)) as pilot:
        await open_details(pilot)
        for keys, top in (
            (("right_square_bracket",), "Health"),
            (("tab",), "SIP"),
            (("left_square_bracket",), "Health"),
            (("shift+tab",), "Now"),
        ):
            await pilot.press(*keys)
            await seen(pilot, lambda top=top: screen_text(app)[1].startswith(f" {top} ─"))
        await pilot.press("j", "j", "k")
        assert page(app).scroll_offset.y == 1
        await pilot.press("pagedown")
        assert page(app).scroll_offset.y == 21
        await pilot.press("pageup")
        assert page(app).scroll_offset.y == 1
        await pilot.press("G")
        assert page(app).scroll_offset.y == page(app).max_scroll_y > 0
        await pilot.press("g")
        assert page(app).scroll_offset.y == 0


async def test_j_and_k_go_from_row_to_row_and_the_dashboard_stands_where_they_led():
    app, _ = opened(*exchange())
    async with app.run_test(size=(120, 40)) as pilot:
        await open_details(pilot, "desk-6001")
        order = [screen_text(app)[0].split()[1]]
        await pilot.press("J")
        order.append(screen_text(app)[0].split()[1])
        await pilot.press("J", "K", "K")
        assert screen_text(app)[0].split()[1] == order[0] != order[1]
        await pilot.press("n")
        await text_seen(pilot, "suspect since")
        await pilot.press("N")
        await text_seen(pilot, "waiting since")
        await pilot.press("J", "escape")
        await text_seen(pilot, "Events ─")
        assert app.screen.query_one("#rows").selected_name == order[1]


async def test_another_connection_is_shown_without_anything_of_the_one_before():
    app, client = opened(connection("a", endpoint=ENDPOINT), connection("b", endpoint=ENDPOINT))
    client.histories["b"], client.rows["b"] = History(connection="b"), ()
    async with app.run_test(size=(120, 40)) as pilot:
        await open_details(pilot, "a")
        await pilot.press("J")
        await seen(pilot, lambda: "no heartbeat in the last hour" in whole(app))
        assert "config.toml" not in whole(app)
        assert "OPTIONS" not in whole(app)


async def test_a_connection_that_is_removed_keeps_its_last_words():
    app, client = opened()
    async with app.run_test(size=(120, 40)) as pilot:
        await open_details(pilot)
        client.emit_removed("desk")
        await text_seen(pilot, "no longer managed")
        assert "reconnect" not in screen_text(app)[-1]
        assert "config.toml:12" in whole(app)
        await pilot.press("r", "escape")
        await text_gone(pilot, "no longer managed")


async def test_a_manager_that_does_not_answer_is_told_of_and_asked_again(monkeypatch):
    monkeypatch.setattr("tui.screens.details._AGAIN_AFTER", 0.05)
    app, client = opened()
    client.history_error = TrunklineError("no way there")
    async with app.run_test(size=(120, 40)) as pilot:
        await text_seen(pilot, "desk")
        await pilot.press("enter")
        await text_seen(pilot, "not known now: no way there")
        client.history_error = None
        await text_gone(pilot, "not known now")


async def test_names_and_addresses_are_hidden_on_the_details_too():
    app, _ = opened(connection("desk", endpoint=ENDPOINT, host="pbx1"))
    async with app.run_test(size=(120, 40)) as pilot:
        await open_details(pilot)
        await pilot.press("H")
        await seen(pilot, lambda: "desk" not in "\n".join(screen_text(app)))
        for _ in range(4):
            assert not any("pbx1" in line or "pbx2:" in line for line in screen_text(app))
            await pilot.press("pagedown")


async def test_help_tells_the_keys_of_the_details():
    app, _ = opened()
    async with app.run_test(size=(100, 90)) as pilot:
        await open_details(pilot)
        await pilot.press("question_mark")
        await text_seen(pilot, "keys and signs")
        for words in ("the next section", "the messages that it sent and received", "back to where you came"):
            line_with(app, words)
        await pilot.press("escape", "escape")
        await text_seen(pilot, "Events ─")


async def test_q_goes_back_and_does_not_quit():
    app, _ = opened()
    async with app.run_test(size=(120, 40)) as pilot:
        await open_details(pilot)
        await pilot.press("q")
        await text_seen(pilot, "Events ─")


async def test_the_dashboard_is_up_to_date_when_one_comes_back():
    app, client = opened()
    async with app.run_test(size=(120, 40)) as pilot:
        await open_details(pilot)
        client.change("desk", phase=Phase.WAITING, attempt=2, **waiting(2, 100))
        await text_seen(pilot, "waiting since")
        await pilot.press("escape")
        await text_seen(pilot, "1 waiting")
        assert not app.screen.watchers


async def test_ascii_alone_is_drawn_where_it_must_be():
    app, _ = opened(preferences=Preferences(ascii=True))
    async with app.run_test(size=(120, 40)) as pilot:
        await open_details(pilot)
        for _ in range(4):
            assert all(line.isascii() for line in screen_text(app))
            await pilot.press("pagedown")


EVIL = "\x1b]52;c;cm0=\x07\x9b31m[/red]\u202e\x00\r\n red"


@pytest.mark.parametrize("type_name", ["sip", "ami", "websocket", "unheard-of"])
async def test_hostile_text_in_every_field_reaches_no_sink(type_name):
    failure = Failure(kind=FailureClass.TRANSIENT, stage=Stage.LOGIN, reason=EVIL, hint=EVIL)
    keys = ("registrar", "contact", "server", "version", "build", "system", "subprotocol", "transport", EVIL)
    status = connection(
        EVIL, type_name, endpoint=EVIL, host=EVIL, address=EVIL, failure=failure,
        facts=dict.fromkeys(keys, EVIL), costs=(Cost(1, EVIL),),
        flap=Flap(cause=FlapCause.IRREGULAR, reason=EVIL, hint=EVIL),
        spare=SpareStatus(endpoint=EVIL, phase=Phase.WAITING, since=0.0, failure=failure),
    )  # fmt: skip
    client = Remembering(status)
    changes = (
        change(90, Phase.WAITING, Phase.UP, failure=failure, endpoint=EVIL),
        change(80, Phase.CONNECTING, Phase.WAITING, endpoint=EVIL),
        change(70, Phase.WAITING, Phase.CONNECTING, failure=failure, endpoint=EVIL),
    )
    client.histories[EVIL] = remembered(
        EVIL, *changes, failures=(failed(failure, probe=EVIL),), set_aside=(SetAside(EVIL, time.time() + 9),)
    )
    client.rows[EVIL] = (SettingRow(EVIL, EVIL, EVIL, EVIL), SettingRow("tls", "endpoints[0]", EVIL, EVIL))
    client.answer = lambda _command: (Result(connection=EVIL, ok=False, text=EVIL, status=status),)
    app = TrunklineApp(client)
    async with app.run_test(size=SIZES[0]) as pilot:
        await text_seen(pilot, "1 up")
        await pilot.press("enter")
        await seen(pilot, lambda: page(app).virtual_size.height > 30)
        await seen(pilot, lambda: "Settings" in whole(app) and len(app.screen._settings) == 2)
        await pilot.press("r")
        for size in SIZES:
            await pilot.resize_terminal(*size)
            await seen(pilot, lambda size=size: app.size == size)
            await pilot.press("g")
            for _ in range(0, page(app).virtual_size.height, page(app).size.height - 2):
                check(app)
                await pilot.press("pagedown")
        await pilot.press("escape", "h")
        await text_seen(pilot, "What cost it")
        check(app)
