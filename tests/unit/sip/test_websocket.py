"""SIP over WebSocket and TLS against servers on the loopback."""

import asyncio

import pytest
from websockets.asyncio.server import serve
from websockets.datastructures import Headers
from websockets.http11 import Response

from manager.drivers.base import DriverError
from manager.drivers.sip import create
from manager.drivers.sip.websocket import MAX_WAITING
from manager.endpoint import parse_endpoint
from manager.model import FailureClass, Stage
from manager.settings import Tls
from tests.unit.sip.house import nothing_left, settings_for
from tests.unit.sip.registrar import Registrar, Seen, Witness


class WebSocketHouse:
    """A registrar behind a WebSocket server."""

    def __init__(self):
        self.registrar = Registrar()
        self.witness = Witness()
        self.paths = []
        self.connections = []
        self.answer = None

    async def serve(self, **options):
        self.server = await serve(
            self._handle, "127.0.0.1", 0, process_request=self._first, **({"subprotocols": ["sip"]} | options)
        )
        self.port = self.server.sockets[0].getsockname()[1]

    def _first(self, connection, request):
        self.paths.append(request.path)
        return self.answer

    async def _handle(self, connection):
        self.connections.append(connection)
        async for message in connection:
            assert isinstance(message, str)
            for raw in self.registrar._came(message.encode()):
                await connection.send(raw)

    async def open(self, address, **changes):
        settings = settings_for(self.port, "tcp", endpoints=(parse_endpoint(address),), **changes)
        async with asyncio.timeout(60):
            return await create(settings, {}).open(settings.endpoints[0], self.witness)

    async def refusal(self, address, **changes):
        with pytest.raises(DriverError) as caught:
            await self.open(address, **changes)
        return caught.value.failure


@pytest.fixture
async def house():
    house = WebSocketHouse()
    yield house
    house.server.close()
    await house.server.wait_closed()
    await nothing_left()


async def test_a_registration_goes_over_a_websocket(house):
    await house.serve()
    session = await house.open(f"ws://127.0.0.1:{house.port}/ws?x=1")
    assert house.paths == ["/ws?x=1"]
    assert await session.heartbeat() > 0
    assert await session.check() == "bound for 300 s"
    assert session.facts["transport"] == "ws"
    assert ".invalid;transport=ws;" in session.facts["contact"]
    assert ";branch=" in house.registrar.seen[0].one("Via")
    assert house.witness.stages.count(Stage.HANDSHAKE) == 1
    await session.close(graceful=True)
    assert house.registrar.binding is None


async def test_a_sip_address_with_transport_ws_takes_the_usual_path(house):
    await house.serve()
    session = await house.open(f"sip:127.0.0.1:{house.port};transport=ws")
    assert house.paths == ["/ws"]
    await session.close(graceful=False)


async def test_wss_checks_the_certificate_and_says_so_in_order(house, pki):
    await house.serve(ssl=pki.server_context())
    address = f"wss://127.0.0.1:{house.port}/"
    session = await house.open(address, tls=Tls(ca_file=pki.cert))
    order = [Stage.CONNECT, Stage.TLS, Stage.HANDSHAKE, Stage.LOGIN]
    assert house.witness.stages[2:] == order
    await session.close(graceful=False)
    failure = await house.refusal(address)
    assert (failure.kind, failure.stage) == (FailureClass.CONFIGURATION, Stage.TLS)
    failure = await house.refusal(address, tls=Tls(ca_file=pki.cert, server_name="other.example"))
    assert failure.kind is FailureClass.CONFIGURATION


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, FailureClass.PERMANENT),
        (401, FailureClass.CREDENTIALS),
        (410, FailureClass.PERMANENT),
        (400, FailureClass.TRANSIENT),
        (404, FailureClass.TRANSIENT),
        (500, FailureClass.TRANSIENT),
        (503, FailureClass.OVERLOAD),
        (429, FailureClass.OVERLOAD),
    ],
)
async def test_a_refused_handshake_has_its_class_and_a_redirect_is_not_followed(house, status, kind):
    await house.serve()
    house.answer = Response(status, "No", Headers([("Location", f"ws://127.0.0.1:{house.port}/else")]), b"")
    failure = await house.refusal(f"ws://user:canary@127.0.0.1:{house.port}/ws")
    assert (failure.kind, failure.stage) == (kind, Stage.HANDSHAKE)
    assert house.paths == ["/ws"]
    assert "canary" not in repr(failure)


async def test_the_seconds_that_a_server_asks_for_before_the_websocket_are_passed_on(house):
    await house.serve()
    house.answer = Response(503, "No", Headers([("Retry-After", "120")]), b"")
    failure = await house.refusal(f"ws://127.0.0.1:{house.port}/ws")
    assert (failure.kind, failure.retry_after) == (FailureClass.OVERLOAD, 120.0)


async def test_a_server_without_the_subprotocol_is_refused(house):
    await house.serve(subprotocols=None)
    failure = await house.refusal(f"ws://127.0.0.1:{house.port}/")
    assert failure.kind is FailureClass.PERMANENT
    assert not house.registrar.seen


async def test_the_proxies_of_the_environment_are_not_used(house, monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:9")
    await house.serve()
    session = await house.open(f"ws://127.0.0.1:{house.port}/")
    await session.close(graceful=False)


async def test_a_closed_websocket_ends_the_session_with_its_code(house):
    await house.serve()
    session = await house.open(f"ws://127.0.0.1:{house.port}/")
    await house.connections[0].close(4001)
    async with asyncio.timeout(60):
        assert "4001" in (await session.ended()).reason
    await session.close(graceful=True)


async def test_a_peer_that_does_not_read_ends_the_session(house):
    await house.serve()
    session = await house.open(f"ws://127.0.0.1:{house.port}/")
    for _ in range(MAX_WAITING + 1):
        session.flow.wire.send(b"x")
    async with asyncio.timeout(60):
        assert (await session.ended()).reason == "the peer does not read"
    await session.close(graceful=False)


async def test_a_message_past_the_bound_ends_the_session(house):
    await house.serve()
    session = await house.open(f"ws://127.0.0.1:{house.port}/")
    await house.connections[0].send("x" * (2 * 1024 * 1024))
    async with asyncio.timeout(60):
        assert (await session.ended()).kind is FailureClass.TRANSIENT
    await session.close(graceful=False)


async def test_a_peer_that_speaks_no_websocket_is_a_failure(house):
    await house.serve()

    async def hello(reader, writer):
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()
        writer.close()

    other = await asyncio.start_server(hello, "127.0.0.1", 0)
    try:
        failure = await house.refusal(f"ws://127.0.0.1:{other.sockets[0].getsockname()[1]}/")
        assert (failure.kind, failure.stage) == (FailureClass.TRANSIENT, Stage.HANDSHAKE)
    finally:
        other.close()
        await other.wait_closed()


@pytest.mark.parametrize("turns", range(0, 60, 4))
async def test_an_open_that_is_cancelled_after_any_turn_of_the_loop_leaves_nothing_behind(house, pki, turns):
    await house.serve(ssl=pki.server_context())
    opening = asyncio.create_task(house.open(f"wss://127.0.0.1:{house.port}/", tls=Tls(ca_file=pki.cert)))
    for _ in range(turns):
        await asyncio.sleep(0)
    opening.cancel()
    (result,) = await asyncio.gather(opening, return_exceptions=True)
    if not isinstance(result, asyncio.CancelledError):
        await result.close(graceful=False)


@pytest.fixture
async def secure(pki):
    registrar = Registrar()
    port = await registrar.listen_tcp(ssl=pki.server_context())
    yield registrar, port, pki.cert
    await registrar.close()
    await nothing_left()


async def open_tls(port, tls, witness):
    settings = settings_for(port, "tls", tls=tls)
    async with asyncio.timeout(60):
        return await create(settings, {}).open(settings.endpoints[0], witness)


async def test_a_registration_goes_over_tls(secure):
    registrar, port, authority = secure
    witness = Witness()
    session = await open_tls(port, Tls(ca_file=authority), witness)
    assert witness.stages[2:] == [Stage.CONNECT, Stage.TLS, Stage.HANDSHAKE, Stage.LOGIN]
    assert isinstance(registrar.seen[0], Seen)
    assert "SIP/2.0/TLS" in registrar.seen[0].one("Via")
    assert await session.heartbeat() > 0
    await session.close(graceful=True)
    assert registrar.binding is None


async def test_a_certificate_that_nobody_vouches_for_is_a_matter_of_configuration(secure):
    registrar, port, authority = secure
    other, none = (Tls(ca_file=authority, server_name=name) for name in ("other.example", ".pbx.example"))
    for tls in (Tls(), other, none):
        with pytest.raises(DriverError) as caught:
            await open_tls(port, tls, Witness())
        failure = caught.value.failure
        assert (failure.kind, failure.stage) == (FailureClass.CONFIGURATION, Stage.TLS)
        assert failure.hint
    assert not registrar.seen


@pytest.mark.parametrize("turns", range(0, 40, 4))
async def test_a_tls_open_that_is_cancelled_after_any_turn_leaves_nothing_behind(secure, turns):
    _, port, authority = secure
    opening = asyncio.create_task(open_tls(port, Tls(ca_file=authority), Witness()))
    for _ in range(turns):
        await asyncio.sleep(0)
    opening.cancel()
    (result,) = await asyncio.gather(opening, return_exceptions=True)
    if not isinstance(result, asyncio.CancelledError):
        await result.close(graceful=False)
