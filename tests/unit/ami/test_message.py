from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.drivers.ami import AmiEvent, AmiReply
from manager.drivers.ami.message import MAX_ACTION, encode
from manager.secret import Secret
from tests.unit.ami.peer import CANARY


def test_an_event_is_looked_up_without_regard_to_case_and_keeps_repeated_headers():
    event = AmiEvent((("Event", "TestEvent"), ("State", "a"), ("state", "b"), ("AppLine", "677")))
    assert event.name == "TestEvent"
    assert event["STATE"] == ("a", "b")
    assert event.first("State") == "a"
    assert event["appline"] == "677"
    assert list(event) == ["Event", "State", "AppLine"]
    assert len(event) == 3
    assert "applINE" in event
    assert 677 not in event
    assert event.get("Missing") is None
    assert dict(event) == {"Event": "TestEvent", "State": ("a", "b"), "AppLine": "677"}


def test_events_are_frozen_and_compare_by_their_headers():
    event = AmiEvent((("Event", "a"),))
    assert event == AmiEvent((("Event", "a"),))
    assert hash(event) == hash(AmiEvent((("Event", "a"),)))
    assert event != AmiEvent((("Event", "b"),))
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.headers = ()


@pytest.mark.parametrize("lines", [(), ("one",), ("one", "", "two")])
def test_output_is_always_a_tuple(lines):
    reply = AmiReply((("Response", "Success"), *(("Output", line) for line in lines)), ok=True)
    assert reply.output == lines
    assert reply.get("Output", ()) == lines


def test_the_repr_of_a_message_shows_no_value():
    headers = (("Event", "AuthDetail"), ("Password", CANARY))
    assert CANARY not in repr(AmiEvent(headers)) + repr(
        AmiReply(headers, ok=True, events=(AmiEvent(headers),))
    )


def test_an_action_begins_with_its_name_and_id_and_keeps_the_order_of_the_rest():
    fields = {"Channel": "Local/600", "Variable": ["a=1", "b=2"], "ActionID": "7", "Action": "Originate"}
    assert encode(fields) == (
        b"Action: Originate\r\nActionID: 7\r\nChannel: Local/600\r\nVariable: a=1\r\nVariable: b=2\r\n\r\n"
    )


def test_a_secret_is_revealed_only_in_the_bytes():
    assert encode({"Action": "Login", "Secret": Secret(CANARY)}).endswith(
        f"Secret: {CANARY}\r\n\r\n".encode()
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"Action": "Ping\r\nAction: Logoff"},
        {"Action": "Ping", "Channel": "a\nb"},
        {"Action": "Ping", "Channel": "a\rb"},
        {"Action": "Ping", "Channel": "a\0b"},
        {"Action": "Ping", "Channel": ["fine", "a\r\n\r\nAction: Logoff"]},
        {"Action": "Ping", "Chan\r\nAction": "a"},
        {"Action": "Ping", "Chan: nel": "a"},
        {"Action": "Ping", "": "a"},
        {"Action": "Ping", " ": "a"},
        {"Action": "Ping", "ACTION": "Logoff"},
        {"Channel": "a"},
        {"Action": []},
        {"Action": ["Ping", "Logoff"]},
        {"Action": "Ping", "Channel": "\ud800"},
        {"Action": "Ping", "Data": "x" * MAX_ACTION},
    ],
)
def test_an_action_that_would_not_be_one_message_is_refused(fields):
    with pytest.raises(ValueError):  # noqa: PT011 - which of them it is does not matter
        encode(fields)


@given(st.dictionaries(st.text(), st.text() | st.lists(st.text(), max_size=3), max_size=4))
def test_whatever_is_encoded_is_one_message_with_the_lines_that_were_given(fields):
    try:
        message = encode({"Action": "Ping", **fields})
    except ValueError:
        return
    assert message.count(b"\r\n\r\n") == 1
    assert message.endswith(b"\r\n\r\n")
    assert b"\0" not in message
    lines = message.removesuffix(b"\r\n\r\n").split(b"\r\n")
    values = [[value] if isinstance(value, str) else value for value in {"Action": "Ping", **fields}.values()]
    assert len(lines) == sum(map(len, values))
    assert message.count(b"\n") == message.count(b"\r") == len(lines) + 1
