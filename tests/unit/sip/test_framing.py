import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.drivers.sip.framing import KeepAlive, StreamFramer
from manager.drivers.sip.message import MAX_HEADER_BYTES, MessageError, parse_message

ONE = b"SIP/2.0 200 OK\r\nCall-ID: 1\r\nContent-Length: 4\r\n\r\nbody"
TWO = b"OPTIONS sip:a@b SIP/2.0\r\nl:0\r\n\r\n"


def frames_of(chunks):
    """Return the frames and whether the stream broke."""
    framer = StreamFramer()
    frames = []
    try:
        for chunk in chunks:
            for frame in framer.feed(chunk):
                frames.append(frame)  # noqa: PERF402 - what came before an error counts
    except MessageError:
        return frames, True
    return frames, False


def test_several_messages_in_one_read_come_apart():
    assert frames_of([ONE + TWO + ONE]) == ([ONE, TWO, ONE], False)


def test_keep_alives_between_messages_are_told_apart():
    frames, _ = frames_of([b"\r\n" + ONE + b"\r\n\r\n" + TWO + b"\r\n"])
    assert frames == [KeepAlive.PONG, ONE, KeepAlive.PONG, KeepAlive.PING, TWO, KeepAlive.PONG]


def test_a_stream_of_asterisk_comes_apart_at_every_split(capture):
    messages = capture("sip-register-tcp-md5.txt")
    stream = b"".join(messages)
    for split in range(1, len(stream), 7):
        assert frames_of([stream[:split], stream[split:]]) == (messages, False)


@given(
    st.lists(
        st.sampled_from([ONE, TWO, b"\r\n", b"\r\n\r\n", b"\n", b"X: y\r\n", b"\r", b"l: 9999999\r\n\r\n"])
    ),
    st.lists(st.integers(0, 500), max_size=8),
)
def test_how_a_stream_was_split_changes_nothing(parts, cuts):
    stream = b"".join(parts)
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    chunks = [stream[start:end] for start, end in itertools.pairwise(places)]
    assert frames_of(chunks) == frames_of([stream])


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_arbitrary_bytes_raise_nothing_but_a_message_error(chunks):
    frames, _ = frames_of(chunks)
    for frame in frames:
        if isinstance(frame, bytes):
            with contextlib.suppress(MessageError):
                parse_message(frame)


def test_ten_megabytes_without_a_line_end_stop_at_the_bound():
    framer = StreamFramer()
    fed = 0
    with contextlib.suppress(MessageError):
        while fed < 10 * 1024 * 1024:
            fed += 4096
            list(framer.feed(b"x" * 4096))
    assert fed <= MAX_HEADER_BYTES + 8192
    assert not framer._buffer


def test_a_body_past_the_bound_is_refused_before_it_comes():
    assert frames_of([b"A sip:b SIP/2.0\r\nContent-Length: 9999999\r\n\r\n"]) == ([], True)


def test_a_body_that_was_not_announced_breaks_the_stream_and_a_message_without_one_does_not():
    bare = b"SIP/2.0 200 OK\r\nCall-ID: 1\r\n\r\n"
    assert frames_of([bare + ONE]) == ([bare, ONE], False)
    assert frames_of([bare + b"v=0\r\n" + ONE]) == ([bare], True)


def test_messages_before_the_break_are_delivered_and_a_broken_stream_stays_broken():
    framer = StreamFramer()
    frames = framer.feed(ONE + b"A sip:b SIP/2.0\r\nContent-Length: x\r\n\r\n" + ONE)
    assert next(frames) == ONE
    with pytest.raises(MessageError):
        next(frames)
    with pytest.raises(MessageError):
        list(framer.feed(ONE))
