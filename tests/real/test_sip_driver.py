from __future__ import annotations

import asyncio

import pytest

from manager.drivers.base import DriverError
from manager.model import FailureClass, Stage
from tests.real.asterisk import Asterisk
from tests.real.authority import Authority
from tests.real.connections import TRANSPORTS, Witness, opened, refusal, sip, until
from tests.real.kamailio import Kamailio


def trusted(transport: str, authority: Authority) -> Authority | None:
    return authority if transport in ("tls", "wss") else None


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_registration_is_made_kept_and_taken_back(
    registrar: Asterisk | Kamailio, authority: Authority, transport: str
) -> None:
    settings = sip(registrar, "6001", transport, tls=trusted(transport, authority))
    async with opened(settings) as session:
        assert len(registrar.contacts("6001")) == 1
        assert session.facts["transport"] == transport
        assert 290 <= int(session.facts["expires"] or 0) <= 300
        assert 0 < await session.heartbeat() < 5
        assert (await session.check()).startswith("bound for ")
    assert registrar.contacts("6001") == []


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_wrong_password_is_a_matter_of_credentials_and_is_tried_once(
    registrar: Asterisk | Kamailio, authority: Authority, transport: str
) -> None:
    failure = await refusal(
        sip(registrar, "6001", transport, secret="wrong", tls=trusted(transport, authority))
    )
    assert (failure.kind, failure.stage) == (FailureClass.CREDENTIALS, Stage.LOGIN)
    await until(lambda: registrar.sip_refusals() == 1)


async def test_an_unknown_user_is_a_matter_of_credentials(registrar: Asterisk | Kamailio) -> None:
    failure = await refusal(sip(registrar, "7999", secret="wrong"))
    assert failure.kind is FailureClass.CREDENTIALS


@pytest.mark.parametrize("transport", ["tls", "wss"])
async def test_a_certificate_of_a_stranger_is_refused_before_the_password_is_asked_for(
    registrar: Asterisk | Kamailio, stranger: Authority, transport: str
) -> None:
    failure = await refusal(sip(registrar, "6001", transport, tls=stranger))
    assert (failure.kind, failure.stage) == (FailureClass.CONFIGURATION, Stage.TLS)


@pytest.mark.parametrize("user", ["6010", "6011"], ids=["SHA-256", "SHA-256 or MD5"])
async def test_sha_256_is_answered(asterisk: Asterisk, user: str) -> None:
    async with opened(sip(asterisk, user)):
        assert len(asterisk.contacts(user)) == 1
    assert asterisk.contacts(user) == []


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_contact_stays_the_same_where_a_new_one_would_be_refused(
    asterisk: Asterisk, authority: Authority, transport: str
) -> None:
    settings = sip(asterisk, "6020", transport, tls=trusted(transport, authority))
    memory: dict[str, str] = {}
    async with opened(settings, memory=memory) as first:
        contact = first.facts["contact"]
        await first.close(graceful=False)
        async with opened(settings, memory=memory) as second:
            assert second.facts["contact"] == contact
            assert len(asterisk.contacts("6020")) == 1


async def test_a_new_contact_is_indeed_refused_while_the_old_one_lives(asterisk: Asterisk) -> None:
    async with opened(sip(asterisk, "6020")):
        failure = await refusal(sip(asterisk, "6020"))
    assert (failure.kind, failure.stage) == (FailureClass.CREDENTIALS, Stage.LOGIN)


@pytest.mark.parametrize("transport", ["udp", "tcp", "ws"])
async def test_a_rewritten_contact_is_known_as_ours_and_taken_back(
    asterisk: Asterisk, transport: str
) -> None:
    async with opened(sip(asterisk, "6030", transport)) as session:
        assert (await session.check()).startswith("bound for ")
    assert asterisk.contacts("6030") == []


@pytest.mark.parametrize("transport", ["udp", "tcp", "ws"])
async def test_a_call_is_refused_and_told(asterisk: Asterisk, transport: str) -> None:
    witness = Witness()
    async with opened(sip(asterisk, "6030", transport), witness) as session:
        asterisk.cli("channel originate PJSIP/6030 application Wait 1")
        await until(lambda: bool(witness.reports))
        report, _, fields = witness.reports[0]
        assert (report, fields["answer"]) == ("incomingCall", 486)
        await until(lambda: "0 active channels" in asterisk.cli("core show channels"))
        assert await session.heartbeat() > 0
    assert len(witness.reports) == 1


@pytest.mark.parametrize("how", ["kill", "stop"])
@pytest.mark.parametrize("transport", ["tcp", "tls", "ws", "wss"])
async def test_the_end_of_the_server_ends_the_session(
    registrar: Asterisk | Kamailio, authority: Authority, transport: str, how: str
) -> None:
    async with opened(sip(registrar, "6001", transport, tls=trusted(transport, authority))) as session:
        getattr(registrar, how)()
        async with asyncio.timeout(5):
            failure = await session.ended()
        assert failure.kind is FailureClass.TRANSIENT


async def test_the_end_of_the_server_is_heard_over_udp_with_the_next_heartbeat(
    registrar: Asterisk | Kamailio,
) -> None:
    async with opened(sip(registrar, "6001", "udp")) as session:
        registrar.kill()
        with pytest.raises(DriverError, match="connection refused"):
            async with asyncio.timeout(5):
                await session.heartbeat()


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_hung_server_answers_no_heartbeat_and_the_session_survives_its_thaw(
    registrar: Asterisk | Kamailio, authority: Authority, transport: str
) -> None:
    async with opened(sip(registrar, "6001", transport, tls=trusted(transport, authority))) as session:
        registrar.freeze()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await session.heartbeat()
        registrar.thaw()
        assert await session.heartbeat() > 0


async def test_a_new_password_is_taken_once_the_server_has_it(registrar: Asterisk | Kamailio) -> None:
    registrar.set_secret("6001", "another")
    assert (await refusal(sip(registrar, secret="secret-of-6001"))).kind is FailureClass.CREDENTIALS
    async with opened(sip(registrar, secret="another")) as session:
        assert await session.heartbeat() > 0
