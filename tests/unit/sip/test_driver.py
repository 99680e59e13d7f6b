"""The driver against a registrar on the loopback."""

import asyncio
import json
from contextlib import asynccontextmanager

import msgspec
import pytest

from manager.drivers.base import DriverError
from manager.drivers.sip import create, driver
from manager.drivers.sip.lookup import resolve
from manager.drivers.sip.memory import recall, remember
from manager.endpoint import parse_endpoint
from manager.model import FailureClass, Stage
from manager.secret import Secret, SecretSource
from manager.settings import Policy, SipSettings
from tests.unit.sip.registrar import Registrar, Witness, challenge, knows, reply


def settings_for(port, transport, *, password="secret", source=None, **changes):
    values = {
        "name": "desk",
        "endpoints": (parse_endpoint(f"sip:127.0.0.1:{port};transport={transport}"),),
        "aor": "sip:6001@127.0.0.1",
        "username": "6001",
        "password": source or SecretSource(plain=Secret(password)),
    }
    return SipSettings(**(values | changes))


class House:
    """A registrar, and sessions opened at it."""

    def __init__(self, transport):
        self.transport = transport
        self.registrar = Registrar()
        self.memory = {}
        self.witness = Witness()

    async def start(self):
        listen = self.registrar.listen_udp if self.transport == "udp" else self.registrar.listen_tcp
        self.port = await listen()

    async def open(self, **changes):
        settings = settings_for(self.port, self.transport, **changes)
        async with asyncio.timeout(10):
            return await create(settings, self.memory).open(settings.endpoints[0], self.witness)

    @asynccontextmanager
    async def opened(self, **changes):
        session = await self.open(**changes)
        try:
            yield session
        finally:
            await session.close(graceful=False)

    async def refusal(self, **changes):
        with pytest.raises(DriverError) as caught:
            await self.open(**changes)
        return caught.value.failure

    def push(self, raw):
        """Send something to the client that nobody asked for."""
        if self.transport == "udp":
            self.registrar.udp.sendto(raw, self.registrar.address)
        else:
            self.registrar.writers[-1].write(raw)

    async def answers(self, count=1):
        """Return what the client answered."""
        await self.registrar.until(lambda: len(self.responses()) >= count)
        return self.responses()

    def responses(self):
        return [seen for seen in self.registrar.seen if seen.method == "SIP/2.0"]


@pytest.fixture(params=["udp", "tcp"])
async def house(request):
    house = House(request.param)
    await house.start()
    yield house
    await house.registrar.close()
    await nothing_left()


@pytest.fixture
async def udp():
    house = House("udp")
    await house.start()
    yield house
    await house.registrar.close()
    await nothing_left()


@pytest.fixture
async def tcp():
    house = House("tcp")
    await house.start()
    yield house
    await house.registrar.close()
    await nothing_left()


async def nothing_left():
    """Let the servers' own tasks end, then find no other."""
    async with asyncio.timeout(5):
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others, timeout=1)


async def test_a_registration_is_opened_kept_checked_and_taken_back(house):
    session = await house.open()
    login = [Stage.SECRET, Stage.LOOKUP, Stage.CONNECT, Stage.HANDSHAKE, Stage.LOGIN]
    assert house.witness.stages == login
    assert 0 < await session.heartbeat() < 10
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


async def test_a_registration_goes_over_ipv6(udp):
    other = udp.registrar.udp
    loop = asyncio.get_running_loop()
    server, _ = await loop.create_datagram_endpoint(lambda: udp.registrar, local_addr=("::1", 0))
    address = parse_endpoint(f"sip:[::1]:{server.get_extra_info('sockname')[1]};transport=udp")
    async with udp.opened(endpoints=(address,), aor="sip:6001@[::1]") as session:
        port = session.flow.wire.local[1]
        first = udp.registrar.registers[0]
        assert first.first == "REGISTER sip:[::1] SIP/2.0"
        assert f" [::1]:{port};" in first.one("Via")
        assert f"@[::1]:{port};" in udp.registrar.binding
        assert await session.check() == "bound for 300 s"
        udp.push(incoming("OPTIONS", udp))
        (answer,) = await udp.answers()
        assert "received=::1" in answer.one("Via")
        await session.close(graceful=True)
    assert udp.registrar.binding is None
    other.abort()


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


async def test_another_address_of_record_has_no_earlier_binding(house):
    session = await house.open()
    await session.close(graceful=False)
    house.registrar.handle = lambda seen: [reply(seen, 403)]
    assert (await house.refusal(aor="sip:6002@127.0.0.1")).kind is FailureClass.CREDENTIALS


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


async def test_messages_in_pieces_and_several_in_one_read_are_understood(tcp):
    tcp.registrar.cut = lambda raw: [raw[start : start + 5] for start in range(0, len(raw), 5)]
    async with tcp.opened() as session:
        assert await session.heartbeat() > 0
        request = incoming("OPTIONS", tcp)
        tcp.push(request + b"\r\n\r\n" + request.replace(b"z9hG4bKx", b"z9hG4bKy"))
        assert len(await tcp.answers(2)) == 2
        assert b"\r\n\r\n\r\nSIP/2.0" in tcp.registrar.raw  # the keep-alive between them was answered


def incoming(
    method, house, *lines, to="<sip:6001@127.0.0.1>", caller='"Eve" <sip:9@h>;tag=9', branch="z9hG4bKx"
):
    return "\r\n".join(
        [
            f"{method} sip:6001@127.0.0.1 SIP/2.0",
            f"Via: SIP/2.0/{house.transport.upper()} 127.0.0.1:5060;rport;branch={branch}",
            "Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKfar",
            f"From: {caller}",
            f"To: {to}",
            "Call-ID: call-1",
            f"CSeq: 1 {method}",
            *lines,
            "Content-Length: 0",
            "",
            "",
        ]
    ).encode()


@pytest.mark.parametrize(
    ("method", "lines", "to", "status"),
    [
        ("OPTIONS", [], "<sip:6001@h>", 200),
        ("NOTIFY", ["Event: check-sync"], "<sip:6001@h>", 200),
        ("MESSAGE", [], "<sip:6001@h>", 405),
        ("FROBNICATE", [], "<sip:6001@h>", 501),
        ("BYE", [], "<sip:6001@h>;tag=1", 481),
        ("CANCEL", [], "<sip:6001@h>", 481),
        ("INVITE", [], "<sip:6001@h>;tag=1", 481),
        ("OPTIONS", ["Require: teleport"], "<sip:6001@h>", 420),
        ("OPTIONS", [], "<broken", 400),
    ],
)
async def test_a_request_gets_its_answer(house, method, lines, to, status):
    async with house.opened():
        house.push(incoming(method, house, *lines, to=to))
        (answer,) = await house.answers()
        assert answer.first.startswith(f"SIP/2.0 {status} ")
        assert answer.all("Via")[0].count("z9hG4bKfar") == 1
        assert "received=127.0.0.1" in answer.one("Via")
        if status in (405, 501):
            assert "OPTIONS" in answer.one("Allow")
        assert not house.witness.reports


async def test_a_call_is_refused_once_reported_once_and_its_name_is_only_text(udp):
    evil = '"\x1b]52;c;x\x07[red]Eve\u202e" <sip:9@h>;tag=9'
    async with udp.opened(invite_answer=603) as session:
        invite = incoming("INVITE", udp, caller=evil)
        udp.push(invite)
        udp.push(invite)
        answers = await udp.answers(3)  # the answer, the one for the copy, and the first of timer G
        assert {answer.raw for answer in answers} == {answers[0].raw}
        assert answers[0].first.startswith("SIP/2.0 603")
        udp.push(incoming("CANCEL", udp))
        await udp.registrar.until(lambda: any("CSeq: 1 CANCEL" in seen.text for seen in udp.responses()))
        assert next(seen for seen in udp.responses() if "1 CANCEL" in seen.text).first.startswith(
            "SIP/2.0 200"
        )
        udp.push(incoming("ACK", udp))
        ((report, text, fields),) = udp.witness.reports
        assert report == "incomingCall"
        assert text.isprintable()
        assert all(value.isprintable() for value in fields.values() if isinstance(value, str))
        assert fields["caller"] == "sip:9@h"
        assert "[red]Eve" in fields["caller_name"]
        assert session.facts["calls_refused"] == 1


async def test_a_request_that_comes_again_gets_the_same_answer(udp):
    async with udp.opened():
        request = incoming("OPTIONS", udp)
        udp.push(request)
        udp.push(request)
        first, second = await udp.answers(2)
        assert first.raw == second.raw


async def test_garbage_is_dropped_and_counted(udp):
    async with udp.opened() as session:
        for raw in (b"\xff\xfe\x00garbage", b"SIP/2.0 200 OK\r\n\r\n", b"INVITE sip:a SIP/2.0\r\n\r\n"):
            udp.push(raw)
        assert await session.heartbeat() > 0
        assert session.facts["messages_dropped"] == 3


async def test_ten_megabytes_without_a_line_end_end_the_session_and_not_the_memory(tcp):
    async with tcp.opened() as session:
        for _ in range(160):
            tcp.push(b"x" * 65536)
        async with asyncio.timeout(10):
            failure = await session.ended()
        assert "no SIP" in failure.reason
        assert len(session.flow.wire._framer._buffer) <= 128 * 1024


async def test_a_peer_that_does_not_read_ends_the_session_and_fills_no_memory(tcp):
    async with tcp.opened() as session:
        session.flow.wire.send(b"x" * 16 * 1024 * 1024)
        async with asyncio.timeout(5):
            assert (await session.ended()).reason == "the peer does not read"


async def test_lost_datagrams_are_sent_again(udp):
    lost = []

    def handle(seen):
        if len(lost) < 1:
            lost.append(seen.raw)
            return []
        return udp.registrar.usual(seen)

    udp.registrar.handle = handle
    async with udp.opened():
        first, second = udp.registrar.seen[:2]
        assert first.raw == second.raw


async def test_a_closed_stream_ends_the_session(tcp):
    async with tcp.opened() as session:
        heartbeat = asyncio.create_task(session.heartbeat())
        tcp.registrar.handle = lambda _: []
        await tcp.registrar.until(lambda: tcp.registrar.seen[-1].method == "OPTIONS")
        tcp.registrar.writers[-1].transport.abort()
        async with asyncio.timeout(5):
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
        async with asyncio.timeout(5):
            assert (await two).kind is FailureClass.TRANSIENT


async def test_a_terminated_registration_ends_the_session(house):
    async with house.opened() as session:
        body = b'<reginfo><registration aor="sip:6001@h" id="a" state="terminated"></registration></reginfo>'
        raw = incoming("NOTIFY", house, "Event: reg").replace(
            b"Content-Length: 0", b"Content-Length: %d" % len(body)
        )
        house.push(raw + body)
        async with asyncio.timeout(5):
            assert "ended the registration" in (await session.ended()).reason


async def test_a_registration_is_refreshed_in_time(house):
    house.registrar.granted = 2
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


@pytest.mark.parametrize("answers", [lambda seen: [reply(seen, 500)], lambda _: []], ids=["500", "silence"])
async def test_a_refresh_that_fails_is_counted_and_tried_again_while_the_binding_lives(house, answers):
    house.registrar.granted = 6
    async with house.opened(policy=Policy(heartbeat_timeout=0.2)) as session:
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
        async with asyncio.timeout(10):
            assert "run out" in (await session.ended()).reason


async def test_a_mistake_of_ours_in_a_refresh_ends_the_session(house, monkeypatch):
    house.registrar.granted = 1
    async with house.opened() as session:
        monkeypatch.setattr(session._registration, "register", lambda *_: 1 / 0)
        async with asyncio.timeout(10):
            assert (await session.ended()).reason == "unexpected ZeroDivisionError"


async def test_a_refused_refresh_ends_the_session(house):
    house.registrar.granted = 1
    async with house.opened() as session:
        house.registrar.password = "other"
        async with asyncio.timeout(10):
            assert (await session.ended()).kind is FailureClass.CREDENTIALS
        assert house.witness.refreshes[0].kind is FailureClass.CREDENTIALS
        tried = len(house.registrar.registers)
        await session.close(graceful=True)
        assert len(house.registrar.registers) == tried


async def test_a_missing_pong_counts_only_where_pongs_came(tcp):
    async with tcp.opened() as session:
        assert await session.heartbeat() > 0
        tcp.registrar.pongs = True
        assert await session.heartbeat() > 0
        await tcp.registrar.until(lambda: tcp.registrar.raw.count(b"\r\n\r\n\r\n\r\n") >= 1)
        assert await session.heartbeat() > 0
        assert session.flow.ponged
        tcp.registrar.pongs = False
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await session.heartbeat()


async def test_the_ping_of_a_registrar_is_no_promise_that_it_answers_ours(tcp):
    async with tcp.opened() as session:
        tcp.push(b"\r\n\r\n")
        assert await session.heartbeat() > 0  # its answer stands behind the ping in the stream
        async with asyncio.timeout(5):
            assert await session.heartbeat() > 0


async def test_a_registrar_that_says_nothing_to_the_un_register_costs_two_seconds_at_most(house, monkeypatch):
    monkeypatch.setattr("manager.drivers.sip.session.CLOSE_TIMEOUT", 0.1)
    session = await house.open()
    house.registrar.handle = lambda _: []
    async with asyncio.timeout(1.5):
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
        async with udp.opened(policy=Policy(connect_timeout=0.6)):
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
