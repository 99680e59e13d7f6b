import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from manager.drivers.sip.message import (
    MAX_BODY_BYTES,
    MAX_HEADERS,
    Headers,
    MessageError,
    Request,
    Response,
    cseq_of,
    parse_message,
    response_to,
)


def test_every_message_of_asterisk_is_read_and_written_back_with_the_same_meaning(exchange):
    assert len(exchange) >= 4
    for raw in exchange:
        message = parse_message(raw)
        assert cseq_of(message) is not None
        again = parse_message(message.encode())
        assert [line for line in again.headers if line[0] != "Content-Length"] == [
            line for line in message.headers if line[0] != "Content-Length"
        ]
        assert type(again) is type(message)


def test_an_exchange_of_asterisk_is_request_and_response_in_turn(capture):
    kinds = [parse_message(raw) for raw in capture("sip-register-udp-md5.txt")]
    statuses = [kind.status if isinstance(kind, Response) else kind.method for kind in kinds]
    assert statuses == ["REGISTER", 401, "REGISTER", 200, "REGISTER", 401, "REGISTER", 200]


def test_compact_names_case_spaces_and_folded_lines_make_no_difference():
    message = parse_message(
        b"OPTIONS sip:a@b SIP/2.0\r\nv : SIP/2.0/UDP one;branch=z9hG4bK1,\r\n  SIP/2.0/TCP two\r\n"
        b'VIA: SIP/2.0/UDP three\r\ni:call\r\nm: "a, b" <sip:x,y@h>, <sip:z@h>\r\nl:0\r\n\r\n'
    )
    assert message.headers.values("Via") == [
        "SIP/2.0/UDP one;branch=z9hG4bK1",
        "SIP/2.0/TCP two",
        "SIP/2.0/UDP three",
    ]
    assert message.headers.get("call-id") == "call"
    assert message.headers.values("Contact") == ['"a, b" <sip:x,y@h>', "<sip:z@h>"]


def test_bare_line_feeds_and_lines_that_are_no_header_are_tolerated():
    message = parse_message(b"SIP/2.0 200 OK\nCall-ID: x\nthis is no header\n: neither\nCSeq: 1 A\n\nbody")
    assert isinstance(message, Response)
    assert message.body == b"body"
    assert [name for name, _ in message.headers] == ["Call-ID", "CSeq"]


def test_a_response_without_a_reason_phrase_is_read():
    assert parse_message(b"SIP/2.0 200\r\n\r\n") == Response(200)


def test_content_length_bounds_the_body():
    assert parse_message(b"M sip:a SIP/2.0\r\nContent-Length: 2\r\n\r\nabcd").body == b"ab"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"SIP/2.0 999 No\r\n\r\n",
        b"A sip:b SIP/2.0\r\nContent-Length: 5\r\n\r\nabc",
        b"A sip:b SIP/2.0\r\nContent-Length: -1\r\n\r\n",
        b"A sip:b SIP/2.0\r\nContent-Length: 1\r\nl: 2\r\n\r\nabc",
        b"A sip:b SIP/2.0\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1),
        b"A sip:b SIP/2.0\r\n" + b"X: y\r\n" * (MAX_HEADERS + 1) + b"\r\n",
        b"A sip:b SIP/2.0\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
    ],
)
def test_what_is_no_message_is_refused(raw):
    with pytest.raises(MessageError):
        parse_message(raw)


@given(st.binary(max_size=400))
@example(b"SIP/2.0 200 OK\r\n \xff\x00: x\r\n\r\n")
@example("SIP/2.0 \uff12\uff10\uff10 OK\r\nContent-Length: \uff15\r\n\r\n".encode())
def test_arbitrary_bytes_raise_nothing_but_a_message_error(raw):
    for prefix in (b"", b"SIP/2.0 200 OK\r\n", b"INVITE sip:a@b SIP/2.0\r\n"):
        try:
            message = parse_message(prefix + raw)
            cseq_of(message)
            message.headers.values("Contact")
            message.headers.number("Retry-After")
            repr(message)
            message.encode()
        except MessageError:
            pass


@given(st.lists(st.tuples(st.sampled_from(["X-A", "Via", "m"]), st.text(max_size=30)), max_size=5))
def test_what_was_written_is_read_back(lines):
    request = Request("OPTIONS", "sip:a@b", Headers(lines), b"body")
    try:
        raw = request.encode()
    except MessageError:
        return
    again = parse_message(raw)
    assert again.body == b"body"
    assert len(list(again.headers)) == len(lines) + 1


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nb", "a\rb", "a\x00b"])
def test_a_line_end_in_a_value_is_never_written(value):
    with pytest.raises(MessageError):
        Request("OPTIONS", "sip:a@b", Headers([("X", value)])).encode()
    with pytest.raises(MessageError):
        Request("OPTIONS", f"sip:{value}@b").encode()
    with pytest.raises(MessageError):
        Response(200, value).encode()
    with pytest.raises(MessageError):
        Response(200, "OK", Headers([(value, "x")])).encode()


def test_bytes_that_are_not_utf8_come_back_as_they_were():
    raw = b"SIP/2.0 200 OK\r\nCall-ID: \xff\xfe\r\nContent-Length: 0\r\n\r\n"
    assert parse_message(raw).encode() == raw


def test_a_response_repeats_what_belongs_to_the_transaction_and_tags_to_once():
    request = parse_message(
        b"OPTIONS sip:a@b SIP/2.0\r\nVia: one\r\nv: two\r\nf: <sip:x@y>;tag=1\r\nt: <sip:a;tag=no@b>\r\n"
        b"i: c\r\nCSeq: 7 OPTIONS\r\nSubject: not repeated\r\n\r\n"
    )
    response = response_to(request, 405, tag="ours")
    assert list(response.headers) == [
        ("Via", "one"),
        ("Via", "two"),
        ("From", "<sip:x@y>;tag=1"),
        ("To", "<sip:a;tag=no@b>;tag=ours"),
        ("Call-ID", "c"),
        ("CSeq", "7 OPTIONS"),
    ]
    assert response.reason == "Method Not Allowed"
    request.headers.set("To", "<sip:a@b> ; tag = theirs")
    assert response_to(request, 200, tag="ours").headers.get("To") == "<sip:a@b> ; tag = theirs"


def test_setting_a_header_replaces_all_its_lines_in_the_place_of_the_first():
    headers = Headers([("A", "1"), ("m", "2"), ("B", "3"), ("Contact", "4")])
    headers.set("Contact", "5")
    assert list(headers) == [("A", "1"), ("Contact", "5"), ("B", "3")]


def test_the_repr_of_a_message_shows_no_credentials():
    request = Request(
        "REGISTER", "sip:b", Headers([("Authorization", 'Digest response="canary"')]), b"canary"
    )
    assert "canary" not in repr(request)
