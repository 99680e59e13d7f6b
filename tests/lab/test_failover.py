"""Failover to a spare over real sockets: the server that takes over sees no new connection."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from manager.events import Event, FailedOver, StateChanged
from manager.lab.faults import Fault
from manager.lab.lab import Host, Lab
from manager.lab.server import LabServer
from manager.manager import ConnectionManager
from manager.model import Phase, Status
from manager.settings import ConnectionSettings, Policy

pytestmark = pytest.mark.waits

POLICY = Policy(stable_after=0.0, heartbeat_interval=2.0, heartbeat_timeout=1.9, suspect_timeout=1.9)
"""A machine that stands still for a second must not end the session that takes over."""
HOSTS = tuple(
    Host(f"pbx{number}", sip=(f"{number}-6001",), websocket=(f"{number}-ws",), ami=(f"{number}-ami",))
    for number in (1, 2)
)


def pooled(lab: Lab, kind: str) -> ConnectionSettings:
    """Make one connection to both hosts of the two connections to one host each."""
    first, second = (settings for settings in lab.connections() if settings.type == kind)
    settings = replace(
        first, name="one", endpoints=first.endpoints + second.endpoints, spare=True, policy=POLICY
    )
    if kind == "websocket":
        settings = replace(settings, on_connect=('{"subscribe": "calls"}',))
    return settings


def alike(lab: Lab) -> None:
    """Have the second host know the secrets of the first."""
    lab.ami["pbx2"].password = lab.ami["pbx1"].password
    lab.websocket["pbx2"].query = lab.websocket["pbx1"].query
    lab.sip["pbx2"].registrar.accounts = lab.sip["pbx1"].registrar.accounts
    lab.sip["pbx2"].registrar.realm = lab.sip["pbx1"].registrar.realm


def status(manager: ConnectionManager) -> Status:
    return manager.get_connection_status()["one"]


async def until_warm(manager: ConnectionManager) -> None:
    async with asyncio.timeout(60):
        while status(manager).phase is not Phase.UP:
            await asyncio.sleep(0.01)
        await manager.refresh_status("one")
        while (spare := status(manager).spare) is None or spare.phase is not Phase.UP:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)


def servers_of(lab: Lab, kind: str) -> Sequence[LabServer]:
    return tuple({"ami": lab.ami, "websocket": lab.websocket, "sip": lab.sip}[kind].values())


@pytest.mark.parametrize("kind", ["ami", "websocket", "sip"])
async def test_a_server_that_is_killed_is_replaced_without_a_connect(kind: str) -> None:
    async with Lab(HOSTS) as lab:
        alike(lab)
        async with ConnectionManager([pooled(lab, kind)]) as manager:
            heard: list[Event] = []
            for name in ("stateChanged", "failedOver"):
                manager.on(f"connection:{name}", heard.append)
            await until_warm(manager)
            first, second = servers_of(lab, kind)
            connects, logins = second.connects, second.logins
            heard.clear()
            first.fault = Fault.REFUSE
            async with asyncio.timeout(60):
                while not any(isinstance(event, FailedOver) for event in heard):
                    await asyncio.sleep(0.005)
            assert status(manager).phase is Phase.UP
            assert status(manager).endpoint == pooled(lab, kind).endpoints[1].label
            await asyncio.sleep(0.1)
            assert (second.connects, second.logins) == (connects, logins)
            assert {event.phase for event in heard if isinstance(event, StateChanged)} <= {
                Phase.UP,
                Phase.SUSPECT,
            }


async def test_ami_takes_over_with_one_action_and_events_come_from_then_on() -> None:
    async with Lab(HOSTS) as lab:
        alike(lab)
        patient = replace(POLICY, heartbeat_interval=25.0, heartbeat_timeout=10.0)
        settings = replace(pooled(lab, "ami"), policy=patient)
        async with ConnectionManager([settings]) as manager, asyncio.timeout(60):
            await until_warm(manager)
            second = lab.ami["pbx2"]
            messages = manager.messages("one")
            assert second.emit({"Event": "Newchannel"}) == 0
            second.actions.clear()
            lab.ami["pbx1"].fault = Fault.REFUSE
            while status(manager).endpoint != settings.endpoints[1].label:
                await asyncio.sleep(0.005)
            while not second.emit({"Event": "Newchannel"}):
                await asyncio.sleep(0.005)
            async for message in messages:
                if message["Event"] == "Newchannel":
                    break
            assert list(second.actions) == ["Events"]


async def test_a_websocket_subscribes_when_it_takes_over_and_not_before() -> None:
    async with Lab(HOSTS) as lab:
        alike(lab)
        settings = replace(pooled(lab, "websocket"), check_message=None, check_reply=None)
        async with ConnectionManager([settings]) as manager:
            await until_warm(manager)
            second = lab.websocket["pbx2"]
            assert (lab.websocket["pbx1"].received, second.received) == (1, 0)
            lab.websocket["pbx1"].fault = Fault.REFUSE
            async with asyncio.timeout(60):
                while not second.received:
                    await asyncio.sleep(0.005)
            await asyncio.sleep(0.1)
            assert second.received == 1


async def test_a_stop_in_the_midst_of_a_failover_leaves_nothing() -> None:
    async with Lab(HOSTS) as lab:
        alike(lab)
        for delay in (0.0, 0.001, 0.005, 0.02):
            async with ConnectionManager([pooled(lab, "ami")]) as manager:
                await until_warm(manager)
                lab.ami["pbx1"].drop()
                await asyncio.sleep(delay)
            async with asyncio.timeout(60):
                while any(server.sessions for server in lab.servers):
                    await asyncio.sleep(0.01)
