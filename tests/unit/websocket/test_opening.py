from __future__ import annotations

import socket

import pytest

from manager.drivers.websocket import create
from manager.model import FailureClass, Stage
from manager.secret import Secret, SecretSource
from tests.unit.websocket.peer import (
    CANARY,
    TEXT,
    Peer,
    Recorder,
    accept,
    canary,
    failure_of_open,
    open_session,
    opened,
    serving,
    settings,
)

# --- what is sent -------------------------------------------------------------------------------------------


async def test_headers_and_parameters_are_sent_with_their_secrets_read():
    async with serving(accept) as server:
        url = f"ws://127.0.0.1:{server.port}/ari/events?app=lab"
        headers = {"Authorization": canary(), "X-Plain": "yes"}
        query = {"api_key": SecretSource(plain=Secret("monitor:pass & word")), "all": "true"}
        async with opened(url, headers=headers, query=query):
            peer = server.peers[0]
            assert peer.request.startswith(
                "GET /ari/events?app=lab&api_key=monitor%3Apass%20%26%20word&all=true HTTP/1.1\r\n"
            )
            assert peer.header("Authorization") == CANARY
            assert peer.header("X-Plain") == "yes"
            assert peer.header("User-Agent") == "trunkline"
            assert peer.header("Sec-WebSocket-Extensions") is None


async def test_compression_is_offered_when_asked_for():
    async with serving(accept) as server, opened(server.url, compression=True):
        offered = server.peers[0].header("Sec-WebSocket-Extensions")
        assert offered is not None
        assert offered.startswith("permessage-deflate")


async def test_a_rotated_secret_is_read_anew_for_each_opening(tmp_path):
    file = tmp_path / "token"
    source = SecretSource(file=file)
    async with serving(accept) as server:
        ours = settings(server.url, headers={"Authorization": source})
        driver = create(ours, {})
        for value in ("first", "second"):
            file.write_text(value)
            session = await driver.open(ours.endpoints[0], Recorder())
            await session.close(graceful=False)
        assert [peer.header("Authorization") for peer in server.peers] == ["first", "second"]


async def test_user_and_password_of_the_address_become_basic_credentials():
    async with serving(accept) as server, opened(f"ws://monitor:s3cret@127.0.0.1:{server.port}/"):
        assert server.peers[0].header("Authorization") == "Basic bW9uaXRvcjpzM2NyZXQ="


async def test_first_messages_are_sent_in_order_after_each_connect():
    received = []

    async def script(peer: Peer) -> None:
        await peer.accept()
        received.append(await peer.read_frame())
        received.append(await peer.read_frame())
        await peer.gone()

    async with serving(script) as server:
        session = await open_session(server.url, on_connect=('{"subscribe": "calls"}', canary()))
        assert session.facts["messages_out"] == 2
        await session.close(graceful=False)
    assert received == [(TEXT, b'{"subscribe": "calls"}'), (TEXT, CANARY.encode())]


# --- stages -------------------------------------------------------------------------------------------------


async def test_without_credentials_the_stages_end_at_the_handshake():
    listener = Recorder()
    async with serving(accept) as server, opened(server.url, listener):
        assert listener.stages == [Stage.SECRET, Stage.LOOKUP, Stage.CONNECT, Stage.HANDSHAKE]


@pytest.mark.parametrize(
    ("suffix", "more"),
    [
        ("", {"headers": {"Authorization": "plain but named like a secret"}}),
        ("", {"headers": {"X-Anything": canary()}}),
        ("", {"query": {"user": canary()}}),
        ("?access_token=abc", {}),
    ],
)
async def test_credentials_in_the_request_make_it_a_login(suffix, more):
    listener = Recorder()
    async with serving(accept) as server, opened(server.url + suffix, listener, **more):
        assert listener.stages[-1] is Stage.LOGIN
        assert Stage.HANDSHAKE not in listener.stages


async def test_the_login_is_reported_before_the_request_and_after_the_connect():
    listener = Recorder()
    seen: list[list[Stage]] = []

    async def script(peer: Peer) -> None:
        await peer.read_request()
        seen.append(list(listener.stages))
        peer.upgrade()
        await peer.gone()

    async with serving(script) as server, opened(server.url, listener, query={"key": canary()}):
        pass
    assert seen == [[Stage.SECRET, Stage.LOOKUP, Stage.CONNECT, Stage.LOGIN]]


async def test_no_login_is_reported_where_nobody_listens():
    listener = Recorder()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{taken.getsockname()[1]}/"
        failure = await failure_of_open(url, listener=listener, query={"key": canary()})
    assert failure.reason == "connection refused"
    assert (failure.kind, failure.stage) == (FailureClass.TRANSIENT, Stage.CONNECT)
    assert Stage.LOGIN not in listener.stages


async def test_credentials_in_a_first_message_are_a_login_too():
    listener = Recorder()
    async with serving(accept) as server, opened(server.url, listener, on_connect=(canary(),)):
        assert listener.stages[-2:] == [Stage.HANDSHAKE, Stage.LOGIN]


async def test_a_secret_that_cannot_be_read_stops_before_any_connection():
    async with serving(accept) as server:
        source = SecretSource(env="TRUNKLINE_TEST_NOT_SET")
        failure = await failure_of_open(server.url, headers={"Authorization": source})
        assert (failure.kind, failure.stage) == (FailureClass.CONFIGURATION, Stage.SECRET)
        assert server.peers == []


@pytest.mark.parametrize("value", [f"{CANARY}\r\nX-Evil: 1", f"{CANARY}\n", f"{CANARY}\x00", f"{CANARY}€"])
async def test_a_secret_cannot_end_its_header_line(value):
    async with serving(accept) as server:
        source = SecretSource(plain=Secret(value))
        failure = await failure_of_open(server.url, headers={"Authorization": source})
        assert failure.kind is FailureClass.CONFIGURATION
        assert "Authorization" in failure.reason
        assert CANARY not in repr(failure)
        assert server.peers == []


async def test_a_header_name_cannot_end_its_line():
    async with serving(accept) as server:
        failure = await failure_of_open(server.url, headers={"X\r\nY": "1"})
        assert failure.kind is FailureClass.CONFIGURATION
        assert server.peers == []
