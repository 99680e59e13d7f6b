from __future__ import annotations

import re
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.drivers.ami import reader as limits
from manager.drivers.ami.message import Headers
from manager.drivers.ami.reader import Reader, ReaderError
from tests.unit.ami.peer import CAPTURES

BANNER = b"Asterisk Call Manager/11.0.0\r\n"


def read(*chunks: bytes, banner: bytes = BANNER) -> list[Headers]:
    reader = Reader()
    messages: list[Headers] = []
    for chunk in (banner, *chunks):
        messages.extend(reader.feed(chunk))
    return messages


def outcome(chunks: list[bytes]) -> tuple[str | None, list[Headers], str | None]:
    """Return banner, messages and the error that stopped it, if one did."""
    reader = Reader()
    messages: list[Headers] = []
    try:
        for chunk in chunks:
            for message in reader.feed(chunk):
                messages.append(message)  # noqa: PERF402 - what came before an error counts
    except ReaderError as error:
        return reader.banner, messages, str(error)
    return reader.banner, messages, None


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    bounds = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:end] for start, end in pairwise(bounds)]


def received(capture: str) -> bytes:
    """Return the bytes that a captured server sent."""
    blocks = re.split(
        rb"^(>>> sent|<<< received|<<< closed)\n", (CAPTURES / capture).read_bytes(), flags=re.MULTILINE
    )
    return b"".join(
        body for mark, body in zip(blocks[1::2], blocks[2::2], strict=True) if b"received" in mark
    )


@pytest.mark.parametrize("capture", sorted(path.name for path in CAPTURES.glob("ami-*")))
def test_a_captured_stream_read_byte_by_byte_gives_what_a_plain_split_gives(capture):
    stream = received(capture)
    banner, _, rest = stream.partition(b"\r\n")
    expected = [
        tuple(tuple((line + " ").split(": ", 1)) for line in block.decode().split("\r\n"))
        for block in rest.split(b"\r\n\r\n")
        if block
    ]
    assert outcome([stream[place : place + 1] for place in range(len(stream))]) == (
        banner.decode(),
        [tuple((name, value[:-1]) for name, value in message) for message in expected],
        None,
    )


_FRAGMENTS = st.sampled_from(
    [
        b"\r\n",
        b"\n",
        b"\r",
        b"\r\n\r\n",
        b": ",
        b":",
        b"Event: Newchannel\r\n",
        b"Response: Follows\r\n",
        b"Response: Success\r\n",
        b"Output: \r\n",
        b"ActionID:x\r\n",
        b"Privilege: Command\r\n",
        b"--END COMMAND--",
        "Ä\N{GRINNING FACE}".encode(),
        b"\xff\xc3",
        b"x" * 90,
    ]
)
_STREAMS = st.lists(_FRAGMENTS | st.binary(max_size=20), max_size=40).map(b"".join)


@given(
    stream=_STREAMS | st.binary(), places=st.lists(st.integers(0, 10_000), max_size=20), banner=st.booleans()
)
def test_any_bytes_give_the_same_messages_however_they_are_cut_and_no_other_exception(stream, places, banner):
    whole = BANNER + stream if banner else stream
    assert outcome(cut(whole, places)) == outcome([whole])
    assert outcome([bytes([byte]) for byte in whole]) == outcome([whole])


@given(stream=_STREAMS, places=st.lists(st.integers(0, 10_000), max_size=20))
def test_the_bounds_too_strike_at_the_same_place_however_the_bytes_are_cut(stream, places):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "MAX_LINE", 80)
        patch.setattr(limits, "MAX_LINES", 5)
        patch.setattr(limits, "MAX_MESSAGE", 120)
        whole = BANNER + stream
        assert outcome(cut(whole, places)) == outcome([whole])


def test_a_character_cut_in_two_is_whole():
    event = "Event: Newchannel\r\nCallerIDName: Ä\N{GRINNING FACE}\r\n\r\n".encode()
    for place in range(len(event)):
        assert read(event[:place], event[place:]) == [
            (("Event", "Newchannel"), ("CallerIDName", "Ä\N{GRINNING FACE}"))
        ]


def test_bytes_that_are_no_utf8_are_replaced_and_what_is_around_them_is_kept():
    assert read(b"Event: a\xffb\xc3\r\n\r\n") == [
        (("Event", "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"),)
    ]


def test_headers_are_taken_with_or_without_a_space_and_with_nothing():
    assert read(b"Event:Hello\r\nEmpty:\r\nBlank: \r\nIndented:   x \r\nno colon\r\n\r\n") == [
        (("Event", "Hello"), ("Empty", ""), ("Blank", ""), ("Indented", "  x "), ("", "no colon"))
    ]


def test_bare_line_feeds_end_lines_too():
    assert read(b"Event: a\nB: c\n\nEvent: d\n\n") == [(("Event", "a"), ("B", "c")), (("Event", "d"),)]


def test_the_raw_lines_of_an_old_command_become_output():
    message = (
        b"Response: Follows\r\nPrivilege: Command\r\nActionID: 1\r\n"
        b"System uptime: 35 seconds\n\nPrivilege: none\nlast--END COMMAND--\r\n\r\n"
    )
    assert read(message, b"Event: a\r\n\r\n") == [
        (
            ("Response", "Follows"),
            ("Privilege", "Command"),
            ("ActionID", "1"),
            ("Output", "System uptime: 35 seconds"),
            ("Output", ""),
            ("Output", "Privilege: none"),
            ("Output", "last"),
        ),
        (("Event", "a"),),
    ]


def test_ten_megabytes_without_a_line_end_stop_the_reader_within_its_bound():
    reader = Reader()
    list(reader.feed(BANNER))
    chunk = b"x" * 16_384
    fed = 0

    def feed_ten_megabytes() -> None:
        nonlocal fed
        while fed < 10_000_000:
            fed += len(chunk)
            list(reader.feed(chunk))

    tracemalloc.start()
    try:
        with pytest.raises(ReaderError, match="a line longer than 65536 bytes"):
            feed_ten_megabytes()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert fed <= limits.MAX_LINE + len(chunk)
    assert peak < 4 * limits.MAX_LINE
    with pytest.raises(ReaderError):
        list(reader.feed(b"\r\n\r\nEvent: a\r\n\r\n"))


def test_a_message_that_does_not_end_stops_the_reader():
    line = b"Output: " + b"x" * 1000 + b"\r\n"
    with pytest.raises(ReaderError, match="a message longer than 8388608 bytes"):
        read(*[line] * 9000)
    with pytest.raises(ReaderError, match="a message of more than 65536 lines"):
        read(b"a: b\r\n" * 70_000)


def test_what_came_before_a_bound_was_hit_is_delivered():
    _, messages, error = outcome([BANNER + b"Event: a\r\n\r\n" + b"x" * 70_000])
    assert messages == [(("Event", "a"),)]
    assert error == "a line longer than 65536 bytes"


def test_reading_takes_time_in_proportion_to_the_bytes_however_small_the_pieces():
    """Compares the work, counted in bytes searched, not the time on the clock."""
    searched = 0

    class Counting(bytearray):
        def find(self, wanted, start=0):  # type: ignore[override]
            nonlocal searched
            found = super().find(wanted, start)
            searched += (found if found >= 0 else len(self)) - start
            return found

    reader = Reader()
    list(reader.feed(BANNER))
    reader._buffer = Counting()
    for _ in range(60_000):
        list(reader.feed(b"x"))
    assert searched < 2 * 60_000
