"""Connections of three types to one host, over real sockets: what one of them learns helps the others."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from manager.events import DoubtedBySibling, Event, StateChanged, WokenBySibling
from manager.lab.faults import Fault
from manager.lab.lab import Lab
from manager.manager import ConnectionManager
from manager.model import Phase
from manager.settings import ConnectionSettings, Policy

PATIENT = Policy(
    base_delay=600.0,
    max_delay=600.0,
    heartbeat_interval=600.0,
    health_interval=600.0,
    suspect_timeout=0.3,
    stable_after=0.0,
    peek=False,
)
"""By itself, a connection would notice nothing over UDP, and wait, for ten minutes."""
EAGER = Policy(base_delay=0.3, max_delay=0.3, max_attempts=1000, stable_after=0.0, peek=False)


def eager_over_ami(lab: Lab) -> list[ConnectionSettings]:
    return [
        replace(settings, policy=EAGER if settings.type == "ami" else PATIENT)
        for settings in lab.connections()
    ]


async def until_all(manager: ConnectionManager, phases: set[Phase]) -> None:
    while not set(manager.states.values()) <= phases:
        await asyncio.sleep(0.02)


async def test_a_host_that_dies_is_noticed_over_udp_and_is_back_everywhere_with_the_first_that_sees_it() -> (
    None
):
    async with Lab() as lab, ConnectionManager(eager_over_ami(lab)) as manager:
        heard: list[Event] = []
        for name in ("stateChanged", "wokenBySibling", "doubtedBySibling"):
            manager.on(f"connection:{name}", heard.append)
        assert "udp" in manager.get_connection_status()["lab-6001"].endpoint
        async with asyncio.timeout(60):
            await until_all(manager, {Phase.UP})
        for server in lab.servers:
            server.fault = Fault.REFUSE
        async with asyncio.timeout(60):
            await until_all(manager, {Phase.WAITING, Phase.CONNECTING})
        assert "lab-6001" in {event.connection for event in heard if isinstance(event, DoubtedBySibling)}
        lab.mend()
        heard.clear()
        async with asyncio.timeout(60):
            await until_all(manager, {Phase.UP})
    woken = {event.connection: event.sibling for event in heard if isinstance(event, WokenBySibling)}
    assert woken == {"lab-6001": "lab-ami", "lab-websocket": "lab-ami"}
    first = next(event for event in heard if isinstance(event, StateChanged) and event.phase is Phase.UP)
    assert first.connection == "lab-ami"


async def test_a_host_that_is_back_is_seen_by_a_peek_and_everything_on_it_is_opened() -> None:
    patient = replace(PATIENT, peek=True, sibling_wake=False)
    async with Lab() as lab:
        settings = [replace(each, policy=patient) for each in lab.connections()]
        async with ConnectionManager(settings) as manager:
            heard: list[Event] = []
            manager.on("connection:wokenByPeek", heard.append)
            async with asyncio.timeout(60):
                await until_all(manager, {Phase.UP})
            for server in lab.servers:
                server.fault = Fault.REFUSE
            await asyncio.gather(*(manager.force_reconnection(each.name) for each in settings))
            assert set(manager.states.values()) == {Phase.WAITING}
            lab.mend()
            async with asyncio.timeout(60):
                await until_all(manager, {Phase.UP})
    assert {event.connection for event in heard} == {each.name for each in settings}
