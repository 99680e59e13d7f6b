"""The Contact that a registrar on the loopback gets, over sessions and restarts."""

import asyncio

import msgspec

from manager.drivers.sip.memory import recall, remember
from manager.model import FailureClass
from tests.unit.sip.registrar import reply


async def test_the_contact_and_call_id_stay_the_same_over_sessions_and_cseq_grows(house):
    for graceful in (True, False, True):
        session = await house.open()
        await session.close(graceful=graceful)
        house.memory = dict(house.memory)
    registers = house.registrar.registers
    assert len({uri for seen in registers for uri, _ in seen.contacts}) == 1
    assert len({seen.one("Call-ID") for seen in registers}) == 1
    numbers = [seen.cseq for seen in registers]
    assert numbers == sorted(set(numbers))
    assert "secret" not in "".join(house.memory.values())


async def test_a_contact_that_must_change_removes_the_earlier_one_in_the_same_register(house):
    session = await house.open()
    earlier = house.registrar.binding
    await session.close(graceful=False)
    (key,) = house.memory
    house.memory[key] = house.memory[key].replace(f'"port":{session.flow.wire.local[1]}', '"port":null')
    async with house.opened():
        contacts = dict(house.registrar.registers[-1].contacts)
        assert contacts[earlier] == 0
        assert sorted(contacts.values()) == [0, 300]


async def test_a_403_while_an_earlier_binding_lives_asks_for_patience_until_it_has_run_out(house):
    session = await house.open()
    await session.close(graceful=False)
    (key,) = house.memory
    house.memory[key] = house.memory[key].replace(f'"port":{session.flow.wire.local[1]}', '"port":null')
    house.registrar.handle = lambda seen: [reply(seen, 403)]
    failure = await house.refusal()
    assert failure.kind is FailureClass.OVERLOAD
    assert 280 < failure.retry_after <= 300


async def gives_up(house, asked):
    """Open, and cancel when the registrar was asked so often."""
    before = len(house.registrar.registers)
    opening = asyncio.create_task(house.open())
    await house.registrar.until(lambda: len(house.registrar.registers) >= before + asked)
    opening.cancel()
    await asyncio.gather(opening, return_exceptions=True)


async def test_a_contact_that_may_have_been_bound_without_an_answer_stays_the_same(house):
    house.registrar.handle = lambda seen: [] if seen.one("Authorization") else house.registrar.usual(seen)
    await gives_up(house, 2)
    await gives_up(house, 2)
    assert len({uri for seen in house.registrar.registers for uri, _ in seen.contacts}) == 1


async def test_over_udp_a_port_that_nothing_comes_back_to_is_left_once_no_binding_lives(udp):
    def contact():
        return udp.registrar.registers[-1].contacts[0][0]

    session = await udp.open()
    await session.close(graceful=False)
    udp.registrar.handle = lambda _: []
    earlier = contact()
    await gives_up(udp, 1)
    await gives_up(udp, 1)
    assert contact() == earlier
    (key,) = udp.memory
    remember(udp.memory, key, msgspec.structs.replace(recall(udp.memory, key), until=1.0))
    await gives_up(udp, 1)
    assert contact() == earlier
    await gives_up(udp, 1)
    assert contact() != earlier


async def test_over_udp_the_port_is_kept_while_a_registration_may_be_bound_whose_answer_was_lost(udp):
    udp.registrar.handle = lambda seen: [] if seen.one("Authorization") else udp.registrar.usual(seen)
    await gives_up(udp, 2)
    udp.registrar.handle = lambda _: []
    await gives_up(udp, 1)
    udp.registrar.handle = udp.registrar.usual
    async with udp.opened():
        contacts = {uri for seen in udp.registrar.registers for uri, _ in seen.contacts}
    assert len(contacts) == 1


async def test_a_contact_that_was_refused_is_not_taken_for_bound(house):
    usual = house.registrar.usual
    house.registrar.handle = lambda seen: [reply(seen, 403)] if seen.one("Authorization") else usual(seen)
    await house.refusal()
    (memory,) = house.memory.values()
    assert '"until":0.0' in memory


async def test_another_address_of_record_has_no_earlier_binding(house):
    session = await house.open()
    await session.close(graceful=False)
    house.registrar.handle = lambda seen: [reply(seen, 403)]
    assert (await house.refusal(aor="sip:6002@127.0.0.1")).kind is FailureClass.CREDENTIALS
