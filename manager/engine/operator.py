"""What an operator asks of a connection, carried out and measured in plain words."""

from __future__ import annotations

import asyncio

from manager.engine.clock import Clock
from manager.engine.deadline import CLOSE_TIMEOUT
from manager.engine.supervisor import Supervisor
from manager.engine.vigil import Examination
from manager.model import Failure, Phase, Result, Status


async def reconnect(supervisor: Supervisor, clock: Clock, *, override: bool) -> Result:
    """Reconnect one connection and return what was measured, or why it was not tried."""
    before = supervisor.status
    name = before.name
    if not before.phase.counts:
        return Result(connection=name, ok=False, text=f"{before.phase}; resume it first", status=before)
    withheld = 0.0 if override else supervisor.withheld_for()
    if withheld and before.phase is not Phase.CONNECTING:
        return Result(
            connection=name,
            ok=False,
            text=f"not tried: {supervisor.host} refused too many logins lately; override to try all the same",
            next_login=clock.wall() + withheld,
            status=before,
        )
    started = clock.monotonic()
    try:
        async with asyncio.timeout(supervisor.settings.policy.connect_timeout + CLOSE_TIMEOUT + 1.0):
            await supervisor.reopen(override=override)
    except TimeoutError:
        pass
    seconds = clock.monotonic() - started
    after = supervisor.status
    text = _reopened(before, after, seconds)
    return Result(connection=name, ok=after.phase.connected, text=text, seconds=seconds, status=after)


async def refresh(supervisor: Supervisor) -> Result:
    """Run heartbeat and check of one connection and return what they found."""
    vigil = supervisor.vigil
    found = None if vigil is None else await vigil.examine()
    if found is None:
        status = supervisor.status
        why = f": {status.failure.reason}" if status.failure else ""
        return Result(connection=status.name, ok=False, text=f"{status.phase}{why}", status=status)
    latency = None if isinstance(found.heartbeat, Failure) else found.heartbeat
    ok = latency is not None and not isinstance(found.check, Failure)
    status = supervisor.status
    return Result(connection=status.name, ok=ok, text=_found(found), seconds=latency, status=status)


def _reopened(before: Status, after: Status, seconds: float) -> str:
    took = f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
    if after.phase.connected:
        return f"closed and up again after {took}" if before.phase.connected else f"up after {took}"
    if after.phase is Phase.CONNECTING:
        return f"still connecting after {took}"
    if not after.phase.counts:
        return f"{after.phase} meanwhile"
    return after.failure.reason if after.failure else f"{after.phase}"


def _found(found: Examination) -> str:
    heartbeat = (
        found.heartbeat.reason if isinstance(found.heartbeat, Failure) else f"{found.heartbeat * 1000:.0f} ms"
    )
    check = found.check.reason if isinstance(found.check, Failure) else found.check
    return f"{heartbeat} · {check}" if check else heartbeat
