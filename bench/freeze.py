"""How long after the return of a registrar that was frozen each of its clients is registered again.

Clients are begun apart, so that the freeze meets them in every part of a registration's life. Each of
trunkline's is alone in a manager of its own: none learns from another.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from contextlib import AsyncExitStack

from bench import baresip
from bench.registrar import USER, grants, registrar
from bench.table import Row, yes
from manager import ConnectionManager
from manager.endpoint import parse_endpoint
from manager.events import StateChanged
from manager.model import Phase
from manager.secret import Secret, SecretSource
from manager.settings import SipSettings
from tests.real.kamailio import Kamailio

FREEZE = 60.0
EXPIRES = 60
NUMBER = 10
SPACING = 6.0
PATIENCE = 120.0
AT_ONCE = 0.1
"""Seconds; a request that was on its way when the registrar came back is answered within them."""


async def freeze(server: Kamailio) -> tuple[list[float], list[float]]:
    """Return the seconds after the return of each client, ours and baresip's."""
    back = 0.0
    ours: dict[str, float] = {}

    def hear(event: StateChanged) -> None:
        if back and event.phase is Phase.UP:
            ours.setdefault(event.connection, time.time() - back)

    def theirs() -> dict[str, float]:
        found: dict[str, float] = {}
        for user, granted in grants(server):
            if user.startswith("theirs") and back and granted >= back:
                found.setdefault(user, granted - back)
        return found

    async with AsyncExitStack() as stack:
        for number in range(NUMBER):
            manager = await stack.enter_async_context(ConnectionManager([_settings(server, number)]))
            manager.on("connection:stateChanged", hear)
            stack.enter_context(baresip.running(_account(server, number)))
            await asyncio.sleep(SPACING)
        assert len({user for user, _ in grants(server)}) == 2 * NUMBER, "not all were registered"
        server.freeze()
        await asyncio.sleep(FREEZE)
        back = time.time()
        server.thaw()
        async with asyncio.timeout(PATIENCE):
            while len(ours) < NUMBER or len(theirs()) < NUMBER:
                await asyncio.sleep(0.2)
    return list(ours.values()), list(theirs().values())


def _settings(server: Kamailio, number: int) -> SipSettings:
    return SipSettings(
        name=f"ours{number}",
        endpoints=(parse_endpoint(f"sip:127.0.0.1:{server.ports.udp};transport=udp"),),
        aor=f"sip:ours{number}@127.0.0.1",
        username=USER,
        password=SecretSource(plain=Secret(server.secrets[USER])),
        expires=EXPIRES,
    )


def _account(server: Kamailio, number: int) -> str:
    login = f"auth_user={USER};auth_pass={server.secrets[USER]};regint={EXPIRES}"
    return f"<sip:theirs{number}@127.0.0.1:{server.ports.udp};transport=udp>;{login}"


def run() -> list[Row]:
    with registrar() as server:
        # Here, because it takes a minute the first time, and nothing else may wait for it.
        baresip.SYSTEM.build()
        ours, theirs = asyncio.run(freeze(server))

    def told(lags: list[float]) -> str:
        at_once = sum(lag < AT_ONCE for lag in lags)
        return (
            f"registered again after {statistics.mean(lags):.1f} s on average (last {max(lags):.1f} s), "
            f"{at_once} of {NUMBER} at once"
        )

    return [
        Row(
            f"SIP registrar back after a freeze of {FREEZE:g} s, {NUMBER} clients each alone",
            told(ours),
            f"baresip {baresip.version()}",
            told(theirs),
            "sooner",
            yes(statistics.mean(ours) < statistics.mean(theirs) and max(ours) < max(theirs)),
        )
    ]
