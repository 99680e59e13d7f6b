"""What goes over the wire besides REGISTER, and what comes in unasked."""

import asyncio

import pytest

from manager.endpoint import parse_endpoint
from tests.unit.sip.house import incoming


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


async def test_messages_in_pieces_and_several_in_one_read_are_understood(tcp):
    tcp.registrar.cut = lambda raw: [raw[start : start + 5] for start in range(0, len(raw), 5)]
    async with tcp.opened() as session:
        assert await session.heartbeat() > 0
        request = incoming("OPTIONS", tcp)
        tcp.push(request + b"\r\n\r\n" + request.replace(b"z9hG4bKx", b"z9hG4bKy"))
        assert len(await tcp.answers(2)) == 2
        assert b"\r\n\r\n\r\nSIP/2.0" in tcp.registrar.raw  # the keep-alive between them was answered


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


@pytest.fixture
def sent_again(sent_once, monkeypatch):
    monkeypatch.setattr("manager.drivers.sip.transaction.T1", 0.5)


@pytest.mark.usefixtures("sent_again")
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
        async with asyncio.timeout(60):
            failure = await session.ended()
        assert "no SIP" in failure.reason
        assert len(session.flow.wire._framer._buffer) <= 128 * 1024


async def test_a_peer_that_does_not_read_ends_the_session_and_fills_no_memory(tcp):
    async with tcp.opened() as session:
        session.flow.wire.send(b"x" * 16 * 1024 * 1024)
        async with asyncio.timeout(60):
            assert (await session.ended()).reason == "the peer does not read"


@pytest.mark.usefixtures("sent_again")
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


async def test_a_terminated_registration_ends_the_session(house):
    async with house.opened() as session:
        body = b'<reginfo><registration aor="sip:6001@h" id="a" state="terminated"></registration></reginfo>'
        raw = incoming("NOTIFY", house, "Event: reg").replace(
            b"Content-Length: 0", b"Content-Length: %d" % len(body)
        )
        house.push(raw + body)
        async with asyncio.timeout(60):
            assert "ended the registration" in (await session.ended()).reason


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
        async with asyncio.timeout(60):
            assert await session.heartbeat() > 0
