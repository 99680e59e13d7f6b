"""The driver against a registrar on the loopback."""

import asyncio
import json

import pytest

from manager.drivers.base import DriverError
from manager.drivers.sip import driver
from manager.drivers.sip.lookup import resolve
from manager.endpoint import parse_endpoint
from manager.model import FailureClass, Stage
from manager.secret import SecretSource
from manager.settings import Policy
from tests.unit.sip.house import House
from tests.unit.sip.registrar import challenge, knows, reply


async def test_a_registration_is_opened_kept_checked_and_taken_back(house):
    session = await house.open()
    login = [Stage.SECRET, Stage.LOOKUP, Stage.CONNECT, Stage.HANDSHAKE, Stage.LOGIN]
    assert house.witness.stages == login
    assert 0 < await session.heartbeat() < 60
    assert await session.check() == "bound for 300 s"
    facts = session.facts
    assert facts["expires"] == 300
    assert facts["transport"] == house.transport
    json.dumps(facts)
    await session.close(graceful=True)
    await session.close(graceful=True)
    assert house.registrar.binding is None
    assert [expires for _, expires in house.registrar.registers[-1].contacts] == [0]
    assert "*" not in house.registrar.registers[-1].text
    assert house.witness.stages == login


async def test_over_udp_nothing_is_connected_before_the_first_answer(udp):
    # So that a silent registrar is looked at while it is waited for, and its first answer ends the wait.
    udp.registrar.handle = lambda _: []
    opening = asyncio.create_task(udp.open())
    await udp.registrar.until(lambda: bool(udp.registrar.registers))
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert udp.witness.stages[-1] is Stage.CONNECT


async def test_a_wrong_password_is_tried_once(house):
    failure = await house.refusal(password="canary-81")
    assert (failure.kind, failure.stage) == (FailureClass.CREDENTIALS, Stage.LOGIN)
    assert len([seen for seen in house.registrar.registers if seen.one("Authorization")]) == 1
    assert "canary" not in repr(failure)


async def test_a_stale_nonce_is_answered_anew_and_is_no_refusal(house):
    def handle(seen):
        if not seen.one("Authorization"):
            return [reply(seen, 401, challenge("old"))]
        if 'nonce="old"' in seen.text:
            return [reply(seen, 401, challenge("new", stale=True))]
        assert knows(seen, "secret")
        return [house.registrar.accept(seen)]

    house.registrar.handle = handle
    async with house.opened() as session:
        assert session.facts["expires"] == 300
    assert house.witness.stages.count(Stage.LOGIN) == 1


async def test_a_registrar_that_calls_every_nonce_stale_is_given_up(house):
    house.registrar.handle = lambda seen: [reply(seen, 401, challenge(str(seen.cseq), stale=True))]
    assert (await house.refusal()).kind is FailureClass.TRANSIENT
    assert len(house.registrar.registers) < 6


async def test_an_interval_that_is_too_brief_is_lengthened(house):
    def handle(seen):
        if int(seen.one("Expires") or 0) < 1800:
            return [reply(seen, 423, "Min-Expires: 1800")]
        return [house.registrar.accept(seen)]

    house.registrar.handle = handle
    house.registrar.granted = 1800
    async with house.opened() as session:
        assert session.facts["expires"] == 1800


async def test_the_lifetime_is_that_of_our_own_contact_among_others(house):
    house.registrar.extra = ["Contact: <sip:6001@10.0.0.9:5060>;expires=7, <sip:6001@10.0.0.8>;expires=9000"]
    async with house.opened() as session:
        assert session.facts["expires"] == 300


async def test_a_registrar_that_does_not_list_our_contact_has_not_registered_us(house):
    house.registrar.handle = lambda seen: [reply(seen, 200, "Contact: <sip:6001@10.0.0.9>;expires=600")]
    assert "does not list our Contact" in (await house.refusal()).reason


@pytest.mark.parametrize(
    ("status", "lines", "kind", "retry_after"),
    [
        (503, ["Retry-After: 7 (maintenance)"], FailureClass.OVERLOAD, 7.0),
        (503, [], FailureClass.OVERLOAD, None),
        (500, ["Retry-After: 5"], FailureClass.OVERLOAD, 5.0),
        (500, [], FailureClass.TRANSIENT, None),
        (480, [], FailureClass.TRANSIENT, None),
        (408, [], FailureClass.TRANSIENT, None),
        (478, [], FailureClass.TRANSIENT, None),
        (600, [], FailureClass.TRANSIENT, None),
        (403, [], FailureClass.CREDENTIALS, None),
        (404, [], FailureClass.PERMANENT, None),
        (302, ["Contact: <sip:evil>"], FailureClass.PERMANENT, None),
        (423, ["Min-Expires: 1"], FailureClass.PERMANENT, None),
        (401, ['WWW-Authenticate: Basic realm="x"'], FailureClass.PERMANENT, None),
    ],
)
async def test_a_refusal_has_its_class(house, status, lines, kind, retry_after):
    house.registrar.handle = lambda seen: [reply(seen, status, *lines, reason="\x1b[31mNo")]
    failure = await house.refusal()
    assert (failure.kind, failure.retry_after) == (kind, retry_after)
    assert failure.reason.isprintable()
    assert Stage.LOGIN not in house.witness.stages


async def test_a_closed_stream_ends_the_session(tcp):
    async with tcp.opened() as session:
        heartbeat = asyncio.create_task(session.heartbeat())
        tcp.registrar.handle = lambda _: []
        await tcp.registrar.until(lambda: tcp.registrar.seen[-1].method == "OPTIONS")
        tcp.registrar.writers[-1].transport.abort()
        async with asyncio.timeout(60):
            failure = await session.ended()
        assert failure.kind is FailureClass.TRANSIENT
        with pytest.raises(DriverError):
            await heartbeat
        with pytest.raises(DriverError):
            await session.check()


async def test_a_refused_port_is_heard_over_udp(udp):
    async with udp.opened() as session:
        udp.registrar.udp.abort()
        await asyncio.sleep(0)
        with pytest.raises(DriverError):
            await session.heartbeat()
        assert (await session.ended()).reason == "connection refused"
        failure = await udp.refusal()
        assert (failure.reason, failure.stage) == ("connection refused", Stage.CONNECT)


async def test_several_may_wait_for_the_end_and_none_owns_it(tcp):
    async with tcp.opened() as session:
        one, two = asyncio.create_task(session.ended()), asyncio.create_task(session.ended())
        await asyncio.sleep(0)
        one.cancel()
        await asyncio.gather(one, return_exceptions=True)
        tcp.registrar.writers[-1].transport.abort()
        async with asyncio.timeout(60):
            assert (await two).kind is FailureClass.TRANSIENT


async def test_a_registrar_that_says_nothing_to_the_un_register_costs_two_seconds_at_most(house, monkeypatch):
    monkeypatch.setattr("manager.drivers.sip.session.CLOSE_TIMEOUT", 0.1)
    session = await house.open()
    house.registrar.handle = lambda _: []
    async with asyncio.timeout(25):  # the transaction alone would wait for 32 s
        await session.close(graceful=True)


@pytest.mark.parametrize("step", [1, 2])
async def test_an_open_that_is_cancelled_at_any_step_leaves_nothing_behind(house, step):
    def handle(seen):
        return [] if len(house.registrar.registers) >= step else house.registrar.usual(seen)

    house.registrar.handle = handle
    opening = asyncio.create_task(house.open())
    await house.registrar.until(lambda: len(house.registrar.registers) >= step)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening


@pytest.mark.parametrize("turns", range(12))
async def test_an_open_that_is_cancelled_after_any_turn_of_the_loop_leaves_nothing_behind(house, turns):
    opening = asyncio.create_task(house.open())
    for _ in range(turns):
        await asyncio.sleep(0)
    opening.cancel()
    result = (await asyncio.gather(opening, return_exceptions=True))[0]
    if not isinstance(result, asyncio.CancelledError):
        await result.close(graceful=False)


@pytest.mark.parametrize("step", [0, 1, 2])
async def test_a_peer_that_closes_in_the_middle_of_an_open_is_a_failure(tcp, step):
    def handle(seen):
        if len(tcp.registrar.registers) >= step:
            tcp.registrar.writers[-1].transport.abort()
            return []
        return tcp.registrar.usual(seen)

    tcp.registrar.handle = handle
    assert (await tcp.refusal()).kind is FailureClass.TRANSIENT


async def test_a_hung_address_is_left_for_the_next_one_and_credentials_go_to_one_only(udp, monkeypatch):
    hung = House("udp")
    await hung.start()
    hung.registrar.handle = lambda _: []
    try:
        (good,) = await resolve(parse_endpoint(f"sip:127.0.0.1:{udp.port};transport=udp"))
        (bad,) = await resolve(parse_endpoint(f"sip:127.0.0.1:{hung.port};transport=udp"))

        async def both(_):
            return [bad, good]

        monkeypatch.setattr(driver, "resolve", both)
        async with udp.opened(policy=Policy(connect_timeout=5)):
            assert hung.registrar.registers
        refused = len(udp.registrar.registers)
        hung.registrar.handle = hung.registrar.usual
        failure = await udp.refusal(password="wrong")
        assert failure.kind is FailureClass.CREDENTIALS
        assert len(udp.registrar.registers) == refused
    finally:
        await hung.registrar.close()


async def test_a_missing_secret_is_found_before_the_network_is_touched(house):
    failure = await house.refusal(source=SecretSource(env="TRUNKLINE_NO_SUCH_SECRET"))
    assert (failure.kind, failure.stage) == (FailureClass.CONFIGURATION, Stage.SECRET)
    assert not house.registrar.seen
