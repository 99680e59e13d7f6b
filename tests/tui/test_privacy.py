"""What others may see while names and addresses are hidden."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tui.fake_client import connection
from tui.privacy import Privacy


def privacy_of(*statuses) -> Privacy:
    privacy = Privacy()
    privacy.learn(statuses)
    return privacy


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("desk up", "sip-1 up"),
        ("pbx1 refuses all 3", "host-1 refuses all 3"),
        ("sip:6001@pbx1;transport=tcp", "sip:user-1@host-1;transport=tcp"),
        ("pbx1:5060/tcp", "host-1:5060/tcp"),
        ("192.0.2.7", "host-2"),
        ("[2001:db8::1]:5060", "[host-2]:5060"),
        ("wss://bus.example.net:8443/v1", "wss://host-2:8443/v1"),
        ("registered until 02:15:12", "registered until 02:15:12"),
        ("no answer in 10 s · 4/15", "no answer in 10 s · 4/15"),
        ("Asterisk 22.10.1 · 4 calls", "Asterisk 22.10.1 · 4 calls"),
        (
            "incident-2026-11-27-072408-2.md holds the report",
            "incident-2026-11-27-072408-2.md holds the report",
        ),
        ("log-2026-11-27-072408.txt", "log-2026-11-27-072408.txt"),
        ("copied into copied.txt", "copied into copied.txt"),
        ("in dashboard.toml, not in berlin.toml", "in dashboard.toml, not in host-2"),
    ],
)
def test_names_and_addresses_go_and_all_else_stays(text, shown):
    assert privacy_of(connection("desk", host="pbx1"))(text) == shown


def test_a_name_of_several_words_is_hidden_as_a_whole():
    privacy = privacy_of(connection("the desk (3rd floor)", host="pbx1"))
    assert privacy("“the desk (3rd floor)” is up") == "“sip-1” is up"


def test_an_alias_stays_the_same_when_others_come_and_go():
    privacy = privacy_of(connection("a"), connection("b"))
    before = privacy("b")
    privacy.learn([connection("0"), connection("b")])
    assert privacy("b") == before


names = st.text(st.characters(categories=("L", "N"), include_characters="-_. @/:"), min_size=3, max_size=20)


@given(names)
def test_no_name_is_seen_whatever_it_is_made_of(name):
    name = name.strip() or "desk"
    shown = privacy_of(connection(name, host="pbx1"))(f"{name} is up on pbx1 · {name}")
    assert name not in shown.replace("sip-1", "").replace("host-1", "") or len(name) < 3
