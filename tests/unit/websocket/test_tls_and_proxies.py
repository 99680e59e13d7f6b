from __future__ import annotations

import asyncio

import pytest

from manager.drivers.base import DriverError
from manager.model import FailureClass, Stage
from manager.secret import Secret, SecretSource
from manager.settings import Tls
from tests.unit.websocket.peer import (
    CANARY,
    PATIENCE,
    Peer,
    Recorder,
    accept,
    answering,
    canary,
    failure_of_open,
    open_session,
    opened,
    serving,
)

# --- TLS ----------------------------------------------------------------------------------------------------


async def test_a_trusted_certificate_opens_a_session_over_tls(pki):
    listener = Recorder()
    async with serving(accept, ssl=pki.server_context()) as server:
        url = f"wss://127.0.0.1:{server.port}/"
        async with opened(url, listener, tls=Tls(ca_file=pki.cert)):
            assert listener.stages[1:] == [Stage.LOOKUP, Stage.CONNECT, Stage.TLS, Stage.HANDSHAKE]


async def test_the_server_name_is_what_the_certificate_is_checked_against(pki):
    names = []
    context = pki.server_context()
    context.sni_callback = lambda _, name, __: names.append(name)
    async with serving(accept, ssl=context) as server:
        url = f"wss://127.0.0.1:{server.port}/"
        async with opened(url, tls=Tls(ca_file=pki.cert, server_name="pbx.example")):
            pass
        failure = await failure_of_open(url, tls=Tls(ca_file=pki.cert, server_name="other.example"))
        assert failure.kind is FailureClass.CONFIGURATION
        failure = await failure_of_open(url, tls=Tls(ca_file=pki.cert, server_name=".pbx.example"))
        assert (failure.kind, failure.stage) == (FailureClass.CONFIGURATION, Stage.TLS)
    assert names == ["pbx.example", "other.example"]


async def test_a_certificate_that_is_not_trusted_is_a_configuration_mistake(pki):
    async with serving(accept, ssl=pki.server_context()) as server:
        failure = await failure_of_open(f"wss://127.0.0.1:{server.port}/", query={"key": canary()})
        assert (failure.kind, failure.stage) == (FailureClass.CONFIGURATION, Stage.TLS)
        assert "certificate refused" in failure.reason


async def test_tls_against_a_port_that_does_not_speak_it_is_transient():
    async def script(peer: Peer) -> None:
        await peer.reader.read(10)
        peer.writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await peer.gone()

    async with serving(script) as server:
        failure = await failure_of_open(f"wss://127.0.0.1:{server.port}/")
        assert (failure.kind, failure.stage) == (FailureClass.TRANSIENT, Stage.TLS)


async def test_a_cancelled_tls_handshake_closes_the_connection():
    started = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.reader.read(10)
        started.set()
        await peer.gone()

    async with serving(script) as server:
        opening = asyncio.create_task(open_session(f"wss://127.0.0.1:{server.port}/"))
        await asyncio.wait_for(started.wait(), PATIENCE)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening


# --- proxies ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["HTTP_PROXY", "http_proxy", "https_proxy", "ws_proxy", "socks_proxy", "all_proxy"]
)
async def test_the_environment_chooses_no_proxy(monkeypatch, name):
    async with serving(accept) as proxy, serving(accept) as server:
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        async with opened(server.url):
            assert len(server.peers) == 1
        assert proxy.peers == []


async def test_a_proxy_that_was_asked_for_is_used():
    asked = []

    async def script(peer: Peer) -> None:
        asked.append(await peer.read_request())
        peer.answer("HTTP/1.1 200 Connected")
        await peer.accept()
        await peer.gone()

    async with serving(script) as proxy:
        source = SecretSource(plain=Secret(f"http://me:{CANARY}@127.0.0.1:{proxy.port}"))
        async with opened("ws://pbx.invalid:8088/events", proxy=source):
            pass
    assert asked[0].startswith("CONNECT pbx.invalid:8088 HTTP/1.1\r\n")
    assert "Proxy-Authorization: Basic" in asked[0]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("407 Proxy Authentication Required", FailureClass.CONFIGURATION),
        ("403 Forbidden", FailureClass.PERMANENT),
        ("502 Bad Gateway", FailureClass.TRANSIENT),
    ],
)
async def test_a_proxy_that_refuses_is_named(status, kind):
    async with serving(answering(f"HTTP/1.1 {status}")) as proxy:
        failure = await failure_of_open("ws://pbx.invalid/", proxy=f"http://127.0.0.1:{proxy.port}")
        assert failure.kind is kind
        assert f"the proxy refuses ({status[:3]}" in failure.reason


async def test_a_proxy_that_hangs_up_is_transient():
    async def script(peer: Peer) -> None:
        await peer.read_request()

    async with serving(script) as proxy:
        failure = await failure_of_open("ws://pbx.invalid/", proxy=f"http://127.0.0.1:{proxy.port}")
        assert (failure.kind, failure.reason) == (FailureClass.TRANSIENT, "the proxy closed the connection")


async def test_an_address_of_a_proxy_that_cannot_be_used_is_not_shown():
    source = SecretSource(plain=Secret(f"gopher://me:{CANARY}@127.0.0.1"))
    with pytest.raises(DriverError) as caught:
        await open_session("ws://pbx.invalid/", proxy=source)
    assert caught.value.failure.kind is FailureClass.CONFIGURATION
    assert CANARY not in repr(caught.value.failure)


async def test_a_cancelled_opening_through_a_hung_proxy_closes_the_connection():
    asked = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.read_request()
        asked.set()
        await peer.gone()

    async with serving(script) as proxy:
        opening = asyncio.create_task(
            open_session("ws://pbx.invalid/", proxy=f"http://127.0.0.1:{proxy.port}")
        )
        await asyncio.wait_for(asked.wait(), PATIENCE)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening


async def test_tls_through_a_proxy_is_checked_as_without(pki, caplog):
    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.answer("HTTP/1.1 200 Connected")
        await peer.writer.drain()
        await peer.writer.start_tls(pki.server_context())
        await peer.accept()
        await peer.gone()

    async with serving(script) as proxy:
        address = f"http://127.0.0.1:{proxy.port}"
        async with opened("wss://pbx.example/", proxy=address, tls=Tls(ca_file=pki.cert)):
            pass
        failure = await failure_of_open("wss://other.invalid/", proxy=address, tls=Tls(ca_file=pki.cert))
        assert failure.kind is FailureClass.CONFIGURATION
        assert "certificate refused" in failure.reason
    assert "Traceback" not in caplog.text
