"""What an operator does about an outage, over real sockets: skip, acknowledge, mute, and the report of it."""

from __future__ import annotations

import asyncio
import time

from msgspec.structs import replace

from manager.client import Acknowledge, Mute, Reconnect, Refresh, Skip
from manager.embedded import EmbeddedClient
from manager.lab.faults import Fault
from manager.lab.lab import Lab
from manager.model import Phase, Position, Status
from manager.settings import ConnectionSettings, Policy
from tui import incident
from tui.outages import Outages

PATIENT = Policy(base_delay=600.0, max_delay=600.0, stable_after=0.0, peek=False, sibling_wake=False)
"""By itself, a connection that is lost would wait for ten minutes."""


def patient(lab: Lab) -> list[ConnectionSettings]:
    return [replace(settings, policy=PATIENT) for settings in lab.connections()]


class Face:
    """Follows a manager as a dashboard does."""

    def __init__(self, client: EmbeddedClient) -> None:
        self.client = client
        self.outages = Outages()

    async def follow(self) -> None:
        async for event in self.client.events(Position((await self.client.snapshot()).position.epoch, 0)):
            self.outages.told(event)  # type: ignore[arg-type]  # the ring holds all of so short a story

    async def statuses(self) -> dict[str, Status]:
        return {status.name: status for status in (await self.client.snapshot()).statuses}

    async def until(self, *phases: Phase, stable: bool = False) -> dict[str, Status]:
        async with asyncio.timeout(60):
            while True:
                statuses = await self.statuses()
                if all(each.phase in phases and each.stable >= stable for each in statuses.values()):
                    return statuses
                await asyncio.sleep(0.02)


async def test_an_outage_is_acknowledged_muted_skipped_and_told_in_a_report() -> None:
    async with Lab() as lab:
        with EmbeddedClient(patient(lab)) as client:
            face = Face(client)
            following = asyncio.create_task(face.follow())
            await face.until(Phase.UP)
            await client.command(Refresh())
            names = list(await face.until(Phase.UP, stable=True))
            (group,) = {status.group for status in (await face.statuses()).values()}
            for server in lab.servers:
                server.fault = Fault.REFUSE
            for name in names:
                await client.command(Reconnect(name=name))
            waiting = await face.until(Phase.WAITING)
            assert {status.attempt for status in waiting.values()} == {2}

            for name in names:
                (result,) = await client.command(Acknowledge(name=name))
                assert result.ok
            assert len(await client.command(Mute(group=group, seconds=600.0))) == len(names)
            for name in names:
                (result,) = await client.command(Skip(name=name))
                assert (result.ok, result.status.attempt) == (False, 3)
                assert result.status.acknowledged is not None

            lab.mend()
            for name in names:
                (result,) = await client.command(Skip(name=name))
                assert result.ok, result.text
                assert result.seconds is not None
                assert result.seconds < 60
            await client.command(Refresh())
            back = await face.until(Phase.UP, stable=True)
            assert {status.acknowledged for status in back.values()} == {None}
            assert [mute.group for mute in (await client.snapshot()).mutes] == [group]

            async with asyncio.timeout(60):
                while any(not outage.over for outage in face.outages):
                    await asyncio.sleep(0.02)
            face.outages.settle(back, time.time())
            (outage,) = face.outages
            text = incident.report(
                outage,
                whole=len(names),
                deeds=face.outages.deeds,
                budgets=face.outages.budgets,
                now=time.time(),
                mask=str,
            )
            following.cancel()
            await asyncio.wait([following])
    assert not outage.partial
    assert {loss.how for loss in outage.losses.values()} == {"back"}
    assert f"# Outage of {group}" in text
    for name in names:
        assert f"acknowledged: {name}" in text
        assert f"skip asked for: {name}, 2 times" in text
    assert f"muted: {group}" in text
    assert "up again with attempt 3" in text
    assert f"Lost: {len(names)} of {len(names)} connections." in text
