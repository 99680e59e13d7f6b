"""How a registration at a registrar on the loopback is kept and looked after."""

import asyncio

import pytest

from manager.drivers.base import DriverError
from manager.drivers.sip.session import refresh_delay
from manager.model import FailureClass, Stage
from manager.settings import Policy
from tests.unit.sip.registrar import reply


@pytest.fixture
def hurried(monkeypatch):
    """Refreshes are due after a hundredth of their time, so that a slow machine has the rest of it."""
    monkeypatch.setattr(
        "manager.drivers.sip.session.refresh_delay", lambda *granted: refresh_delay(*granted) / 100
    )


async def test_a_binding_that_vanished_is_found_by_the_check(house):
    async with house.opened() as session:
        house.registrar.binding = None
        with pytest.raises(DriverError) as caught:
            await session.check()
    assert caught.value.failure.stage is Stage.CHECK


@pytest.mark.parametrize("status", [400, 405, 501])
async def test_a_registrar_that_does_not_allow_the_check_is_no_failure(house, status):
    async with house.opened() as session:
        house.registrar.handle = lambda seen: [reply(seen, status)]
        assert await session.check() == "the registrar shows no bindings"


async def test_a_check_finds_that_the_account_is_gone(house):
    async with house.opened() as session:
        house.registrar.handle = lambda seen: [reply(seen, 404)]
        with pytest.raises(DriverError, match="does not know the address of record"):
            await session.check()


@pytest.mark.usefixtures("hurried")
async def test_a_registration_is_refreshed_in_time(house):
    house.registrar.granted = 100
    async with house.opened():
        await house.witness.until(lambda: len(house.witness.refreshes) >= 2)
        assert house.witness.refreshes == [None, None]


def restart_nat(registrar, *refusal):
    """Have every response say that we are seen at another port; `refusal` answers a REGISTER."""
    usual = registrar.handle

    def moved(seen):
        answers = [reply(seen, *refusal)] if refusal and seen.method == "REGISTER" else usual(seen)
        return [raw.replace(b";rport", b";rport=7777;received=127.0.0.1") for raw in answers]

    registrar.handle = moved


async def test_a_contact_that_nobody_sees_us_at_any_longer_is_replaced_at_once(house):
    async with house.opened() as session:
        earlier = house.registrar.binding
        restart_nat(house.registrar)
        await session.heartbeat()
        await house.witness.until(lambda: house.witness.refreshes == [None])
        assert dict(house.registrar.registers[-1].contacts)[earlier] == 0
        assert ":7777;" in house.registrar.binding
        assert ":7777;" in session.facts["contact"]


async def test_a_new_contact_that_is_refused_is_not_tried_again_with_every_heartbeat(house):
    async with house.opened() as session:
        restart_nat(house.registrar, 503, "Retry-After: 100")
        await session.heartbeat()
        await house.witness.until(lambda: len(house.witness.refreshes) == 1)
        tried = len(house.registrar.registers)
        for _ in range(3):
            await session.heartbeat()
        assert len(house.registrar.registers) == tried


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("answers", [lambda seen: [reply(seen, 500)], lambda _: []], ids=["500", "silence"])
async def test_a_refresh_that_fails_is_counted_and_tried_again_while_the_binding_lives(house, answers):
    house.registrar.granted = 9  # tried again after a third of it, with the rest to spare
    async with house.opened(policy=Policy(heartbeat_timeout=0.2, suspect_timeout=0.2)) as session:
        house.registrar.handle = answers
        await house.witness.until(lambda: len(house.witness.refreshes) >= 1)
        assert house.witness.refreshes[0].stage is Stage.REFRESH
        house.registrar.handle = house.registrar.usual
        session._refresh_timeout = 10
        await house.witness.until(lambda: None in house.witness.refreshes)
        assert not session._over.done()


async def test_a_binding_that_cannot_be_refreshed_runs_out(house):
    house.registrar.granted = 2
    async with house.opened() as session:
        house.registrar.handle = lambda seen: [reply(seen, 500)]
        async with asyncio.timeout(60):
            assert "run out" in (await session.ended()).reason


@pytest.mark.usefixtures("hurried")
async def test_a_mistake_of_ours_in_a_refresh_ends_the_session(house, monkeypatch):
    house.registrar.granted = 100
    async with house.opened() as session:
        monkeypatch.setattr(session._registration, "register", lambda *_: 1 / 0)
        async with asyncio.timeout(60):
            assert (await session.ended()).reason == "unexpected ZeroDivisionError"


@pytest.mark.usefixtures("hurried")
async def test_a_refused_refresh_ends_the_session(house):
    house.registrar.granted = 100
    async with house.opened() as session:
        house.registrar.password = "other"
        async with asyncio.timeout(60):
            assert (await session.ended()).kind is FailureClass.CREDENTIALS
        assert house.witness.refreshes[0].kind is FailureClass.CREDENTIALS
        tried = len(house.registrar.registers)
        await session.close(graceful=True)
        assert len(house.registrar.registers) == tried
