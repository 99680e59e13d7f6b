"""Servers that are killed and started again while many wait for them."""

from __future__ import annotations

import asyncio
import bisect
import random
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import cycle

import msgspec
import pytest

from manager.events import StateChanged
from manager.manager import ConnectionManager
from manager.model import Phase, Stage
from manager.settings import ConnectionSettings, Policy
from tests.real.asterisk import Asterisk
from tests.real.asterisk_files import CROWD
from tests.real.authority import Authority
from tests.real.connections import SHORT, ami, ari, everything, named, sip, under, until
from tests.real.kamailio import Kamailio
from tests.real.managed import DOWN, are, are_stable, changes, first_time, miscounted, refused

LIVES = 12
"""How often a server is started anew in the loop."""
BANNED = ("No matching endpoint found", "Failed to authenticate", "InvalidAccountID", "InvalidPassword")
"""Words of the log that stock fail2ban counts."""

AUTHLIMIT = 50
"""Sessions that Asterisk holds before their login, unless it is told otherwise."""


async def test_servers_restarted_in_a_loop_have_one_session_of_each_connection_and_no_refusal(
    asterisk: Asterisk, kamailio: Kamailio, authority: Authority, record_property
) -> None:
    policy = msgspec.structs.replace(SHORT, max_attempts=1000, jitter=0.2)
    connections = [*everything(asterisk, authority), *named("kamailio", everything(kamailio, authority))]
    async with ConnectionManager(under(policy, *connections)) as manager:
        await until(are_stable(manager))
        async with asyncio.TaskGroup() as restarts:
            for seed, server in enumerate((asterisk, kamailio)):
                restarts.create_task(restart_in_a_loop(server, random.Random(seed)))
        await until(are_stable(manager), 30)
        # Over UDP a restart between two heartbeats is only seen by the check, which misses the binding.
        for server in (asterisk, kamailio):
            await until(lambda server=server: set(sessions_of(server)) == {1})
        await until(are_stable(manager))
        assert miscounted(manager) == []
        assert refused(manager) == []
        assert not manager.snapshot().budgets
        attempts = [event for event in changes(manager) if event.phase is Phase.CONNECTING]
        told = f"{len(attempts)} attempts of {len(connections)} connections, all up again"
        record_property("figure", f"2 servers restarted {LIVES} times: {told}")
    for server in (asterisk, kamailio):
        assert set(sessions_of(server)) == {0}
        assert [word for word in BANNED if word in server.log] == []


@pytest.mark.parametrize("kinds", [("ami",), ("ami", "sip", "ari")], ids=["AMI alone", "AMI, SIP and ARI"])
async def test_sixty_connections_log_in_once_each_and_at_most_ten_in_a_tenth_of_a_second(
    asterisk: Asterisk, kinds: tuple[str, ...], record_property
) -> None:
    crowd = sixty(asterisk, kinds)
    async with ConnectionManager(under(Policy(), *crowd)) as manager:
        await until(are(manager, Phase.UP), 20)
        # A machine that stalls for a moment bunches what was spaced: the best of three outages counts.
        outages: list[tuple[int, float]] = []
        while len(outages) < 3 and min(outages, default=(60, 0.0))[0] > 10:
            killed = time.time()
            asterisk.kill()
            await until(are(manager, *DOWN))
            await until(lambda: time.time() - killed >= 3)  # noqa: B023 - it is over before the next
            asterisk.launch()
            await until(are(manager, Phase.UP), 30)
            logins = asterisk.logins(killed)
            assert Counter(kind for _, kind in logins) == Counter(each.type for each in crowd)
            last = max(first_time(manager, Phase.UP, killed).values())
            outages.append((most_within(0.1, [at for at, _ in logins]), last - asterisk.ready_at()))
        peak, took = min(outages)
        told = f"{peak} logins in 100 ms at most, the last up {took:.1f} s after Asterisk is ready"
        record_property("figure", f"60 connections: {told}")
        assert peak <= 10
        assert [each.status.failure for each in changes(manager) if turned_away(each)] == []
        assert refused(manager) == []


def test_asterisk_closes_sessions_beyond_its_limit_without_a_word(asterisk: Asterisk) -> None:
    # What the sixty would meet if they came at once.
    opened = [socket.create_connection((asterisk.host, asterisk.ports.ami), 5) for _ in range(60)]
    greetings = [each.recv(100) for each in opened]
    for each in opened:
        each.close()
    assert Counter(bool(greeting) for greeting in greetings) == {True: AUTHLIMIT, False: 60 - AUTHLIMIT}


def turned_away(change: StateChanged) -> bool:
    """Whether an AMI connection was taken and closed before its login had come to an end."""
    failure = change.status.failure
    waits = change.type == "ami" and change.phase is Phase.WAITING
    return waits and failure is not None and failure.stage in (Stage.HANDSHAKE, Stage.LOGIN)


async def restart_in_a_loop(server: Asterisk | Kamailio, chance: random.Random) -> None:
    """Kill and start a server; fail when it is seen to have two sessions of one connection."""
    looks = 0
    for _ in range(LIVES):
        # Some lives end before the server is whole, some before anybody is back, some when all is quiet.
        await asyncio.sleep(chance.uniform(0.1, 2.0))
        sessions = await asyncio.to_thread(sessions_of, server)
        assert max(sessions, default=0) <= 1
        looks += any(sessions)
        server.kill()
        await asyncio.sleep(chance.uniform(0.0, 0.6))
        server.launch()
    assert looks > LIVES // 3


def sessions_of(server: Asterisk | Kamailio) -> list[int]:
    """Return how many sessions a server has of each connection that it tells apart; none while it starts."""
    try:
        found = [len(server.contacts(f"600{number}")) for number in range(1, 6)]
        if isinstance(server, Asterisk):
            found += [server.ami_sessions(user) for user in ("monitor", "limited")]
    except RuntimeError:
        return []
    return found


def sixty(server: Asterisk, kinds: Sequence[str]) -> list[ConnectionSettings]:
    transports = cycle(("udp", "tcp", "ws"))
    makers: dict[str, Callable[[int], ConnectionSettings]] = {
        "ami": lambda _: ami(server),
        "ari": lambda number: ari(server, app=f"app-{number}"),
        "sip": lambda number: sip(server, CROWD[number // len(kinds)], next(transports)),
    }
    made = [makers[kind](number) for number, kind in zip(range(60), cycle(kinds), strict=False)]
    return [msgspec.structs.replace(each, name=f"{each.name}-{number}") for number, each in enumerate(made)]


def most_within(window: float, times: list[float]) -> int:
    """Return the most of these sorted times that lie within any `window`."""
    return max(bisect.bisect_left(times, at + window) - index for index, at in enumerate(times))
