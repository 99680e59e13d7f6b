"""What is recorded of real sessions: every way to log in, failures to open, and the end."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from manager.endpoint import parse_endpoint
from manager.errors import UnknownConnectionError
from manager.events import Gap
from manager.lab.ami import AmiServer
from manager.lab.registrar import Registrar
from manager.lab.sip import SipServer
from manager.lab.websocket import WebSocketServer
from manager.manager import ConnectionManager
from manager.model import Phase
from manager.secret import Secret, SecretSource
from manager.settings import AmiSettings, ConnectionSettings, Policy, SipSettings, WebSocketSettings
from manager.wire import WireKind, WireMessage

CANARY = "c4n4ry-7f3e9"
ONCE = Policy(max_attempts=1, cooldown=0, blocked_retry=0, peek=False, connect_timeout=60)


def ami(server: AmiServer, password: str = CANARY) -> AmiSettings:
    return AmiSettings(
        name="one",
        endpoints=(parse_endpoint(f"ami://127.0.0.1:{server.port}"),),
        username="monitor",
        password=SecretSource(plain=Secret(password)),
        policy=ONCE,
    )


def sip(server: SipServer, transport: str, password: str = CANARY) -> SipSettings:
    return SipSettings(
        name="one",
        endpoints=(parse_endpoint(f"sip:127.0.0.1:{server.port};transport={transport}"),),
        aor="sip:6001@127.0.0.1",
        username="6001",
        password=SecretSource(plain=Secret(password)),
        policy=ONCE,
    )


def websocket(server: WebSocketServer, **fields: object) -> WebSocketSettings:
    return WebSocketSettings(
        name="one",
        endpoints=(parse_endpoint(f"ws://127.0.0.1:{server.port}/events?app=desk"),),
        policy=ONCE,
        **fields,
    )


@asynccontextmanager
async def kept_up(
    server: object, make: Callable[..., ConnectionSettings], *given: object, **fields: object
) -> AsyncIterator[ConnectionManager]:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(server)
        yield await stack.enter_async_context(ConnectionManager([make(server, *given, **fields)]))


async def reached(manager: ConnectionManager, *phases: Phase) -> None:
    async with asyncio.timeout(60):
        while manager.states["one"] not in phases:
            await asyncio.sleep(0.01)


async def messages(manager: ConnectionManager, last: str) -> list[WireMessage]:
    """Return what was recorded up to the first message whose summary begins so."""
    found: list[WireMessage] = []
    async with asyncio.timeout(60):
        async for message in manager.wire("one"):
            assert not isinstance(message, Gap)
            found.append(message)
            if message.summary.startswith(last):
                return found
    raise AssertionError(f"no {last}")


def told(found: list[WireMessage]) -> list[str]:
    return [f"{'>' if message.sent else '<'} {message.summary}" for message in found]


def no_secret_in(found: list[WireMessage], *secrets: str) -> None:
    text = "\n".join(message.text + message.summary + message.endpoint for message in found)
    for secret in (CANARY, *secrets):
        assert secret not in text


@pytest.mark.parametrize("challenge", [True, False])
async def test_a_login_to_ami_is_recorded_without_its_secret_or_key(challenge: bool) -> None:
    server = AmiServer(username="monitor", password=Secret(CANARY), boot_time=0.0, challenge=challenge)
    async with kept_up(server, ami) as manager:
        await reached(manager, Phase.UP)
        found = await messages(manager, "Action: CoreStatus")
        assert told(found)[:4] == [
            "< Asterisk Call Manager/11.0.0",
            "> Action: Challenge",
            f"< Response: {'Success' if challenge else 'Error'}",
            "> Action: Login",
        ]
        login = found[3]
        assert "Username: monitor" in login.text
        assert ("Key: ***" if challenge else "Secret: ***") in login.text
        given = next((line for line in found[2].text.split("\r\n") if line.startswith("Challenge: ")), "")
        key = hashlib.md5(f"{given.removeprefix('Challenge: ')}{CANARY}".encode()).hexdigest()
        no_secret_in(found, key)
        assert {(message.generation, message.endpoint) for message in found} == {
            (1, f"127.0.0.1:{server.port}")
        }


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_registration_is_recorded_without_what_its_digest_could_be_guessed_from(
    transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manager.drivers.sip.transaction.T1", 20.0)  # nothing is sent again
    server = SipServer(Registrar({"6001": Secret(CANARY)}, realm="pbx"))
    async with kept_up(server, sip, transport) as manager:
        await reached(manager, Phase.UP)
        found = await messages(manager, "200 OK")
        assert [line.split(" CSeq")[0] for line in told(found)] == [
            "> REGISTER sip:127.0.0.1",
            "< 401 Unauthorized",
            "> REGISTER sip:127.0.0.1",
            "< 200 OK",
        ]
        assert 'username="6001"' in found[2].text
        assert 'realm="pbx"' in found[2].text
        assert 'response="***"' in found[2].text
        assert "cnonce" not in found[2].text or 'cnonce="***"' in found[2].text
        no_secret_in(found)


async def test_a_registration_over_a_websocket_is_recorded_with_its_handshake() -> None:
    server = SipServer(Registrar({"6001": Secret(CANARY)}, realm="pbx"))
    async with kept_up(server, sip, "ws") as manager:
        await reached(manager, Phase.UP)
        found = await messages(manager, "200 OK")
        assert told(found)[:2] == ["> GET /ws HTTP/1.1", "< HTTP/1.1 101 Switching Protocols"]
        assert 'response="***"' in "".join(message.text for message in found)
        no_secret_in(found)


async def test_a_websocket_is_recorded_without_the_secrets_of_its_opening() -> None:
    server = WebSocketServer(query={"api_key": Secret(CANARY)})
    greeting = f'{{"login": "{CANARY}"}}'
    fields = {
        "query": {"api_key": SecretSource(plain=Secret(CANARY))},
        "headers": {"Authorization": SecretSource(plain=Secret(f"Bearer {CANARY}"))},
        "on_connect": (SecretSource(plain=Secret(greeting)), "plain"),
    }
    async with kept_up(server, websocket, **fields) as manager:
        await reached(manager, Phase.UP)
        await manager.refresh_status("one")
        found = await messages(manager, "pong")
        assert told(found)[:2] == [
            "> GET /events?app=desk&api_key=*** HTTP/1.1",
            "< HTTP/1.1 101 Switching Protocols",
        ]
        assert "Authorization: ***" in found[0].text
        sent = [message.text for message in found if message.kind is WireKind.TEXT and message.sent]
        assert sent == ["***", "plain"]
        assert [message.kind for message in found if message.sent][-1] is WireKind.PING
        no_secret_in(found, greeting)


async def test_a_password_in_an_address_is_masked_where_the_library_puts_it_into_a_header() -> None:
    def settings(server: WebSocketServer) -> WebSocketSettings:
        address = f"ws://user:{CANARY}@127.0.0.1:{server.port}/events"
        return WebSocketSettings(name="one", endpoints=(parse_endpoint(address),), policy=ONCE)

    async with kept_up(WebSocketServer(), settings) as manager:
        await reached(manager, Phase.UP)
        found = await messages(manager, "HTTP/1.1 101")
        assert "Authorization: ***" in found[0].text
        no_secret_in(found, base64.b64encode(f"user:{CANARY}".encode()).decode())


async def test_a_failed_opening_is_recorded_too_and_each_belongs_to_its_own_session() -> None:
    server = AmiServer(username="monitor", password=Secret("another"), boot_time=0.0, refusal_hold=0.0)
    async with kept_up(server, ami) as manager:
        await reached(manager, Phase.BLOCKED)
        await manager.force_reconnection("one", override=True)
        found = await messages(manager, "Response: Success")
        assert found
        generations: dict[int, list[str]] = {}
        position = None
        async with asyncio.timeout(60):
            async for message in manager.wire("one", position):
                assert isinstance(message, WireMessage)
                generations.setdefault(message.generation, []).append(message.summary)
                if len(generations) == 2 and "Action: Login" in generations[max(generations)]:
                    break
        assert all(lines[0].startswith("Asterisk Call Manager") for lines in generations.values())
        no_secret_in(found)


async def test_a_refused_websocket_shows_what_the_server_said() -> None:
    server = WebSocketServer(query={"api_key": Secret("another")})
    async with kept_up(server, websocket, query={"api_key": SecretSource(plain=Secret(CANARY))}) as manager:
        await reached(manager, Phase.BLOCKED, Phase.WAITING, Phase.PARKED)
        found = await messages(manager, "HTTP/1.1 4")
        assert not found[-1].sent
        no_secret_in(found)


async def test_the_polite_end_of_a_session_is_recorded_as_its_own() -> None:
    server = AmiServer(username="monitor", password=Secret(CANARY), boot_time=0.0)
    async with kept_up(server, ami) as manager:
        await reached(manager, Phase.UP)
        await manager.pause("one")
        found = await messages(manager, "Action: Logoff")
        assert found[-1].generation == 1


async def test_the_messages_of_a_websocket_end_with_its_close() -> None:
    server = WebSocketServer()
    async with kept_up(server, websocket) as manager:
        await reached(manager, Phase.UP)
        await manager.pause("one")
        found = await messages(manager, "close 1000")
        assert found[-1].sent


async def test_the_stream_ends_when_the_connection_is_removed() -> None:
    server = WebSocketServer()
    async with kept_up(server, websocket) as manager:
        await reached(manager, Phase.UP)
        reading = asyncio.create_task(_all(manager))
        await asyncio.sleep(0)
        await manager.remove("one")
        found = await asyncio.wait_for(reading, 60)
        assert found[-1].kind is WireKind.CLOSE
        with pytest.raises(UnknownConnectionError):
            manager.wire("one")


async def test_what_was_recorded_can_be_read_once_the_manager_has_stopped() -> None:
    server = WebSocketServer()
    async with kept_up(server, websocket) as manager:
        await reached(manager, Phase.UP)
    found = await asyncio.wait_for(_all(manager), 60)
    assert found[0].kind is WireKind.HANDSHAKE
    assert found[-1].kind is WireKind.CLOSE


async def _all(manager: ConnectionManager) -> list[WireMessage]:
    return [message async for message in manager.wire("one") if isinstance(message, WireMessage)]
