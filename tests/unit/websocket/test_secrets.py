"""A secret in every place where one can stand, and every fault: it is in nothing that can be read."""

from __future__ import annotations

import asyncio
import logging
import struct
import traceback

import pytest

from manager.drivers.base import DriverError
from manager.drivers.websocket import create
from manager.drivers.websocket.handshake import prepare
from manager.errors import NotConnectedError
from manager.secret import Secret, SecretSource
from tests.unit.websocket.peer import (
    CANARY,
    CLOSE,
    PATIENCE,
    Peer,
    Recorder,
    canary,
    open_session,
    opened,
    serving,
    settings,
)


async def refuse(peer: Peer) -> None:
    await peer.read_request()
    peer.answer("HTTP/1.1 403 Forbidden", f"X: {CANARY}", "Content-Length: 13", body=CANARY.encode())


async def redirect(peer: Peer) -> None:
    await peer.read_request()
    peer.answer("HTTP/1.1 302 Found", f"Location: ws://{CANARY}.invalid/{CANARY}", "Content-Length: 0")


async def redirect_into_nonsense(peer: Peer) -> None:
    await peer.read_request()
    peer.answer("HTTP/1.1 302 Found", f"Location: gopher://[{CANARY}", "Content-Length: 0")


async def talk_nonsense(peer: Peer) -> None:
    await peer.read_request()
    peer.answer(f"HTTP/1.1 {CANARY}")


async def upgrade_to_another(peer: Peer) -> None:
    await peer.read_request()
    peer.answer("HTTP/1.1 101 Go", f"Upgrade: {CANARY}", "Connection: Upgrade")


async def choose_another_subprotocol(peer: Peer) -> None:
    await peer.accept(f"Sec-WebSocket-Protocol: {CANARY}")


async def choose_an_extension(peer: Peer) -> None:
    await peer.accept(f"Sec-WebSocket-Extensions: {CANARY}")


async def hang_up(peer: Peer) -> None:
    await peer.read_request()


async def close_with_the_secret(peer: Peer) -> None:
    await peer.accept(f"Server: {CANARY}")
    peer.send(struct.pack("!H", 1008) + CANARY.encode(), opcode=CLOSE)
    await peer.gone()


async def send_too_much(peer: Peer) -> None:
    await peer.accept()
    peer.send(CANARY.encode() * 100)
    await peer.gone()


FAULTS = [
    refuse,
    redirect,
    redirect_into_nonsense,
    talk_nonsense,
    upgrade_to_another,
    choose_another_subprotocol,
    choose_an_extension,
    hang_up,
    close_with_the_secret,
    send_too_much,
]


def everything_said_by(error: BaseException | None) -> str:
    """Return what anyone could print of an exception and of those behind it."""
    said = ""
    while error is not None:
        said += repr(error) + str(error) + "".join(traceback.format_exception(error))
        error = error.__cause__ or error.__context__
    return said


@pytest.fixture
def _talkative():
    """Switch every log that the library or asyncio has to DEBUG."""
    names = ["", "websockets", "websockets.client", "websockets.protocol", "asyncio"]
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.usefixtures("_talkative")
@pytest.mark.parametrize("script", FAULTS, ids=lambda script: script.__name__)
async def test_no_fault_lets_a_secret_out(script, caplog, capfd):
    asyncio.get_running_loop().set_debug(True)
    listener = Recorder()
    said = ""
    async with serving(script) as server:
        url = f"ws://{CANARY}:{CANARY}@127.0.0.1:{server.port}/?token={CANARY}"
        try:
            session = await open_session(
                url,
                listener,
                headers={"Authorization": SecretSource(plain=Secret(f"Bearer {CANARY}"))},
                query={"api_key": canary()},
                on_connect=(canary(),),
                max_message_size=100,
            )
        except DriverError as error:
            said += repr(error.failure) + everything_said_by(error)
        else:
            failure = await asyncio.wait_for(session.ended(), PATIENCE)
            said += repr(failure) + repr(session.facts) + repr(session)
            for question in (session.heartbeat, session.check):
                try:
                    said += str(await question())
                except DriverError as error:
                    said += everything_said_by(error)
            try:
                await session.send("x")
            except NotConnectedError as error:
                said += everything_said_by(error)
            said += "".join(repr(task) for task in asyncio.all_tasks())
            await session.close(graceful=True)
    assert said
    printed = capfd.readouterr()
    for text in (said, caplog.text, printed.out, printed.err, repr(listener.reports)):
        assert CANARY not in text


async def test_settings_and_driver_do_not_show_what_they_hold():
    proxy = SecretSource(plain=Secret(f"http://me:{CANARY}@127.0.0.1:1"))
    ours = settings(
        f"wss://u:{CANARY}@h/?key={CANARY}", headers={"A": canary()}, query={"b": canary()}, proxy=proxy
    )
    handshake = await prepare(ours, ours.endpoints[0])
    assert CANARY not in repr(ours) + repr(handshake) + repr(create(ours, {})) + str(ours.endpoints[0])
    assert {CANARY} <= {secret.reveal() for secret in handshake.secrets}


def test_an_address_that_holds_a_secret_counts_as_credentials():
    assert settings("ws://127.0.0.1/?token=abc").secrets()
    assert not settings("ws://127.0.0.1/?app=abc").secrets()


async def test_the_headers_of_the_handshake_are_not_held_once_the_connection_is_open():
    async def tell(peer: Peer) -> None:
        await peer.accept("Server: Asterisk", f"X: {CANARY}")
        await peer.gone()

    async with serving(tell) as server, opened(server.url, headers={"Authorization": canary()}) as session:
        connection = session._connection
        assert connection.request is None
        assert not connection.response.headers
        assert session.facts["server"] == "Asterisk"
