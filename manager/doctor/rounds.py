"""Every connection examined, a few side by side, with the login budget and the memory of a manager."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from manager.doctor.examination import Examiner
from manager.doctor.report import Diagnosis, Examination, Finding
from manager.doctor.rivals import rival_of
from manager.drivers.base import DriverFactory, Memory
from manager.engine.budget import LoginBudget
from manager.engine.clock import Clock, SystemClock
from manager.registry import driver_factory
from manager.settings import ConnectionSettings
from manager.store import Store

_AT_A_TIME = 8


async def examine_all(
    connections: Iterable[ConnectionSettings],
    store: Store,
    *,
    log_in: bool = True,
    hold: float = 0.0,
    clock: Clock | None = None,
    drivers: Mapping[str, DriverFactory] | None = None,
) -> tuple[Diagnosis, ...]:
    """Examine connections and return what was found, in their order.

    Args:
        connections: their settings.
        store: what is remembered over restarts: refused logins, and the Contacts of registrations.
        log_in: whether credentials are sent at all.
        hold: seconds for which a session is held, to see whether it stays.
        clock: where the time is read.
        drivers: factories by connection type, beside those that come with trunkline or are installed.

    Raises:
        ValueError, manager.errors.TrunklineError: nothing knows a type, or its package cannot be used.
    """
    budget = LoginBudget(clock or SystemClock(), store.section("login budget"), lambda _: None)
    budget.load()
    gate = asyncio.Semaphore(_AT_A_TIME)

    def examiner_of(settings: ConnectionSettings) -> Examiner:
        factory = (drivers or {}).get(settings.type) or driver_factory(settings.type)
        memory: Memory = store.section(f"connection {settings.name}") if log_in else {}
        return Examiner(settings, factory(settings, memory), budget, log_in=log_in, hold=hold)

    async def diagnosed(settings: ConnectionSettings, examiner: Examiner) -> Diagnosis:
        async with gate:
            examinations = await examiner.examine()
        return Diagnosis(
            name=settings.name,
            type=settings.type,
            examinations=examinations,
            findings=tuple(filter(None, (_second(settings.type, each) for each in examinations))),
        )

    examiners = [(settings, examiner_of(settings)) for settings in connections]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(diagnosed(*each)) for each in examiners]
    finally:
        store.save()
    return tuple(task.result() for task in tasks)


def _second(kind: str, examination: Examination) -> Finding | None:
    return None if examination.failure is None else rival_of(kind, examination.failure)
