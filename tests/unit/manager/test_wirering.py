"""The ring of messages: its bounds, its readers, and what it makes of bytes."""

from __future__ import annotations

import asyncio
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.events import Gap
from manager.model import Position
from manager.wire import Life, WireKind, WireMessage
from manager.wirering import BATCH, LONGEST, RING_LIMIT, WireRing, WireRings
from tests.engine.virtual import WALL_START

FIRST = Life(1, "pbx1:5038")


class StandingClock:
    def monotonic(self) -> float:
        return 5.0

    def wall(self) -> float:
        return WALL_START

    def boottime(self) -> float:
        return 5.0


def rings(limit: int = 16 * 1024 * 1024) -> WireRings:
    return WireRings(StandingClock(), limit=limit)


def put(ring: WireRing, content: bytes, kind: WireKind = WireKind.TEXT, *, sent: bool = False) -> None:
    ring.record(FIRST, kind, content, sent=sent)


def held(ring: WireRing, since: Position | None = None) -> list[WireMessage | Gap]:
    found: list[WireMessage | Gap] = []
    while True:
        batch, since = ring.after(since)
        if not batch:
            return found
        found += batch


def texts(found: list[WireMessage | Gap]) -> list[str]:
    return [message.text for message in found if isinstance(message, WireMessage)]


# What a message says


def test_a_message_says_when_where_and_which_way_it_went():
    ring = rings()["one"]
    ring.record(
        Life(3, "pbx1:5060/tcp"), WireKind.SIP, b"REGISTER sip:pbx1 SIP/2.0\r\nCSeq: 7 REGISTER", sent=True
    )
    (message,) = held(ring)
    assert (message.time, message.monotonic) == (WALL_START, 5.0)
    assert (message.sent, message.generation, message.endpoint) == (True, 3, "pbx1:5060/tcp")
    assert (message.kind, message.summary) == (WireKind.SIP, "REGISTER sip:pbx1 CSeq 7")


@pytest.mark.parametrize(
    ("kind", "content", "summary"),
    [
        (WireKind.SIP, b"SIP/2.0 200 OK\r\ncseq : 3 REGISTER\r\n\r\n", "200 OK CSeq 3 REGISTER"),
        (WireKind.SIP, b"SIP/2.0 200 OK\r\n\r\n", "200 OK"),
        (WireKind.SIP, b"\r\n\r\n", "keep-alive"),
        (WireKind.SIP, b"", "keep-alive"),
        (WireKind.AMI, b"Action: Ping\r\nActionID: 1\r\n\r\n", "Action: Ping"),
        (WireKind.AMI, b"Event: Newchannel\r\n\r\n", "Event: Newchannel"),
        (WireKind.HANDSHAKE, b"GET /events HTTP/1.1\r\nHost: h\r\n\r\n", "GET /events HTTP/1.1"),
        (WireKind.TEXT, b"x" * 124, "text 124 B"),
        (WireKind.BINARY, b"\xff\x00", "binary 2 B"),
        (WireKind.PING, b"", "ping 0 B"),
        (WireKind.CLOSE, b"\x03\xe8going away", "close 1000 going away"),
        (WireKind.CLOSE, b"", "close"),
        (WireKind.AMI, b"Event: " + b"x" * 200, "Event: " + "x" * 112 + "…"),
    ],
)
def test_a_message_is_told_in_one_line(kind: WireKind, content: bytes, summary: str):
    ring = rings()["one"]
    put(ring, content, kind)
    (message,) = held(ring)
    assert message.summary == summary


def test_hostile_bytes_are_kept_as_text_that_json_can_hold():
    ring = rings()["one"]
    put(ring, b"\x1b]52;c;\xff\xfe\xe2\x82\xac\r\n", WireKind.AMI)
    (message,) = held(ring)
    assert message.text == "\x1b]52;c;\\xff\\xfe€\r\n"
    message.text.encode()


@given(st.sampled_from(WireKind), st.binary(max_size=300), st.booleans())
def test_no_bytes_make_reading_raise(kind: WireKind, content: bytes, sent: bool):
    ring = rings()["one"]
    put(ring, content, kind, sent=sent)
    (message,) = held(ring)
    assert (message.kind, message.sent, message.size) == (kind, sent, len(content))
    assert "\n" not in message.summary


def test_a_long_message_is_cut_between_characters_and_says_how_much_was_left_out():
    ring = rings()["one"]
    put(ring, b"x" + "€".encode() * LONGEST)
    (message,) = held(ring)
    assert len(message.text.encode()) + message.left_out == message.size == 1 + 3 * LONGEST
    assert LONGEST - 3 < len(message.text.encode()) <= LONGEST
    assert "\\x" not in message.text
    assert message.summary == f"text {1 + 3 * LONGEST} B"


# Bounds


@given(st.lists(st.integers(0, 12_000), max_size=60))
def test_a_ring_never_takes_more_than_its_bound_and_holds_the_newest(sizes: list[int]):
    all_rings = rings()
    ring = all_rings["one"]
    for number, size in enumerate(sizes):
        put(ring, f"{number} ".encode() + b"x" * size)
        assert all_rings.size == ring.size <= RING_LIMIT
    found = held(ring)
    numbers = [int(text.split()[0]) for text in texts(found)]
    assert numbers == list(range(len(sizes)))[ring.dropped :]
    gaps = [each.missed for each in found if isinstance(each, Gap)]
    assert gaps == ([ring.dropped] if ring.dropped else [])


def test_what_python_adds_to_a_message_counts():
    ring = rings()["one"]
    for _ in range(10_000):
        put(ring, b"")
    assert sum(map(sys.getsizeof, ring._packed)) + 16 * len(ring._packed) <= RING_LIMIT


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3000)), max_size=80))
def test_all_rings_together_never_take_more_than_their_bound(messages: list[tuple[int, int]]):
    limit = 12_000
    all_rings = rings(limit)
    for name, size in messages:
        put(all_rings[str(name)], b"x" * size)
        each = [all_rings[str(number)].size for number in range(6)]
        assert sum(each) == all_rings.size <= limit


def test_where_all_are_full_the_largest_make_room_and_the_small_keep_everything():
    all_rings = rings(100_000)
    for _ in range(5):
        put(all_rings["quiet"], b"q" * 100)
    for _ in range(300):
        for name in ("a", "b", "c", "d"):
            put(all_rings[name], b"x" * 400)
    assert texts(held(all_rings["quiet"])) == ["q" * 100] * 5
    loud = [all_rings[name].size for name in ("a", "b", "c", "d")]
    assert max(loud) - min(loud) <= 1000
    assert all_rings.size > 90_000


def test_a_removed_connection_frees_its_ring_and_records_no_more():
    all_rings = rings()
    put(all_rings["gone"], b"x" * 1000)
    put(all_rings["stays"], b"x")
    ring = all_rings["gone"]
    kept = all_rings["stays"].size
    all_rings.remove("gone")
    put(ring, b"late")
    assert all_rings.size == kept
    assert texts(held(ring)) == ["x" * 1000]
    assert sys.getrefcount(ring) == 2  # this name and the argument: nobody else holds it


def test_a_name_that_is_used_again_begins_a_ring_whose_positions_are_its_own():
    all_rings = rings()
    put(all_rings["one"], b"old")
    old = all_rings["one"].position
    all_rings.remove("one")
    put(all_rings["one"], b"new")
    assert texts(held(all_rings["one"], old)) == ["new"]


# Readers


def test_a_reader_goes_on_after_the_position_of_a_message():
    ring = rings()["one"]
    for number in range(5):
        put(ring, str(number).encode())
    third = held(ring)[2]
    assert isinstance(third, WireMessage)
    assert texts(held(ring, third.position)) == ["3", "4"]


def test_a_reader_that_fell_behind_is_told_how_many_it_missed():
    ring = rings()["one"]
    put(ring, b"first")
    (first,) = held(ring)
    assert isinstance(first, WireMessage)
    for _ in range(20):
        put(ring, b"x" * LONGEST)
    found = held(ring, first.position)
    assert found[0] == Gap(missed=ring.dropped - 1)
    assert isinstance(found[1], WireMessage)
    assert found[1].position.seq == ring.dropped + 1


def test_a_reader_is_given_a_bounded_number_at_once():
    ring = rings()["one"]
    for _ in range(BATCH + 50):
        put(ring, b"")
    batch, position = ring.after(None)
    assert len(batch) == BATCH
    assert len(ring.after(position)[0]) == 50


async def test_a_reader_waits_for_what_is_to_come_and_ends_with_the_connection():
    all_rings = rings()
    ring = all_rings["one"]
    put(ring, b"held")
    seen: list[str] = []

    async def read() -> None:
        async for message in ring.read(None):
            seen.extend(texts([message]))

    reading = asyncio.create_task(read())
    await asyncio.sleep(0)
    assert seen == ["held"]
    put(ring, b"come")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert seen == ["held", "come"]
    put(ring, b"last")
    all_rings.remove("one")
    await asyncio.wait_for(reading, 60)
    assert seen == ["held", "come", "last"]


async def test_a_reader_that_is_cancelled_leaves_nothing_behind():
    ring = rings()["one"]
    waiting = asyncio.create_task(ring.wait(None))
    await asyncio.sleep(0)
    assert len(ring._readers) == 1
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    assert not ring._readers
