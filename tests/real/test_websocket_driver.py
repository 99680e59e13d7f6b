from __future__ import annotations

import asyncio
import json

import msgspec
import pytest

from manager.endpoint import parse_endpoint
from manager.model import FailureClass, Stage
from manager.settings import WebSocketSettings
from tests.real.asterisk import Asterisk
from tests.real.authority import Authority
from tests.real.connections import Witness, ari, opened, refusal


@pytest.mark.parametrize("over_tls", [False, True], ids=["ws", "wss"])
async def test_ari_events_come_in(asterisk: Asterisk, authority: Authority, over_tls: bool) -> None:
    witness = Witness()
    async with opened(ari(asterisk, tls=authority if over_tls else None), witness) as session:
        assert 0 < await session.heartbeat() < 5
        assert "trunkline" in asterisk.cli("ari show apps")
        asterisk.cli("channel originate Local/600@trunkline application Wait 1")
        kinds = set()
        async with asyncio.timeout(5):
            while "ChannelCreated" not in kinds:
                kinds.add(json.loads(str(await witness.messages.get()))["type"])


async def test_a_wrong_ari_key_is_a_matter_of_credentials_and_is_shown_nowhere(asterisk: Asterisk) -> None:
    failure = await refusal(ari(asterisk, key="ari:canary-2b81"))
    assert failure.kind is FailureClass.CREDENTIALS
    assert "canary" not in repr(failure)


async def test_a_certificate_of_a_stranger_is_refused(asterisk: Asterisk, stranger: Authority) -> None:
    failure = await refusal(ari(asterisk, tls=stranger))
    assert (failure.kind, failure.stage) == (FailureClass.CONFIGURATION, Stage.TLS)


async def test_sip_over_websocket_is_refused_without_its_subprotocol(asterisk: Asterisk) -> None:
    settings = WebSocketSettings(
        name="ws", endpoints=(parse_endpoint(f"ws://127.0.0.1:{asterisk.ports.http}/ws"),)
    )
    failure = await refusal(settings)
    assert (failure.kind, failure.stage) == (FailureClass.PERMANENT, Stage.HANDSHAKE)
    async with opened(msgspec.structs.replace(settings, subprotocols=("sip",))) as session:
        assert await session.heartbeat() > 0


async def test_a_second_client_of_the_same_application_is_noticed(asterisk: Asterisk) -> None:
    async with opened(ari(asterisk)) as first, opened(ari(asterisk)):
        async with asyncio.timeout(5):
            failure = await first.ended()
    assert "another client" in failure.reason


@pytest.mark.parametrize("how", ["kill", "stop"])
async def test_the_end_of_the_server_ends_the_session(asterisk: Asterisk, how: str) -> None:
    async with opened(ari(asterisk)) as session:
        getattr(asterisk, how)()
        async with asyncio.timeout(5):
            failure = await session.ended()
        assert failure.kind is FailureClass.TRANSIENT


async def test_a_hung_server_answers_no_heartbeat_and_the_session_survives_its_thaw(
    asterisk: Asterisk,
) -> None:
    async with opened(ari(asterisk)) as session:
        asterisk.freeze()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await session.heartbeat()
        asterisk.thaw()
        assert await session.heartbeat() > 0
