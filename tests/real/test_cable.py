"""A pulled cable: packets vanish on the way, and nobody is told."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
import pytest

from manager.manager import ConnectionManager
from manager.model import Phase, Stage, Status
from tests.real.asterisk import Asterisk
from tests.real.authority import Authority
from tests.real.cable import Cable
from tests.real.connections import SHORT, everything, under, until
from tests.real.managed import DOWN, are, are_stable, changes, first_time

DROPPED = "packets are dropped on the way"
BOTH = {"towards_server": True, "towards_clients": True}
ONE_WAY = [{**BOTH, "towards_clients": False}, {**BOTH, "towards_server": False}]


@pytest.mark.parametrize("lost", [BOTH, *ONE_WAY], ids=["both ways", "towards server", "towards clients"])
async def test_every_connection_names_the_loss_and_is_back_once_packets_arrive(
    distant: Asterisk, cable: Cable, authority: Authority, lost: dict[str, bool], record_property
) -> None:
    async with ConnectionManager(under(SHORT, *everything(distant, authority))) as manager:
        await until(are_stable(manager))
        pulled = time.time()
        cable.pull(**lost)
        await until(all_failed(manager, Stage.CONNECT), 20)
        assert set(first_time(manager, Phase.SUSPECT, pulled)) == set(manager.states)
        for status in manager.get_connection_status().values():
            assert status.failure is not None
            assert status.failure.reason == "no answer in 3 s (connect)"
            assert DROPPED in status.failure.hint
        cable.mend()
        mended = time.time()
        await until(are_stable(manager), 20)
        back = first_time(manager, Phase.UP, mended)
        # This one may not hear that Asterisk is fully booted, and counts as usable after 2 s.
        del back["ami-limited"]
        record_property("figure", f"cable pulled: up {max(back.values()) - mended:.1f} s after it is back")
    assert [distant.contacts(f"600{number}") for number in (1, 2, 3)] == [[]] * 3


async def test_a_cable_that_is_out_for_less_than_three_heartbeats_costs_no_session(
    distant: Asterisk, cable: Cable, authority: Authority
) -> None:
    policy = msgspec.structs.replace(
        SHORT, heartbeat_interval=3.0, heartbeat_timeout=2.5, suspect_timeout=2.5, health_interval=60.0
    )
    async with ConnectionManager(under(policy, *everything(distant, authority))) as manager:
        await until(are_stable(manager))
        cable.pull()
        await until(are(manager, Phase.SUSPECT))
        cable.mend()
        await until(are_stable(manager), 20)
        await until(are(manager, Phase.UP))
        assert {status.generation for status in manager.get_connection_status().values()} == {1}


async def test_a_cable_that_is_pulled_in_a_handshake_ends_the_attempt_and_those_that_follow(
    distant: Asterisk, cable: Cable, authority: Authority
) -> None:
    async with ConnectionManager(under(SHORT, *everything(distant, authority))) as manager:
        await until(are_stable(manager))
        distant.freeze()
        await until(are(manager, *DOWN), 20)
        # A server that hangs takes connections, so that all but UDP are past the connect in a moment.
        await until(lambda: are(manager, Phase.CONNECTING)() and time.time() - latest_change(manager) > 0.5)
        cable.pull()
        distant.thaw()
        pulled = time.time()
        await until(all_failed(manager, Stage.CONNECT), 20)
        reached = first_failures(manager, pulled)
        assert reached.pop("sip-6001-udp") is Stage.CONNECT
        assert len(reached) == 8
        assert set(reached.values()) == {Stage.TLS, Stage.HANDSHAKE, Stage.LOGIN}
        assert not first_time(manager, Phase.UP, pulled)
        cable.mend()
        await until(are_stable(manager), 20)


def latest_change(manager: ConnectionManager) -> float:
    return max(status.since for status in manager.get_connection_status().values())


def first_failures(manager: ConnectionManager, since: float) -> dict[str, Stage]:
    """Return how far the attempts had come that were under way."""
    found: dict[str, Stage] = {}
    for event in changes(manager):
        if event.phase is Phase.WAITING and event.time >= since:
            assert event.status.failure is not None
            found.setdefault(event.connection, event.status.failure.stage)
    return found


def all_failed(manager: ConnectionManager, stage: Stage) -> Callable[[], bool]:
    def failed(status: Status) -> bool:
        return status.phase in DOWN and status.failure is not None and status.failure.stage is stage

    return lambda: all(failed(status) for status in manager.get_connection_status().values())
