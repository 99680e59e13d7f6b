"""What comes in over a wire, whatever it is."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.drivers.sip import uas
from manager.drivers.sip.flow import MAX_SERVER_TRANSACTIONS, Flow
from manager.drivers.sip.message import Headers, Request, parse_message, response_to
from manager.drivers.tap import Tap
from tests.engine.virtual import VirtualLoop
from tests.unit.sip.registrar import Witness


class Wire:
    transport = "UDP"
    reliable = False
    pings = False
    local = ("127.0.0.1", 5060)
    peer = ("192.0.2.1", 5070)

    def __init__(self):
        self.sent = []

    def send(self, raw):
        self.sent.append(raw)

    async def close(self):
        pass


class Holder:
    def answer(self, request, *, pending):
        if uas.is_new_call(request):
            uas.call_of(request)
        uas.ends_registration(request)
        return uas.answer(request, invite_answer=486, pending=pending, tag="t")

    def flow_over(self, failure):
        pass


def flow_of():
    flow = Flow(Holder(), Tap(Witness()))
    flow.attach(Wire())
    return flow


WHOLE = (
    b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1;rport\r\nFrom: <sip:c@d>;tag=1\r\n"
    b"To: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n"
)
LINES = st.sampled_from(
    [b"Via: x", b"From: <", b"To: \"", b"CSeq: 1 BYE", b"Via: SIP/2.0/UDP h, , ;;", b"Require: a\x00b",
     b"Event: reg", b"Contact: <sip:\xff>", b" folded", b"To: <sip:a@b>;tag=\xff"]
)  # fmt: skip


@given(st.lists(st.one_of(st.binary(max_size=80), st.lists(LINES, max_size=4)), max_size=5))
def test_nothing_that_comes_in_raises(messages):
    async def scenario():
        flow = flow_of()
        for message in messages:
            if isinstance(message, bytes):
                flow.received(message)
                flow.received(WHOLE + message)
            else:
                for method in (b"INVITE", b"OPTIONS", b"CANCEL", b"ACK", b"NOTIFY"):
                    lines = b"\r\n".join(message)
                    flow.received(WHOLE.replace(b"INVITE", method) + lines + b"\r\n\r\n")
                    flow.received(method + b" sip:a SIP/2.0\r\n" + lines + b"\r\n\r\n")
        for raw in flow.wire.sent:
            parse_message(raw)
        await flow.close()

    asyncio.run(scenario())


async def test_a_response_says_where_the_request_was_heard():
    flow = flow_of()
    flow.received(WHOLE + b"\r\n")
    via = parse_message(flow.wire.sent[0]).headers.get("Via")
    assert "received=192.0.2.1" in via
    assert "rport=5070" in via
    await flow.close()


async def test_the_zone_of_a_link_local_address_stays_here():
    flow = flow_of()
    flow.wire.peer = ("fe80::1%eth0", 5060)
    flow.received(WHOLE + b"\r\n")
    assert parse_message(flow.wire.sent[0]).headers.get("Via").endswith("received=fe80::1")
    await flow.close()


async def test_a_flood_of_requests_is_dropped_past_the_bound_and_counted():
    flow = flow_of()
    for number in range(MAX_SERVER_TRANSACTIONS + 5):
        flow.received(WHOLE.replace(b"z9hG4bK1", b"z9hG4bK-%d" % number) + b"\r\n")
    assert len(flow.wire.sent) == MAX_SERVER_TRANSACTIONS
    assert flow.dropped == 5
    await flow.close()


async def test_calls_that_were_acknowledged_over_a_stream_leave_room_for_others():
    flow = flow_of()
    flow.wire.reliable = True
    for number in range(MAX_SERVER_TRANSACTIONS + 5):
        call = WHOLE.replace(b"z9hG4bK1", b"z9hG4bK-%d" % number) + b"\r\n"
        flow.received(call)
        flow.received(call.replace(b"INVITE", b"ACK"))
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(flow.wire.sent) == MAX_SERVER_TRANSACTIONS + 5
    await flow.close()


async def test_a_response_to_nothing_is_dropped_and_counted():
    flow = flow_of()
    flow.received(b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKno\r\nCSeq: 1 OPTIONS\r\n\r\n")
    assert flow.dropped == 1
    await flow.close()


def test_a_request_is_sent_again_on_time_after_others_were_answered_in_time():
    times = []

    async def scenario():
        flow, loop = flow_of(), asyncio.get_running_loop()
        flow.wire.send = lambda raw: times.append((loop.time(), raw))
        first = asyncio.create_task(
            flow.request(Request("OPTIONS", "sip:a@b", Headers([("CSeq", "1 OPTIONS")])))
        )
        await asyncio.sleep(0.4)
        flow.received(response_to(parse_message(times[0][1]), 200).encode())
        assert (await first).status == 200
        times.clear()
        second = asyncio.create_task(
            flow.request(Request("OPTIONS", "sip:a@b", Headers([("CSeq", "2 OPTIONS")])))
        )
        await asyncio.sleep(10)
        assert [time for time, _ in times] == pytest.approx([0.4, 0.9, 1.9, 3.9, 7.9])
        await flow.close()
        await asyncio.gather(second, return_exceptions=True)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(scenario())


async def test_an_ack_is_absorbed_and_ends_the_copies_of_the_answer():
    flow = flow_of()
    flow.received(WHOLE + b"\r\n")
    flow.received(WHOLE + b"\r\n")
    assert len(flow.wire.sent) == 2
    flow.received(WHOLE.replace(b"INVITE", b"ACK") + b"\r\n")
    flow.received(WHOLE + b"\r\n")
    assert len(flow.wire.sent) == 2
    await flow.close()
