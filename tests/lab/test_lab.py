"""The lab as a whole: real drivers meet it, in a loop and in a thread, and nothing is left of it."""

from __future__ import annotations

import asyncio
import threading

import pytest

from manager.lab.faults import Fault
from manager.lab.lab import Host, Lab, account_of
from manager.lab.thread import LabThread
from manager.manager import ConnectionManager
from manager.model import Phase
from manager.settings import AmiSettings, Policy, SipSettings, WebSocketSettings

QUICK = Policy(base_delay=0.05, max_delay=0.2, stable_after=0.1, connect_timeout=5)


def phases(manager: ConnectionManager) -> dict[str, Phase]:
    return {name: status.phase for name, status in manager.get_connection_status().items()}


async def until_all(manager: ConnectionManager, phase: Phase) -> None:
    async with asyncio.timeout(60):
        while set(phases(manager).values()) != {phase}:
            await asyncio.sleep(0.02)


async def test_it_offers_one_connection_of_each_type() -> None:
    async with Lab() as lab:
        kinds = [type(settings) for settings in lab.connections()]
    assert kinds == [SipSettings, WebSocketSettings, AmiSettings]


async def test_every_connection_comes_up_and_comes_back_after_a_restart() -> None:
    hosts = (Host("pbx", sip=("desk-1", "desk-2"), websocket=("ari",), ami=("ami",)),)
    async with Lab(hosts, policy=QUICK) as lab, ConnectionManager(lab.connections()) as manager:
        await until_all(manager, Phase.UP)
        assert [server.logins for server in lab.servers] == [2, 1, 1]
        for server in lab.servers:
            server.fault = Fault.REFUSE
        async with asyncio.timeout(60):
            while phases(manager)["ami"] is Phase.UP or phases(manager)["ari"] is Phase.UP:
                await asyncio.sleep(0.02)
        lab.mend()
        await until_all(manager, Phase.UP)


async def test_its_secrets_are_new_each_time_and_shown_nowhere() -> None:
    one, other = Lab(), Lab()
    async with one, other:
        first, second = one.connections()[2], other.connections()[2]
        assert isinstance(first, AmiSettings)
        assert isinstance(second, AmiSettings)
        assert first.password.plain != second.password.plain
        assert first.password.plain is not None
        assert first.password.plain.reveal() not in repr((one.connections(), vars(one), one.ami["lab"]))


async def test_a_host_without_its_address_runs_on_the_usual_one() -> None:
    hosts = (Host("far", "192.0.2.1", ami=("far-ami",)),)
    async with Lab(hosts) as lab:
        assert lab.connections()[0].endpoints[0].host == "127.0.0.1"


async def test_where_one_server_cannot_start_none_is_left() -> None:
    async with Lab() as other:
        lab = Lab()
        lab.ami["lab"].port = other.ami["lab"].port
        with pytest.raises(OSError, match="in use"):
            async with lab:
                pass
    assert all(server.sessions == 0 for server in lab.servers)


def test_every_server_is_as_slow_as_asked() -> None:
    assert {server.delay for server in Lab(delay=0.25).servers} == {0.25}


def test_an_account_is_what_stands_behind_the_last_dash() -> None:
    assert account_of("trunk-to-6001") == "6001"
    assert account_of("6001") == "6001"


async def test_in_a_thread_it_serves_while_this_loop_is_held_up() -> None:
    with LabThread(Lab()) as thread:
        ran = threading.Event()

        async def work(lab: Lab) -> None:
            assert lab.servers
            ran.set()
            await asyncio.Event().wait()

        thread.begin(work)
        assert ran.wait(60), "this loop is blocked here, the lab's is not"


def test_a_defect_in_the_thread_surfaces_when_it_is_left() -> None:
    async def broken(_lab: Lab) -> None:
        raise ZeroDivisionError

    def enter_and_leave() -> None:
        done = threading.Event()

        async def then_tell(lab: Lab) -> None:
            try:
                await broken(lab)
            finally:
                done.set()

        with LabThread(Lab()) as thread:
            thread.begin(then_tell)
            done.wait(60)

    with pytest.raises(ZeroDivisionError):
        enter_and_leave()


def test_a_lab_that_cannot_start_says_so_at_once() -> None:
    lab = Lab()
    lab.ami["lab"].host = "192.0.2.1"
    with pytest.raises(OSError, match="assign"), LabThread(lab):
        pass
