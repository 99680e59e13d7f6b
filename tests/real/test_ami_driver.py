from __future__ import annotations

import asyncio

import pytest

from manager.drivers.ami import AmiEvent, AmiSession, create
from manager.drivers.ami.session import BOOT_TIMEOUT
from manager.drivers.base import StandbyDriver
from manager.model import FailureClass, Stage
from tests.real.asterisk import Asterisk
from tests.real.authority import Authority
from tests.real.connections import Witness, ami, opened, refusal, until


@pytest.mark.parametrize("over_tls", [False, True], ids=["tcp", "tls"])
async def test_a_login_is_usable_and_tells_the_version(
    asterisk: Asterisk, authority: Authority, over_tls: bool
) -> None:
    async with opened(ami(asterisk, tls=authority if over_tls else None)) as session:
        assert 0 < await session.heartbeat() < 5
        assert await session.check() == "0 calls up"
        assert str(session.facts["version"]).startswith("22.")
        assert session.facts["system"] == "trunkline"
        assert "monitor" in asterisk.cli("manager show connected")
    assert "monitor" not in asterisk.cli("manager show connected")


async def test_a_user_with_few_rights_works_without_a_health_check(asterisk: Asterisk) -> None:
    async with opened(ami(asterisk, "limited")) as session:
        assert await session.heartbeat() > 0
        assert await session.check() == "not available: permission denied"


@pytest.mark.parametrize(
    ("user", "secret"),
    [("monitor", "wrong"), ("denied", None), ("nobody", "wrong")],
    ids=["secret", "acl", "user"],
)
async def test_a_refused_login_is_a_matter_of_credentials_and_is_tried_once(
    asterisk: Asterisk, user: str, secret: str | None
) -> None:
    failure = await refusal(ami(asterisk, user, secret=secret))
    assert (failure.kind, failure.stage) == (FailureClass.CREDENTIALS, Stage.LOGIN)
    await until(lambda: asterisk.ami_refusals() == 1)


async def test_a_certificate_of_a_stranger_is_refused_before_the_login(
    asterisk: Asterisk, stranger: Authority
) -> None:
    failure = await refusal(ami(asterisk, tls=stranger))
    assert (failure.kind, failure.stage) == (FailureClass.CONFIGURATION, Stage.TLS)
    assert asterisk.ami_refusals() == 0


async def test_a_new_secret_is_taken_after_a_reload(asterisk: Asterisk) -> None:
    asterisk.set_secret("monitor", "another")
    assert (await refusal(ami(asterisk, secret="secret-of-monitor"))).kind is FailureClass.CREDENTIALS
    async with opened(ami(asterisk, secret="another")) as session:
        assert await session.heartbeat() > 0


async def test_events_and_lists_come_in(asterisk: Asterisk) -> None:
    witness = Witness()
    async with opened(ami(asterisk), witness) as session:
        assert isinstance(session, AmiSession)
        reply = await session.action({"Action": "PJSIPShowEndpoints"})
        assert {"6001", "6020"} <= {event.first("ObjectName") for event in reply.events}
        await session.action({"Action": "UserEvent", "UserEvent": "Größe", "Text": "漢字 ü"})
        async with asyncio.timeout(5):
            while True:
                event = await witness.messages.get()
                if isinstance(event, AmiEvent) and event.name == "UserEvent":
                    break
        assert (event.first("UserEvent"), event.first("Text")) == ("Größe", "漢字 ü")


@pytest.mark.parametrize("how", ["kill", "stop"])
async def test_the_end_of_the_server_ends_the_session(asterisk: Asterisk, how: str) -> None:
    async with opened(ami(asterisk)) as session:
        getattr(asterisk, how)()
        async with asyncio.timeout(5):
            failure = await session.ended()
        assert failure.kind is FailureClass.TRANSIENT
        if how == "stop":
            assert failure.reason == "Asterisk is shutting down"


async def test_a_hung_server_answers_no_heartbeat_and_the_session_survives_its_thaw(
    asterisk: Asterisk,
) -> None:
    async with opened(ami(asterisk)) as session:
        asterisk.freeze()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await session.heartbeat()
        asterisk.thaw()
        assert await session.heartbeat() > 0


async def test_a_spare_is_sent_events_once_it_is_promoted(asterisk: Asterisk) -> None:
    witness, settings = Witness(), ami(asterisk)
    driver = create(settings, {})
    assert isinstance(driver, StandbyDriver)
    async with asyncio.timeout(BOOT_TIMEOUT):  # that is, FullyBooted is among what it is sent
        session = await driver.open_standby(settings.endpoints[0], witness)
    assert isinstance(session, AmiSession)
    try:
        for text in ("before", "after"):
            await session.action({"Action": "UserEvent", "UserEvent": text})
            await session.heartbeat()
            if text == "before":
                assert await session.promote()
        async with asyncio.timeout(5):
            while True:
                event = await witness.messages.get()
                if isinstance(event, AmiEvent) and event.name == "UserEvent":
                    break
        assert event.first("UserEvent") == "after"
    finally:
        await session.close(graceful=True)
