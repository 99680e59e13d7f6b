"""The demo: a lab, a story and the dashboard, put together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from manager.embedded import EmbeddedClient
from manager.lab.faults import Fault
from manager.lab.lab import Lab
from manager.lab.story import HOSTS, Deed, Place, Step, perform
from manager.lab.thread import LabThread
from tui import demo
from tui.app import TrunklineApp
from tui.keymap import defaults


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


async def press(lab: Lab, key: str, connection: str | None) -> str:
    """Press a key of the demo while the lab runs in a thread of its own."""
    with LabThread(lab) as thread:
        keys = {extra.key: extra for extra in demo.demo_keys(thread, demo.Narrator())}
        sentence = await keys[key].action(connection)
        lab_has_acted = asyncio.Event()
        loop = asyncio.get_running_loop()

        async def tell(_lab: Lab) -> None:
            loop.call_soon_threadsafe(lab_has_acted.set)

        thread.begin(tell)
        async with asyncio.timeout(60):
            await lab_has_acted.wait()
        return sentence


@pytest.mark.parametrize(
    ("key", "fault"), [("2", Fault.HANG), ("3", Fault.WRONG_PASSWORD), ("5", Fault.SLOW)]
)
async def test_a_key_puts_the_server_of_the_selected_connection_out_of_order(key: str, fault: Fault) -> None:
    lab = Lab(HOSTS)
    sentence = await press(lab, key, "desk-6101")
    assert sentence.startswith("pbx2 (SIP) ")
    assert [server.fault for server in lab.servers_of("pbx2")] == [fault, None, None]
    assert [server.fault for server in lab.servers_of("pbx1")] == [None, None, None]


async def test_0_mends_everything() -> None:
    lab = Lab(HOSTS)
    for server in lab.servers:
        server.fault = Fault.SLOW
    await press(lab, "0", None)
    assert {server.fault for server in lab.servers} == {None}


async def test_without_a_selected_connection_a_key_says_what_is_missing() -> None:
    assert await press(Lab(HOSTS), "1", None) == "Select a connection first: the fault befalls its server"


async def test_d_tells_how_far_the_story_has_come() -> None:
    narrator = demo.Narrator()
    assert await narrator.tell(None) == "The story: nothing has happened yet"
    narrator.heard(Step(1.0, Place("sbc"), Deed.FLAP, "sbc drops every session"))
    assert await narrator.tell("desk-6001") == "The story: sbc drops every session"


def test_no_key_takes_one_of_the_dashboard() -> None:
    with LabThread(Lab(HOSTS)) as thread:
        ours = {key.key for key in demo.demo_keys(thread, demo.Narrator())}
    assert not ours & {key for keys in defaults().values() for key in keys}


def test_it_runs_the_dashboard_on_every_connection_of_the_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[set[str]] = []

    async def all_up(client: EmbeddedClient) -> set[str]:
        async with asyncio.timeout(60):
            while True:
                statuses = (await client.snapshot()).statuses
                if all(status.phase.connected for status in statuses):
                    return {status.type for status in statuses}
                await asyncio.sleep(0.05)

    def run_app(app: TrunklineApp, client: EmbeddedClient) -> int:
        assert isinstance(app, TrunklineApp)
        with client:
            seen.append(asyncio.run(all_up(client)))
        return 7

    monkeypatch.setattr(demo, "run_app", run_app)
    assert demo.run_demo(1) == 7
    assert seen == [{"sip", "websocket", "ami"}]


async def test_a_fault_of_the_lab_is_seen_on_the_screen_and_its_end_too() -> None:
    lab = Lab(HOSTS)
    with LabThread(lab) as thread, EmbeddedClient(lab.connections()) as client:
        app = TrunklineApp(client, title="demo", keys=demo.demo_keys(thread, demo.Narrator()))
        async with app.run_test(size=(120, 40)) as pilot:
            board = app.screen.board  # type: ignore[attr-defined]  # the dashboard's
            await until(lambda: len(board.statuses) == 13 and board.up == 13)
            flapped = Step(0.0, Place("pbx1"), Deed.FLAP, "")
            thread.begin(lambda running: perform(running, flapped))
            await until(lambda: board.statuses["pbx1-ami"].drops == 1)
            await until(lambda: board.up == 13)
            await pilot.pause()
