"""What a driver hands on to be recorded holds no secret, however it stands in the message."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.drivers import masking
from manager.drivers.tap import Tap
from manager.secret import Secret
from manager.wire import WireKind

CANARY = "c4n4ry/s3cret"


class Keeper:
    """A listener that keeps what is recorded."""

    def __init__(self) -> None:
        self.contents: list[bytes] = []

    def wire(self, kind: WireKind, content: bytes, *, sent: bool) -> None:
        self.contents.append(content)


def recorded(content: bytes | str, *secrets: str) -> bytes:
    keeper = Keeper()
    Tap(keeper, map(Secret, secrets)).received(WireKind.TEXT, content)
    (kept,) = keeper.contents
    return kept


@pytest.mark.parametrize(
    "form", [CANARY, quote(CANARY, safe=""), json.dumps(CANARY)[1:-1], f"before{CANARY}after"]
)
def test_a_secret_is_masked_in_every_form_it_may_have(form: str):
    assert recorded(f"say {form}!", CANARY) == recorded(f"say {form.replace(CANARY, '***')}!", CANARY)
    assert b"s3cret" not in recorded(f"say {form}!".encode(), CANARY)


def test_a_secret_that_json_or_a_header_writes_another_way_is_masked_too():
    secret = 'pass"word\\äöü'
    for written in (json.dumps(secret), json.dumps(secret, ensure_ascii=False), secret):
        assert b"word" not in recorded(written, secret)
    assert b"word" not in recorded(secret.encode("latin-1"), secret)


def test_the_longest_of_two_secrets_is_masked_first():
    assert recorded("abcdef", "abc", "abcdef") == b"***"


def test_a_secret_that_came_later_is_masked_from_then_on():
    keeper = Keeper()
    tap = Tap(keeper, [Secret("first")])
    tap.hide(Secret("second"))
    tap.sent(WireKind.TEXT, "first second")
    assert keeper.contents == [b"*** ***"]


def test_an_empty_secret_masks_nothing():
    assert recorded("text", "") == b"text"


@given(st.text(min_size=1), st.text(), st.text())
def test_no_text_of_any_kind_lets_a_secret_through(secret: str, before: str, after: str):
    kept = recorded(before + secret + after, secret)
    if not any(character in secret for character in "*"):
        assert secret.encode(errors="backslashreplace") not in kept


AMI_LOGINS = [
    b"Action: Login\r\nUsername: monitor\r\nSecret: CANARY\r\n\r\n",
    b"Action: Login\r\nUsername: monitor\r\nAuthType: MD5\r\nKey: CANARY\r\n\r\n",
    b"action: login\nusername: monitor\nSECRET:CANARY\n\n",
    b"Event: AuthDetail\r\nUsername: monitor\r\nPassword: CANARY\r\nMd5Cred: CANARY\r\n\r\n",
    b"Username: monitor\r\nOauthSecret : CANARY\r\nRefreshToken: CANARY\r\n\r\n",
]


@pytest.mark.parametrize("raw", AMI_LOGINS)
def test_headers_of_ami_that_hold_a_login_are_masked_and_the_others_stay(raw: bytes):
    masked = masking.ami(raw)
    assert b"CANARY" not in masked
    assert b"monitor" in masked
    assert masked.count(b"\n") == raw.count(b"\n")


def test_an_ordinary_message_of_ami_is_left_as_it_is():
    raw = b"Event: Newchannel\r\nChannel: PJSIP/6001-1\r\nContext: internal\r\n\r\n"
    assert masking.ami(raw) is raw


DIGEST = (
    b'Digest username="6001", realm="pbx", nonce="n0nce", uri="sip:pbx", algorithm=MD5, '
    b'response="CANARY", cnonce="CANARY", qop=auth, nc=00000001'
)


@pytest.mark.parametrize(
    "header",
    [
        b"Authorization: " + DIGEST,
        b"Proxy-Authorization : " + DIGEST,
        b"AUTHORIZATION:" + DIGEST.replace(b", ", b",\r\n "),
        b"Authorization: " + DIGEST.replace(b'"CANARY"', b"CANARY"),
        b"Authorization: " + DIGEST.replace(b'"CANARY"', b'"CAN\\"CANARY"'),
        b"Authorization: " + DIGEST.replace(b"response=", b"Response = "),
    ],
)
def test_a_digest_keeps_who_and_where_and_loses_what_could_be_guessed_at(header: bytes):
    raw = b"REGISTER sip:pbx SIP/2.0\r\n" + header + b"\r\nCSeq: 2 REGISTER\r\n\r\n"
    masked = masking.sip(raw)
    assert b"CANARY" not in masked
    for part in (b'username="6001"', b'realm="pbx"', b'nonce="n0nce"', b"algorithm=MD5", b"CSeq: 2 REGISTER"):
        assert part in masked


def test_another_login_than_a_digest_is_masked_whole():
    raw = b"REGISTER sip:pbx SIP/2.0\r\nAuthorization: Basic Q0FOQVJZ\r\nCSeq: 1 REGISTER\r\n\r\n"
    assert masking.sip(raw) == raw.replace(b"Basic Q0FOQVJZ", b"***")


def test_what_a_server_proves_itself_with_is_masked_as_well():
    raw = b'SIP/2.0 200 OK\r\nAuthentication-Info: rspauth="CANARY", qop=auth\r\n\r\n'
    assert masking.sip(raw) == raw.replace(b"CANARY", b"***")


def test_a_handshake_loses_query_secrets_cookies_and_authorization():
    basic = base64.b64encode(b"user:CANARY")
    raw = (
        b"GET /events?api_key=CANARY&app=desk HTTP/1.1\r\nHost: h\r\nAuthorization: Basic " + basic + b"\r\n"
        b"Cookie: sid=CANARY\r\nX-Api-Token: CANARY\r\nSec-WebSocket-Key: cGxhaW4=\r\n\r\n"
    )
    masked = masking.http(raw)
    assert b"CANARY" not in masked
    assert basic not in masked
    assert b"GET /events?api_key=***&app=desk HTTP/1.1" in masked
    assert b"Sec-WebSocket-Key: cGxhaW4=" in masked
    answer = b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nSet-Cookie: sid=CANARY\r\n\r\nno cookie: here"
    assert masking.http(answer) == answer.replace(b"sid=CANARY", b"***")


@pytest.mark.parametrize("mask", [masking.ami, masking.sip, masking.http])
@given(raw=st.binary(max_size=200))
def test_no_bytes_make_masking_raise(mask, raw: bytes):
    mask(raw)
    mask(b"Authorization: Digest " + raw)


@pytest.mark.parametrize(
    ("mask", "raw"),
    [
        (masking.ami, b"secret" * 100_000),
        (masking.sip, b"Authorization: Digest " + b'response="\\"' * 20_000),
        (masking.sip, b"authorization" * 50_000),
        (masking.http, b"GET /?" + b"key" * 100_000 + b" HTTP/1.1"),
    ],
)
def test_a_hostile_message_does_not_take_the_square_of_its_length(mask, raw: bytes):
    mask(raw)  # in milliseconds; the square would be hours, and the time that every test is given ends it
