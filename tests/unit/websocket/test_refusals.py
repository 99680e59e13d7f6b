from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from websockets.asyncio.server import serve

from manager.model import FailureClass, Stage
from tests.unit.websocket.peer import (
    CANARY,
    Peer,
    accept,
    answering,
    canary,
    failure_of_open,
    opened,
    serving,
)

# --- refusals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("401 Unauthorized", FailureClass.CREDENTIALS),
        ("403 Forbidden", FailureClass.CREDENTIALS),
        ("400 Bad Request", FailureClass.PERMANENT),
        ("404 Not Found", FailureClass.PERMANENT),
        ("418 I'm a teapot", FailureClass.PERMANENT),
        ("200 OK", FailureClass.PERMANENT),
        ("408 Request Timeout", FailureClass.TRANSIENT),
        ("429 Too Many Requests", FailureClass.OVERLOAD),
        ("500 Internal Server Error", FailureClass.TRANSIENT),
        ("502 Bad Gateway", FailureClass.TRANSIENT),
        ("503 Service Unavailable", FailureClass.OVERLOAD),
        ("599 Whatever", FailureClass.TRANSIENT),
    ],
)
async def test_a_status_tells_whether_trying_again_makes_sense(status, kind):
    async with serving(answering(f"HTTP/1.1 {status}")) as server:
        failure = await failure_of_open(server.url)
        assert failure.kind is kind
        assert failure.stage is Stage.HANDSHAKE
        assert status[:3] in failure.reason


async def test_a_refused_login_names_its_stage():
    async with serving(answering("HTTP/1.1 401 Unauthorized")) as server:
        failure = await failure_of_open(server.url, query={"api_key": canary()})
        assert (failure.kind, failure.stage) == (FailureClass.CREDENTIALS, Stage.LOGIN)
        assert "401 Unauthorized" in failure.reason
        assert failure.hint


@pytest.mark.parametrize("status", ["400 Bad Request", "404 Not Found", "200 OK"])
async def test_an_endpoint_that_took_us_before_may_just_be_starting(status):
    refusing = False

    async def script(peer: Peer) -> None:
        await peer.read_request()
        if refusing:
            peer.answer(f"HTTP/1.1 {status}", "Content-Length: 0")
        else:
            peer.upgrade()
        await peer.gone()

    memory: dict[str, str] = {}
    async with serving(script) as server:
        async with opened(server.url, memory=memory):
            refusing = True
        failure = await failure_of_open(server.url, memory=memory)
        assert failure.kind is FailureClass.TRANSIENT
        failure = await failure_of_open(f"{server.url}/other", memory=memory)
        assert failure.kind is FailureClass.PERMANENT


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
async def test_the_seconds_a_server_asks_for_are_passed_on(status):
    async with serving(answering(f"HTTP/1.1 {status}", "Retry-After: 120")) as server:
        failure = await failure_of_open(server.url)
        assert (failure.kind, failure.retry_after) == (FailureClass.OVERLOAD, 120.0)


async def test_a_date_to_wait_for_becomes_seconds():
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    async with serving(answering("HTTP/1.1 503 Service Unavailable", f"Retry-After: {later}")) as server:
        failure = await failure_of_open(server.url)
        assert failure.kind is FailureClass.OVERLOAD
        assert failure.retry_after is not None
        assert 3000 < failure.retry_after <= 3600


@pytest.mark.parametrize("value", ["soon", "-5", "1e9", "²", ""])
async def test_a_wait_that_makes_no_sense_is_none(value):
    async with serving(answering("HTTP/1.1 429 Too Many Requests", f"Retry-After: {value}")) as server:
        failure = await failure_of_open(server.url)
        assert (failure.kind, failure.retry_after) == (FailureClass.OVERLOAD, None)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_a_refusal_and_nothing_goes_to_its_target(status):
    async with serving(accept) as target:
        location = f"ws://127.0.0.1:{target.port}/?from={CANARY}"
        script = answering(f"HTTP/1.1 {status} Elsewhere", f"Location: {location}")
        async with serving(script) as server:
            failure = await failure_of_open(server.url, headers={"X-Key": canary()})
            assert failure.kind is FailureClass.PERMANENT
            assert "redirected to 127.0.0.1" in failure.reason
            assert CANARY not in repr(failure)
            assert len(server.peers) == 1
        assert target.peers == []


@pytest.mark.parametrize(
    ("location", "words"),
    [("/login", "another path of the host"), ("http://[bad", "an unreadable address"), (None, "nowhere")],
)
async def test_a_redirect_without_a_host_is_described(location, words):
    lines = ["HTTP/1.1 302 Found"] + ([f"Location: {location}"] if location else [])
    async with serving(answering(*lines)) as server:
        assert words in (await failure_of_open(server.url)).reason


async def test_a_server_that_takes_no_subprotocol_is_refused():
    async with serving(accept) as server:
        failure = await failure_of_open(server.url, subprotocols=("sip",))
        assert failure.kind is FailureClass.PERMANENT
        assert "subprotocols" in failure.reason


async def test_a_server_that_takes_another_subprotocol_is_refused():
    async def script(peer: Peer) -> None:
        await peer.accept("Sec-WebSocket-Protocol: chat")
        await peer.gone()

    async with serving(script) as server:
        failure = await failure_of_open(server.url, subprotocols=("sip",))
        assert failure.kind is FailureClass.PERMANENT
        assert "subprotocols" in failure.reason


async def test_the_subprotocol_taken_is_a_fact():
    async def handler(connection) -> None:
        await connection.wait_closed()

    async with serve(handler, "127.0.0.1", 0, subprotocols=["ari", "sip"]) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with opened(url, subprotocols=("sip",)) as session:
            assert session.facts["subprotocol"] == "sip"


# --- broken servers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x00\xff\x00\xff\r\n\r\n",
        b"HTTP/1.1 101\r\n\r\n",
        b"HTTP/1.1 999 Nonsense\r\n\r\n",
        b"HTTP/1.1 101 Yes\r\nno colon\r\n\r\n",
        b"HTTP/1.1 101 Yes\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 " + b"9" * 20000,
    ],
)
async def test_an_answer_that_is_no_handshake_is_noticed_while_the_server_holds_on(answer):
    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.writer.write(answer)
        await peer.gone()

    async with serving(script) as server:
        failure = await failure_of_open(server.url)
        assert failure.kind is FailureClass.TRANSIENT
        assert failure.stage is Stage.HANDSHAKE
        assert "answer to the handshake" in failure.reason


async def test_an_upgrade_without_the_right_key_is_no_handshake():
    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.answer(
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Accept: bm90IG91cnM=",
        )
        await peer.gone()

    async with serving(script) as server:
        failure = await failure_of_open(server.url)
        assert failure.kind is FailureClass.PERMANENT
        assert failure.reason == "the answer is not a WebSocket handshake"


@pytest.mark.parametrize("part", [b"", b"HTTP/1.1 101 Swit", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade"])
async def test_a_server_that_closes_in_mid_handshake_is_transient(part):
    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.writer.write(part)
        await peer.writer.drain()

    async with serving(script) as server:
        failure = await failure_of_open(server.url)
        assert failure.kind is FailureClass.TRANSIENT
        assert failure.reason == "connection closed during the handshake"


async def test_a_server_that_closes_before_the_first_message_fails_the_opening():
    async def script(peer: Peer) -> None:
        await peer.accept()
        peer.send(b"\x03\xf0" + b"who are you", opcode=8)
        await peer.gone()

    async with serving(script) as server:
        big = "x" * 4_000_000
        failure = await failure_of_open(server.url, on_connect=(big, big))
        assert "policy violation" in failure.reason
