from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.endpoint import EndpointError, parse_endpoint


@pytest.mark.parametrize(
    ("text", "host", "port", "transport", "label"),
    [
        ("ami://127.0.0.1:5038", "127.0.0.1", 5038, "tcp", "127.0.0.1:5038"),
        ("amis://pbx1", "pbx1", 5039, "tls", "pbx1:5039/tls"),
        ("sip:pbx1.example.com;transport=tcp", "pbx1.example.com", None, "tcp", "pbx1.example.com/tcp"),
        ("sip:pbx1:5060", "pbx1", 5060, "", "pbx1:5060"),
        ("sips:pbx1", "pbx1", None, "tls", "pbx1/tls"),
        ("sip:[2001:db8::1]:5060;transport=udp", "2001:db8::1", 5060, "udp", "[2001:db8::1]:5060/udp"),
        ("wss://pbx1/events", "pbx1", 443, "wss", "wss://pbx1/events"),
        ("ws://pbx1:8088/ws", "pbx1", 8088, "ws", "ws://pbx1:8088/ws"),
    ],
)
def test_addresses_are_read(text, host, port, transport, label):
    endpoint = parse_endpoint(text)
    assert (endpoint.host, endpoint.port, endpoint.transport, endpoint.label) == (
        host,
        port,
        transport,
        label,
    )


@pytest.mark.parametrize(
    "text",
    [
        "wss://user:canary@pbx1/x",
        "wss://pbx1/x?api_key=a:canary&app=lab",
        "wss://pbx1/x?TOKEN=canary",
        "wss://pbx1/x?access%5Ftoken=canary",
        "wss://pbx1/x?password=canary",
    ],
)
def test_secrets_in_an_address_are_masked_wherever_it_is_shown(text):
    endpoint = parse_endpoint(text)
    assert "canary" not in f"{endpoint} {endpoint!r} {endpoint.label}"
    assert "***" in endpoint.label
    assert endpoint.url.reveal() == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pbx1:5038",
        "http://pbx1",
        "ami://",
        "ami://pbx1:0",
        "ami://pbx1:99999",
        "ami://pbx1:port",
        "ami://user:canary@pbx1",
        "ami://pbx1/path",
        "sip:user:canary@pbx1",
        "sip:pbx1;transport=sctp",
        "sip:pbx1;canary=1",
        "sips:pbx1;transport=udp",
        "ws://pbx 1",
        "ws://pbx1/\r\nX: y",
        "wss://pbx1/#canary",
        "ami://-pbx",
        "ami://a..b",
        "sip:[::zz]:5060",
    ],
)
def test_what_is_no_address_is_refused_in_words(text):
    with pytest.raises(EndpointError) as refusal:
        parse_endpoint(text)
    assert str(refusal.value)
    assert text.count(":") < 2 or "user" not in str(refusal.value) or "canary" not in str(refusal.value)


@given(st.text())
def test_nothing_but_its_own_error_comes_out_whatever_goes_in(text):
    for prefix in ("", "ami://", "wss://", "sip:", "sips:"):
        try:
            endpoint = parse_endpoint(prefix + text)
        except EndpointError:
            continue
        assert endpoint.host
