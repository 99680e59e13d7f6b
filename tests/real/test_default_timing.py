"""Outages at the default timing. Each takes about a minute, so each shows as much as it can."""

from __future__ import annotations

import time

import msgspec

from manager.events import StateChanged
from manager.manager import ConnectionManager
from manager.model import Phase
from tests.real.asterisk import Asterisk
from tests.real.authority import Authority
from tests.real.connections import everything, until
from tests.real.kamailio import Kamailio
from tests.real.managed import are, events


async def test_a_hung_server_is_suspect_within_36_seconds_and_given_up_within_8_more(
    asterisk: Asterisk, kamailio: Kamailio, authority: Authority
) -> None:
    connections = everything(asterisk, authority)
    connections += [
        msgspec.structs.replace(each, name=f"kamailio-{each.name}")
        for each in everything(kamailio, authority)
    ]
    async with ConnectionManager(connections) as manager:
        await until(are(manager, Phase.UP))
        frozen = time.time()
        asterisk.freeze()
        kamailio.freeze()
        await until(lambda: set(first_time(manager, Phase.WAITING)) == set(manager.states), 60)
        suspected, given_up = first_time(manager, Phase.SUSPECT), first_time(manager, Phase.WAITING)
        for name in manager.states:
            assert suspected[name] - frozen <= 25 + 10 + 1, name
            assert given_up[name] - suspected[name] <= 8, name
        asterisk.thaw()
        kamailio.thaw()
        await until(are(manager, Phase.UP), 60)


def first_time(manager: ConnectionManager, phase: Phase) -> dict[str, float]:
    """Return when each connection first came to a phase."""
    found: dict[str, float] = {}
    for event in events(manager):
        if isinstance(event, StateChanged) and event.phase is phase:
            found.setdefault(event.connection, event.time)
    return found
