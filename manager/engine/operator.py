"""What an operator asks of a connection, carried out and measured in plain words."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from manager.engine.clock import Clock
from manager.engine.deadline import CLOSE_TIMEOUT
from manager.engine.mutes import Mutes
from manager.engine.supervisor import Supervisor
from manager.engine.vigil import Examination
from manager.model import Failure, Outcome, Phase, Result, Status


async def reconnect(supervisor: Supervisor, clock: Clock, *, override: bool) -> Result:
    """Reconnect one connection and return what was measured, or why it was not tried."""
    before = supervisor.status
    name = before.name
    if not before.phase.counts:
        return Result(connection=name, ok=False, text=f"{before.phase}; resume it first", status=before)
    if not override and before.phase is not Phase.CONNECTING:
        withheld = _withheld(supervisor, clock, "override to try all the same")
        if withheld is not None:
            return withheld
    return await _measured(supervisor, clock, supervisor.reopen(override=override))


async def skip(supervisor: Supervisor, clock: Clock) -> Result:
    """End the wait of one connection now and return what came of its attempt, or why it was not ended."""
    before = supervisor.status
    if before.phase not in (Phase.WAITING, Phase.PARKED, Phase.BLOCKED):
        text = f"{before.phase}: there is no countdown to skip"
        return Result(connection=before.name, ok=False, text=text, status=before)
    withheld = _withheld(supervisor, clock, "the countdown goes on")
    if withheld is not None:
        return withheld
    if before.phase is Phase.BLOCKED:
        text = "blocked: trying again changes nothing before it is mended; reconnect tries all the same"
        return Result(connection=before.name, ok=False, text=text, status=before)
    return await _measured(supervisor, clock, supervisor.skip())


def acknowledge(supervisor: Supervisor, *, withdraw: bool) -> Result:
    """Note that an operator knows of the trouble of one connection, or takes that back."""
    status = supervisor.status
    known = status.acknowledged is not None
    if withdraw:
        ok, text = known, "no longer acknowledged" if known else "it was not acknowledged"
        if known:
            supervisor.withdraw_acknowledgement()
    elif known:
        ok, text = True, "acknowledged already"
    else:
        ok = supervisor.acknowledge()
        text = "acknowledged" if ok else f"{status.phase}: there is no trouble to acknowledge"
    return Result(connection=status.name, ok=ok, text=text, status=supervisor.status)


def mute(mutes: Mutes, group: str, seconds: float, members: Sequence[Status]) -> Outcome:
    """Mute a group, or end that for 0 seconds; return a result for each of its members."""
    if seconds:
        mutes.mute(group, seconds)
        ok, text = True, f"{group} is muted"
    else:
        ok = mutes.unmute(group)
        text = f"{group} is no longer muted" if ok else f"{group} was not muted"
    return tuple(Result(connection=each.name, ok=ok, text=text, status=each) for each in members)


def _withheld(supervisor: Supervisor, clock: Clock, instead: str) -> Result | None:
    """Return the refusal of a login that the budget holds back; None where it does not."""
    seconds = supervisor.withheld_for()
    if not seconds:
        return None
    supervisor.tell_withheld()
    return Result(
        connection=supervisor.status.name,
        ok=False,
        text=f"not tried: {supervisor.host} refused too many logins lately; {instead}",
        next_login=clock.wall() + seconds,
        status=supervisor.status,
    )


async def _measured(supervisor: Supervisor, clock: Clock, attempt: Coroutine[Any, Any, None]) -> Result:
    """Return what came of an attempt, and after how long."""
    before, started = supervisor.status, clock.monotonic()
    try:
        async with asyncio.timeout(supervisor.settings.policy.connect_timeout + CLOSE_TIMEOUT + 1.0):
            await attempt
    except TimeoutError:
        pass
    seconds = clock.monotonic() - started
    after = supervisor.status
    text = _reopened(before, after, seconds)
    return Result(connection=after.name, ok=after.phase.connected, text=text, seconds=seconds, status=after)


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
