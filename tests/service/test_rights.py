"""Who may do what at the Unix socket."""

from __future__ import annotations

import asyncio
import os
import socket
import stat

import pytest

from manager.access import Access, Group
from manager.client import Pause
from manager.errors import NotAllowedError, TrunklineError
from manager.service import credentials, inquiry
from manager.service.credentials import Credentials, UnixEntrance, credentials_of, right_of, visitor_of
from manager.service.entrance import TurnedAwayError
from manager.service.entrances import Entrances
from manager.service.methods import COMMANDS
from manager.service.rights import RIGHTS, Right, Visitor
from manager.service.socketfile import SocketFile
from manager.service.tokens import Tokens
from tests.service.conftest import serving

OWN = 1000
READERS, ACTORS = Group("readers", 500), Group("actors", 600)
BOTH = Access(read_group=READERS, act_group=ACTORS)


def process(uid: int = 2000, *groups: int) -> Credentials:
    return Credentials(pid=7, uid=uid, groups=frozenset(groups))


@pytest.mark.parametrize(
    ("who", "access", "right"),
    [
        (process(0), Access(), Right.ACT),
        (process(OWN), Access(), Right.ACT),
        (process(2000), Access(), Right.NONE),
        (process(2000, 0), Access(), Right.NONE),
        (process(2000, 500), BOTH, Right.READ),
        (process(2000, 600), BOTH, Right.ACT),
        (process(2000, 500, 600), BOTH, Right.ACT),
        (process(2000, 501), BOTH, Right.NONE),
        (process(2000, 500), Access(act_group=ACTORS), Right.NONE),
        (process(2000, 600), Access(read_group=READERS), Right.NONE),
    ],
)
def test_root_and_the_own_user_may_everything_and_others_what_their_groups_may(who, access, right):
    assert right_of(who, access, own_uid=OWN) is right


def test_every_method_has_its_right_and_every_command_acts():
    assert {name for name, right in RIGHTS.items() if right is Right.ACT} == COMMANDS.keys()


@pytest.mark.parametrize("name", RIGHTS)
def test_who_may_look_may_ask_for_what_reads_and_is_told_what_is_missing_to_act(name):
    visitor = visitor_of(process(2000, 500), BOTH, own_uid=OWN)
    if RIGHTS[name] is Right.READ:
        visitor.demand(name)
        return
    with pytest.raises(NotAllowedError, match=f"`{name}` needs the right to act") as refusal:
        visitor.demand(name)
    assert refusal.value.hint == "who is in the group actors (act_group) may act"


def test_who_is_turned_away_is_told_which_group_is_missing():
    for access, said in (
        (BOTH, "user 2000 is not in the group readers (read_group) or actors (act_group)"),
        (Access(act_group=ACTORS), "user 2000 is not in the group actors (act_group)"),
        (Access(), "names no read_group and no act_group"),
    ):
        with pytest.raises(TurnedAwayError) as refusal:
            visitor_of(process(), access, own_uid=OWN)
        assert said in str(refusal.value)


def test_the_kernel_says_who_is_at_the_other_end():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        who = credentials_of(ours)
    assert (who.pid, who.uid) == (os.getpid(), os.geteuid())
    assert who.groups == {os.getegid(), *os.getgroups()}


def test_a_socket_is_open_to_others_only_where_it_is_shared(address):
    with SocketFile(address, shared=True) as file:
        assert stat.S_IMODE(address.stat().st_mode) == 0o666
        file.share(shared=False)
        assert stat.S_IMODE(address.stat().st_mode) == 0o600
        file.share(shared=True)
        assert stat.S_IMODE(address.stat().st_mode) == 0o666


def test_a_folder_that_keeps_others_from_the_socket_is_named(address):
    with SocketFile(address) as file:
        assert file.closed_folder == address.parent
        address.parent.chmod(0o755)
        assert file.closed_folder is None


async def test_new_settings_of_a_service_whose_socket_is_gone_are_an_error_and_not_its_end(folder, caplog):
    address = folder / "within" / "s.sock"
    folder.chmod(0o755)
    with Entrances(address, Access(), Tokens()) as entrances:
        (unix,) = entrances
        address.unlink()
        with pytest.raises(TrunklineError, match="cannot change who may reach"):
            await entrances.renew(BOTH)
        assert unix.access == Access()
        address.touch()
        await entrances.renew(BOTH)
        address.unlink()
        address.parent.rmdir()
        caplog.clear()
        await entrances.renew(BOTH)
        assert f"{address.parent} is closed to them" in caplog.text


@pytest.fixture
def looking(monkeypatch):
    """Have everybody who comes be let in to look."""
    visitor = Visitor("process 7 of user 2000", Right.READ, "who is in the group actors (act_group) may act")
    monkeypatch.setattr(UnixEntrance, "visitor", lambda *_: visitor)


async def test_who_may_look_sees_everything_and_changes_nothing(looking, remote, manager, address):
    assert (await remote.snapshot()).statuses
    assert await remote.settings("one")
    assert (await remote.about()).may == "read"
    assert (await asyncio.to_thread(inquiry.ask, address))["service"]["may"] == "read"
    with pytest.raises(NotAllowedError, match="`pause` needs the right to act") as refusal:
        await remote.command(Pause(name="one"))
    assert "actors" in refusal.value.hint
    await remote.begin(Pause(name="one"))
    assert (await remote.about()).may == "read"
    assert all(status.phase != "paused" for status in (await manager.snapshot()).statuses)


async def test_who_may_nothing_is_refused_before_anything_is_told(manager, address, monkeypatch, caplog):
    monkeypatch.setattr(credentials.os, "geteuid", lambda: 4_000_000)
    monkeypatch.setattr(credentials, "credentials_of", lambda _: process())
    async with serving(manager, address):
        with pytest.raises(TrunklineError, match="another user's"):
            await asyncio.to_thread(inquiry.ask, address)
    assert "process 7 of user 2000 was not let in" in caplog.text
