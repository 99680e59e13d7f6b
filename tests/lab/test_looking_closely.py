"""The details and the messages of real connections, as the screen shows them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from manager.embedded import EmbeddedClient
from manager.endpoint import parse_endpoint
from manager.lab.ami import AmiServer
from manager.lab.faults import Fault
from manager.lab.registrar import Registrar
from manager.lab.server import LabServer
from manager.lab.sip import SipServer
from manager.lab.websocket import WebSocketServer
from manager.secret import Secret, SecretSource
from manager.settings import AmiSettings, ConnectionSettings, Policy, SipSettings, WebSocketSettings
from tui.app import TrunklineApp

pytestmark = pytest.mark.waits

CANARY = "c4n4ry-7f3e9"
POLICY = Policy(
    heartbeat_interval=3.0,
    heartbeat_timeout=2.9,
    suspect_timeout=0.5,
    health_interval=2.0,
    connect_timeout=10.0,
    base_delay=0.2,
    max_delay=0.4,
    max_attempts=1000,
)


def secret() -> SecretSource:
    return SecretSource(plain=Secret(CANARY))


def ami() -> tuple[LabServer, Callable[[int], ConnectionSettings]]:
    server = AmiServer(username="monitor", password=Secret(CANARY), boot_time=0.0)
    return server, lambda port: AmiSettings(
        name="one",
        endpoints=(parse_endpoint(f"ami://127.0.0.1:{port}"),),
        username="monitor",
        password=secret(),
        policy=POLICY,
    )


def sip() -> tuple[LabServer, Callable[[int], ConnectionSettings]]:
    server = SipServer(Registrar({"6001": Secret(CANARY)}, realm="pbx"))
    return server, lambda port: SipSettings(
        name="one",
        endpoints=(parse_endpoint(f"sip:127.0.0.1:{port};transport=tcp"),),
        aor="sip:6001@127.0.0.1",
        username="6001",
        password=secret(),
        policy=POLICY,
    )


def websocket() -> tuple[LabServer, Callable[[int], ConnectionSettings]]:
    server = WebSocketServer(query={"api_key": Secret(CANARY)})
    return server, lambda port: WebSocketSettings(
        name="one",
        endpoints=(parse_endpoint(f"ws://127.0.0.1:{port}/events"),),
        query={"api_key": secret()},
        check_message='{"type": "status"}',
        check_reply="status",
        policy=POLICY,
    )


def screen(pilot: Pilot) -> str:
    app = pilot.app
    text = "\n".join(strip.text for strip in app.screen._compositor.render_strips(app.size))
    assert CANARY not in text
    return text


def page(pilot: Pilot) -> str:
    """Return the whole page, what is out of sight too."""
    lines = pilot.app.screen.query_one("#page")._lines
    text = "\n".join(" ".join(piece.text for piece in line) for line in lines)
    assert CANARY not in text
    return text


async def seen(pilot: Pilot, read: Callable[[Pilot], str], *words: str) -> None:
    deadline = time.monotonic() + 60
    while not all(word in read(pilot) for word in words):
        assert time.monotonic() < deadline, f"{words} not in\n{read(pilot)}"
        await asyncio.sleep(0.02)


@asynccontextmanager
async def dashboard(kind: Callable) -> AsyncIterator[tuple[Pilot, LabServer]]:
    server, settings = kind()
    async with server:
        client = EmbeddedClient([settings(server.port)])
        client.start()
        try:
            async with TrunklineApp(client).run_test(size=(120, 40)) as pilot:
                await seen(pilot, screen, "the one connection is up")
                yield pilot, server
        finally:
            await asyncio.to_thread(client.stop)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (sip, ("granted for", "flow", "tcp to 127.0.0.1", "contact")),
        (ami, ("Asterisk", "calls")),
        (websocket, ("received", "sent", "query.api_key")),
    ],
)
async def test_the_details_of_a_real_connection(kind, words):
    async with dashboard(kind) as (pilot, server):
        await pilot.press("enter")
        await seen(pilot, page, "a heartbeat, as ever", "up after", "none lost", "***", "built-in", *words)
        server.fault = Fault.HANG
        await seen(pilot, page, "heartbeats lost", "no answer to a heartbeat")
        server.fault = None
        await seen(pilot, page, "phase up since")
        await pilot.press("u")
        await seen(pilot, page, "your command")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (sip, ("REGISTER CSeq", "401 Unauthorized CSeq", "200 OK CSeq", "─▶│")),
        (ami, ("→ Action: Login", "← Response: Success", "→ Action: Ping")),
        (websocket, ("→ GET /events", "← HTTP/1.1 101", "→ ping", "← pong")),
    ],
)
async def test_the_messages_of_a_real_connection(kind, words, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with dashboard(kind) as (pilot, _):
        await pilot.press("w")
        await seen(pilot, screen, "following")
        messages = pilot.app.screen.query_one("#messages")
        await seen(pilot, lambda _: "enough" if len(messages._log.shown) > 6 else "", "enough")
        await pilot.press("f", "g")
        await seen(pilot, screen, *words)
        for _ in range(12):
            await pilot.press("j")
            screen(pilot)
        await pilot.press("s")
        await seen(pilot, screen, "saved ")
        (path,) = (tmp_path / "trunkline").glob("wire-one-*.txt")
        assert CANARY not in path.read_text()
        assert words[0].split(" CSeq")[0].removeprefix("→ ") in path.read_text()


async def test_what_comes_while_one_looks_is_shown():
    async with dashboard(ami) as (pilot, _):
        await pilot.press("w")
        await seen(pilot, screen, "following")
        messages = pilot.app.screen.query_one("#messages")
        before = messages._log.total
        await seen(pilot, lambda _: "more" if messages._log.total > before + 3 else "", "more")
        assert messages.selected is messages._log.shown[-1]
