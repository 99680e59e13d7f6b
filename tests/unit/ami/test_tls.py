from __future__ import annotations

import asyncio

import pytest

from manager.drivers.ami import create
from manager.model import FailureClass, Stage
from manager.settings import Tls
from tests.unit.ami.peer import (
    Peer,
    Recorder,
    cancel_at_every_await,
    failure_of_open,
    hold,
    open_session,
    serving,
    settings,
)


async def usable(peer: Peer) -> None:
    await peer.log_in()
    await peer.answer("Ping")
    await peer.answer("Logoff", "Goodbye")
    await hold(peer)


async def test_a_session_over_tls_works_like_any_other(pki):
    listener = Recorder()
    async with serving(usable, ssl=pki.server_context()) as server:
        tls = Tls(ca_file=pki.cert, server_name="pbx.example")
        session = await open_session(server, listener, scheme="amis", tls=tls)
        await session.heartbeat()
        await session.close(graceful=True)
    expected = [Stage.SECRET, Stage.LOOKUP, Stage.CONNECT, Stage.TLS, Stage.HANDSHAKE, Stage.LOGIN]
    assert listener.stages == expected


async def test_a_certificate_for_another_name_is_refused_before_anything_is_said(pki):
    async with serving(hold, ssl=pki.server_context()) as server:
        failure = await failure_of_open(
            server, scheme="amis", tls=Tls(ca_file=pki.cert, server_name="other.example")
        )
        assert not server.peers
    assert (failure.kind, failure.stage) == (FailureClass.CONFIGURATION, Stage.TLS)


async def test_a_certificate_of_an_unknown_authority_is_refused(pki):
    async with serving(hold, ssl=pki.server_context()) as server:
        failure = await failure_of_open(server, scheme="amis", tls=Tls(server_name="pbx.example"))
    assert (failure.kind, failure.stage) == (FailureClass.CONFIGURATION, Stage.TLS)


async def test_a_missing_authority_file_is_a_mistake_here_and_nothing_is_opened(tmp_path):
    async with serving(hold) as server:
        failure = await failure_of_open(server, scheme="amis", tls=Tls(ca_file=tmp_path / "none.pem"))
        assert server.connections == 0
    assert failure.kind is FailureClass.CONFIGURATION


async def test_a_server_name_that_cannot_be_one_is_a_mistake_here_and_leaves_nothing(pki):
    async with serving(hold) as server:
        tls = Tls(ca_file=pki.cert, server_name=".pbx.example")
        failure = await failure_of_open(server, scheme="amis", tls=tls)
    assert (failure.kind, failure.stage) == (FailureClass.CONFIGURATION, Stage.TLS)


async def test_a_plain_port_where_tls_is_expected_is_told_so():
    async def script(peer: Peer) -> None:
        await peer.send("Asterisk Call Manager/11.0.0\r\n")
        await hold(peer)

    async with serving(script) as server:
        failure = await failure_of_open(server, scheme="amis", tls=Tls(verify=False))
    assert (failure.kind, failure.stage) == (FailureClass.TRANSIENT, Stage.TLS)
    assert "TLS" in failure.reason


async def test_a_tls_handshake_that_hangs_can_be_given_up():
    listener = Recorder()
    async with serving(hold) as server:
        chosen = settings(server, scheme="amis", tls=Tls(verify=False))
        opening = asyncio.create_task(create(chosen, {}).open(chosen.endpoints[0], listener))
        while not server.peers:
            await asyncio.sleep(0.01)
        assert listener.stages[-1] is Stage.TLS
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening


async def test_an_opening_over_tls_can_be_cancelled_at_every_await(pki):
    async with serving(usable, ssl=pki.server_context()) as server:
        chosen = settings(server, scheme="amis", tls=Tls(ca_file=pki.cert))
        await cancel_at_every_await(chosen)
