from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from websockets.asyncio.server import serve

from manager.drivers.base import DriverError
from manager.drivers.websocket import create
from manager.model import FailureClass, Stage
from manager.secret import Secret, SecretSource
from manager.settings import Tls
from tests.unit.websocket.peer import (
    CANARY,
    PATIENCE,
    TEXT,
    Peer,
    Recorder,
    canary,
    failure_of_open,
    open_session,
    opened,
    serving,
    settings,
)


async def accept(peer: Peer) -> None:
    await peer.accept()
    await peer.gone()


def answering(*lines: str, body: bytes = b""):
    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.answer(*lines, f"Content-Length: {len(body)}", body=body)
        await peer.gone()

    return script


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
        ("503 Service Unavailable", FailureClass.TRANSIENT),
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


# --- hanging and cancelling ---------------------------------------------------------------------------------


@pytest.mark.parametrize("part", [b"", b"HTTP/1.1 101 Switching Protocols\r\n"])
async def test_a_cancelled_opening_of_a_hung_server_closes_the_connection(part):
    asked = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.writer.write(part)
        asked.set()
        await peer.gone()

    async with serving(script) as server:
        opening = asyncio.create_task(open_session(server.url))
        await asyncio.wait_for(asked.wait(), PATIENCE)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening


async def test_a_server_that_reads_no_first_message_leaves_the_opening_to_its_deadline():
    released = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.accept()
        peer.reader._transport.pause_reading()
        await released.wait()

    async with serving(script) as server:
        big = "x" * 16_000_000
        opening = asyncio.create_task(open_session(server.url, on_connect=(big,)))
        done, _ = await asyncio.wait([opening], timeout=0.2)
        assert not done
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        released.set()


async def test_an_opening_can_be_cancelled_at_every_step(pki):
    contexts = pki.server_context()
    finished = False
    async with serving(accept, ssl=contexts) as server:
        url = f"wss://127.0.0.1:{server.port}/events"
        for steps in range(500):
            listener = Recorder()
            more = {"tls": Tls(ca_file=pki.cert), "on_connect": ("hello",)}
            opening = asyncio.create_task(open_session(url, listener, **more))
            for _ in range(steps):
                await asyncio.sleep(0)
            opening.cancel()
            try:
                session = await opening
            except asyncio.CancelledError:
                continue
            await session.close(graceful=False)
            finished = True
            break
    assert finished


# --- TLS ----------------------------------------------------------------------------------------------------


class Pki:
    def __init__(self, folder) -> None:
        self.cert, self.key = folder / "cert.pem", folder / "key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-keyout", self.key, "-out", self.cert, "-subj", "/CN=lab", "-days", "2",
             "-addext", "subjectAltName=IP:127.0.0.1,DNS:pbx.example"],
            check=True,
            capture_output=True,
        )  # fmt: skip

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        return context


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


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
