import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.drivers.sip.address import (
    AddressError,
    NameAddress,
    SipUri,
    parse_name_address,
    parse_uri,
    parse_via,
    same_address,
)


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("sip:6001@pbx1.example.com", SipUri("pbx1.example.com", userinfo="6001")),
        ("SIPS:pbx1:5061", SipUri("pbx1", "sips", port=5061)),
        ("sip:[2001:db8::1]:5070;transport=tcp",
         SipUri("2001:db8::1", port=5070, parameters=(("transport", "tcp"),))),
        ("sip:+1;ext=5@h;lr?Subject=x",
         SipUri("h", userinfo="+1;ext=5", parameters=(("lr", None),), headers="Subject=x")),
        ("sip:a:b@h", SipUri("h", userinfo="a:b")),
    ],
)  # fmt: skip
def test_a_uri_is_taken_apart_and_written_again(text, uri):
    assert parse_uri(text) == uri
    assert parse_uri(str(uri)) == uri


@pytest.mark.parametrize("text", ["", "sip:", "tel:123", "sip:h:99999", "sip:[::1", "sip:a b", "sip:@", "h"])
def test_what_is_no_sip_uri_is_refused(text):
    with pytest.raises(AddressError):
        parse_uri(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"A \\"B\\" <c>" <sip:a@h;transport=tcp>;tag=1;q="x;y"',
         NameAddress("sip:a@h;transport=tcp", 'A "B" <c>', (("tag", "1"), ("q", '"x;y"')))),
        ("Bob <sip:b@h>", NameAddress("sip:b@h", "Bob")),
        ("sip:b@h;expires=5", NameAddress("sip:b@h", "", (("expires", "5"),))),
        ("<sip:b@h> ; tag = 7", NameAddress("sip:b@h", "", (("tag", "7"),))),
        ("<tel:+123>", NameAddress("tel:+123")),
    ],
)  # fmt: skip
def test_a_name_address_is_taken_apart(text, expected):
    assert parse_name_address(text) == expected
    assert parse_name_address(str(expected)) == expected


@pytest.mark.parametrize("text", ["", '"open <sip:a@b>', "<sip:a@b", '"name" sip:a@b', "<>"])
def test_what_is_no_name_address_is_refused(text):
    with pytest.raises(AddressError):
        parse_name_address(text)


def test_a_via_with_spaces_and_ipv6_is_read():
    via = parse_via("SIP / 2.0 / udp [::1] : 5060 ;branch=z9hG4bK1;rport=77;received=::2")
    assert (via.transport, via.host, via.port) == ("UDP", "::1", 5060)
    assert (via.parameter("rport"), via.parameter("received")) == ("77", "::2")
    assert str(via.with_parameter("rport", "78")) == (
        "SIP/2.0/UDP [::1]:5060;branch=z9hG4bK1;rport=78;received=::2"
    )


def test_a_via_of_spaces_is_refused_at_once():
    """Long enough that a reader that tries again from each of them meets the timeout of the test."""
    with pytest.raises(AddressError):
        parse_via("SIP/2.0/UDP h" + " " * 1_000_000 + "x")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("sip:6002@1.2.3.4:9;transport=tcp", "sip:6002@1.2.3.4:9;transport=TCP", True),
        ("sip:6004@lab.invalid:0;transport=ws", "sip:6004@LAB.invalid;transport=WS", True),
        ("sip:a@h", "sip:a@h:5060", True),
        ("sip:a%62@h", "sip:ab@h", True),
        ("sip:a@h;line=1", "sip:a@h;line=2", False),
        ("sip:a@h:1", "sip:a@h:2", False),
        ("sip:a@h", "sip:b@h", False),
        ("sip:a@h;transport=tcp", "sip:a@h;transport=udp", False),
    ],
)
def test_addresses_are_the_same_as_registrars_list_them(one, other, same):
    assert same_address(parse_uri(one), parse_uri(other)) is same


@given(st.text(max_size=60))
def test_arbitrary_text_raises_nothing_but_an_address_error(text):
    for read in (parse_uri, parse_name_address, parse_via):
        for prefix in ("", "sip:", "sip:a@", '"', "<sip:", "SIP/2.0/UDP "):
            with contextlib.suppress(AddressError):
                str(read(prefix + text))
