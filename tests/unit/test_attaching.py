from __future__ import annotations

from pathlib import Path

import click
import pytest

from manager.errors import ManagerGoneError
from manager.service import inquiry
from manager.service.address import Named, NetworkAddress, parse_named
from tui.commands import dashboard
from tui.commands.attaching import equipped
from tui.commands.dashboard import labels

FAR, NEAR, LOCAL = NetworkAddress("far", 1), NetworkAddress("near", 2), Path("/run/s.sock")


@pytest.fixture
def with_files():
    def with_files(
        *tokens: str, ca: tuple[str, ...] = (), fingerprints: tuple[str, ...] = ()
    ) -> click.Context:
        context = click.Context(click.Command("trunkline"))
        context.meta["trunkline.token_file"] = tuple(map(Path, tokens))
        context.meta["trunkline.ca"] = tuple(map(Path, ca))
        context.meta["trunkline.fingerprint"] = fingerprints
        return context

    return with_files


def test_one_token_file_counts_for_all_and_several_for_each_in_order(with_files):
    addresses = [FAR, LOCAL, NEAR]
    assert equipped(with_files(), addresses) == addresses
    assert equipped(with_files("t", ca=("c",)), addresses) == [
        FAR._replace(token_file=Path("t"), ca_file=Path("c")),
        LOCAL,
        NEAR._replace(token_file=Path("t"), ca_file=Path("c")),
    ]
    assert equipped(with_files("t", "u"), addresses) == [
        FAR._replace(token_file=Path("t")),
        LOCAL,
        NEAR._replace(token_file=Path("u")),
    ]
    pinned = with_files(fingerprints=("aa", "bb"))
    assert [each.fingerprint for each in equipped(pinned, [FAR, NEAR])] == ["aa", "bb"]
    with pytest.raises(click.UsageError, match="say one of the two"):
        equipped(with_files(ca=("c",), fingerprints=("aa",)), addresses)
    with pytest.raises(click.UsageError, match="--token-file once for all, or once for each"):
        equipped(with_files("t", "u", "v"), addresses)


def test_a_label_stands_before_an_address():
    assert parse_named("berlin=/run/s.sock") == Named("berlin", LOCAL)
    assert parse_named("b.2-x=wss://far:1") == Named("b.2-x", FAR)
    assert parse_named("./a=b") == Named("", Path("./a=b"))
    with pytest.raises(ValueError, match="wss://HOST:PORT"):
        parse_named("berlin=ws://far:1")


def test_services_that_would_be_called_the_same_are_told_apart(monkeypatch):
    def about(address):
        if address == LOCAL:
            return {"config": "/etc/trunkline/office.toml"}
        raise ManagerGoneError("none")

    monkeypatch.setattr(inquiry, "about", about)
    gone = Path("/run/gone.sock")
    named = [Named("", FAR), Named("far", NEAR), Named("", LOCAL), Named("", gone), Named("office", gone)]
    assert labels(named) == {"far": FAR, "far-2": NEAR, "office": LOCAL, "gone": gone, "office-2": gone}


@pytest.mark.parametrize(("may", "wishes"), [("read", {"read_only": True}), ("act", {})])
def test_where_one_may_only_look_the_dashboard_is_read_only(monkeypatch, may, wishes):
    opened = []
    monkeypatch.setattr(inquiry, "about", lambda _: {"config": "/etc/office.toml", "may": may})
    monkeypatch.setattr(dashboard, "need_terminal", lambda: None)
    monkeypatch.setattr(dashboard, "log_to_file", lambda: None)
    monkeypatch.setattr(dashboard, "_attached", lambda *arguments: opened.append(arguments))
    dashboard.open_dashboard(None, [Named("", LOCAL)], {})
    assert opened == [(LOCAL, "office", wishes)]
