"""The doctor at real servers: each step is come to, a look leaves no trace, and a rival is recognised."""

from __future__ import annotations

import asyncio

import pytest

from manager.doctor import Topic, examine_all, findings
from manager.manager import ConnectionManager
from manager.model import Phase
from manager.store import Store
from tests.real.asterisk import Asterisk
from tests.real.authority import Authority
from tests.real.connections import SHORT, ami, ari, everything, sip, under, until
from tests.real.kamailio import Kamailio
from tests.real.managed import are_stable

SINGLE = "6020"
"""An account that takes one contact, and refuses a second one."""


async def test_every_kind_of_connection_is_well_and_nothing_is_left(
    asterisk: Asterisk, authority: Authority
) -> None:
    found = await examine_all(everything(asterisk, authority), Store(), hold=0.5)
    assert [each for each in found if not each.well] == []
    for each in found:
        if each.type == "sip":
            assert "OPTIONS" in [step.name for step in each.examinations[0].steps]
            assert asterisk.contacts(each.name.split("-")[1]) == []


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_look_leaves_a_registration_and_the_server_s_log_alone(
    asterisk: Asterisk, transport: str
) -> None:
    settings = sip(asterisk, SINGLE, transport)
    async with ConnectionManager([settings]) as manager:
        await until(lambda: manager.states[settings.name] is Phase.UP)
        before, refusals = asterisk.contacts(SINGLE), asterisk.sip_refusals()
        (found,) = await examine_all([settings], Store(), log_in=False)
        assert found.well
        assert asterisk.contacts(SINGLE) == before
        assert asterisk.sip_refusals() == refusals


async def test_a_wrong_secret_is_told_and_sent_once(asterisk: Asterisk) -> None:
    (found,) = await examine_all([ami(asterisk, secret="wrong")], Store())
    assert found.examinations[0].stops_at == "login"
    await until(lambda: asterisk.ami_refusals() == 1)


async def test_two_programs_with_one_ari_application_are_recognised(asterisk: Asterisk) -> None:
    settings = ari(asterisk)
    async with ConnectionManager(under(SHORT, settings)) as manager:
        await until(are_stable(manager))
        async with ConnectionManager(under(SHORT, settings)):
            await until(lambda: manager.states[settings.name] is Phase.BLOCKED)
            status = manager.get_connection_status()[settings.name]
            said = findings(status, manager.history(settings.name), (), manager.snapshot().time)
    assert [each.topic for each in said] == [Topic.NOT_RECONNECTING, Topic.SECOND_LOGIN]


async def test_a_contact_that_is_taken_out_of_the_registrar_is_a_second_program(kamailio: Kamailio) -> None:
    examining = asyncio.create_task(examine_all([sip(kamailio)], Store(), hold=2.0))
    await until(lambda: bool(kamailio.contacts("6001")))
    kamailio.forget_contacts("6001")
    (found,) = await examining
    assert [each.topic for each in found.findings] == [Topic.SECOND_LOGIN]
