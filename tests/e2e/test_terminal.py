"""The dashboard on a real pseudo-terminal."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import termios

import pytest

from manager.lab.faults import Fault
from tests.e2e.conftest import CANARY, logged_off, with_hasty_heartbeats
from tests.hostile import HOSTILE
from tests.terminal import PATIENCE

pytestmark = pytest.mark.waits

LEAVE_SCREEN = b"\x1b[?1049l"
SHOW_CURSOR = b"\x1b[?25h"


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (40, 20)])
async def test_the_dashboard_names_connections_and_their_outage_and_quits_when_asked_twice(
    terminals, settings, ami, size
):
    terminal = terminals("--config", settings, size=size)
    await terminal.shows("lab-ami")
    await terminal.shows("3 up")
    ami.fault = Fault.REFUSE
    await terminal.shows("connection refus")
    terminal.press("q")
    await terminal.shows("q again quits")
    terminal.press("q")
    assert await terminal.ended() == 0
    assert LEAVE_SCREEN in terminal.written
    assert SHOW_CURSOR in terminal.written
    assert termios.tcgetattr(terminal.slave) == terminal.before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_restores_the_screen_and_logs_off(terminals, settings, ami, number):
    terminal = terminals("--config", settings)
    await terminal.shows("Asterisk 22")
    os.kill(terminal.pid, number)
    assert await terminal.ended() == 128 + number
    assert LEAVE_SCREEN in terminal.written
    assert termios.tcgetattr(terminal.slave) == terminal.before
    await logged_off(ami)


async def test_a_terminal_that_is_not_read_delays_no_heartbeat_and_a_signal_still_ends_it(
    terminals, settings, ami, websocket
):
    with_hasty_heartbeats(settings)
    terminal = terminals("--config", settings)
    await terminal.shows("Asterisk 22")
    # Nothing is read from here on; the rows change with every flap until the terminal is full.
    for _ in range(12):
        websocket.drop()
        await asyncio.sleep(0.25)
    pings = list(ami.actions).count("Ping")
    async with asyncio.timeout(PATIENCE):
        while list(ami.actions).count("Ping") < pings + 5:
            await asyncio.sleep(0.05)
    os.kill(terminal.pid, signal.SIGTERM)
    # Within five seconds where nothing holds it up: tests/tui adds up what that promise is made of.
    await terminal.ended(reading=False)
    await logged_off(ami)


@pytest.mark.parametrize("kind", ["dumb", "", "unknown"])
async def test_a_terminal_that_cannot_place_characters_is_refused_before_the_screen_starts(
    terminals, settings, kind
):
    terminal = terminals("--config", settings, TERM=kind)
    assert await terminal.ended() == 1
    assert b"\x1b" not in terminal.written
    assert b"trunkline watch" in terminal.written


async def test_a_second_dashboard_says_who_holds_the_settings(terminals, settings):
    first = terminals("--config", settings)
    await first.shows("lab-ami")
    second = terminals("--config", settings)
    assert await second.ended() == 3
    assert str(first.pid) in second.written.decode()
    assert LEAVE_SCREEN not in second.written


async def test_no_secret_is_drawn_and_no_hostile_text_reaches_the_terminal(
    terminals, settings, ami, sip, home
):
    terminal = terminals("--config", settings)
    await terminal.shows("Asterisk 22")
    await terminal.shows("registered")
    await sip.call("6001", "\x1b]52;c;aGFjaw==\x07[red]\x9b2J")
    await terminal.shows("[red]")
    ami.fault = Fault.WRONG_PASSWORD
    ami.drop()
    await terminal.shows("wrong AMI secret")
    terminal.press("q")
    await terminal.shows("q again quits")
    terminal.press("q")
    await terminal.ended()
    assert not any(CANARY in line for line in terminal.grid.seen)
    assert b"\x1b]52" not in terminal.written
    for path in home.rglob("*"):
        assert not path.is_file() or CANARY.encode() not in path.read_bytes()


OUR_OWN = re.compile(r"\x1b\[[?<>][\d$]*[hlup]|\x1b\]22;default\x07")
"""Modes, queries and the shape of the pointer, which come from the screen itself."""


async def test_whatever_a_caller_calls_itself_is_never_obeyed_by_the_terminal(terminals, settings, sip):
    terminal = terminals("--config", settings)
    await terminal.shows("registered")
    for number, hostile in enumerate(HOSTILE):
        await sip.call("6001", f"call{hostile}er")
        await sip.call("6001", f"the one after {number}")
        await terminal.shows(f"the one after {number}")
    os.kill(terminal.pid, signal.SIGTERM)
    await terminal.ended()
    assert b"\x1b[31m" not in terminal.written
    assert [strange for strange in terminal.grid.strange if not OUR_OWN.fullmatch(strange)] == []


async def test_the_demo_shows_itself_and_ends(terminals):
    terminal = terminals("demo", "--seed", "1")
    await terminal.shows("SIP")
    await terminal.shows("waiting")
    os.kill(terminal.pid, signal.SIGTERM)
    await terminal.ended()
    assert LEAVE_SCREEN in terminal.written
