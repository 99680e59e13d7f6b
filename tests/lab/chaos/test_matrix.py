"""Every trouble, on every type of connection, in every phase of its life."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

import pytest

from manager.drivers.sip.session import refresh_delay
from tests.lab.chaos.cell import LONG, Cell, Outcome
from tests.lab.chaos.sites import KINDS, Kind, Names, Site
from tests.lab.chaos.table import NOT_HERE
from tests.lab.chaos.troubles import PHASES, TROUBLES, Trouble
from tests.pki import Pki

_PUNCTUAL = 0.05
"""Seconds by which the loop may be late for the next cell to begin, and the least between two of them."""


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("stranger"))


@pytest.fixture(autouse=True)
def _long_ones_are_refreshed_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    def soon(expires: float, chance: float) -> float:
        return 3.0 if expires > LONG / 2 else refresh_delay(expires, chance)

    monkeypatch.setattr("manager.drivers.sip.session.refresh_delay", soon)


@pytest.mark.waits
@pytest.mark.timeout(600)
@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name)
async def test_it_is_noticed_and_recovered_from_in_every_phase(
    trouble: Trouble, pki: Pki, stranger: Pki, record_property: Callable[[str, object], None]
) -> None:
    names = Names(asyncio.get_running_loop())
    turn = asyncio.Lock()
    cells: dict[str, str] = {}
    reasons: dict[str, str] = {}
    failures: dict[str, BaseException] = {}

    async def fill(kind: Kind, phase: str) -> None:
        place = f"{kind} {phase}"
        reason = trouble.reason_against(kind, phase)
        if reason:
            cells[place], reasons[place] = NOT_HERE, reason
            return
        async with turn:
            await _is_punctual()
        name = f"{phase}-{kind}.lab".replace("/", "-")
        site = Site.of(kind, name, names, pki, stranger)
        try:
            cells[place] = _shown(await Cell(trouble, kind, phase, site).run())
        except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - told below, with the name of its cell
            failures[place] = error

    before = _open_files()
    await asyncio.gather(*(fill(kind, phase) for phase in reversed(PHASES) for kind in KINDS))
    record_property("chaos", {"trouble": trouble.name, "cells": cells, "reasons": reasons})
    assert len(cells) + len(failures) == len(KINDS) * len(PHASES)
    assert not failures, "\n".join(f"{place}: {error!r}" for place, error in failures.items())
    async with asyncio.timeout(60):
        while _open_files() > before:
            await asyncio.sleep(0.02)


async def _is_punctual() -> None:
    """Return once the loop keeps time: as many cells run side by side as the machine bears just then."""
    loop = asyncio.get_running_loop()
    late = True
    while late:
        due = loop.time() + _PUNCTUAL
        await asyncio.sleep(_PUNCTUAL)
        late = loop.time() > due + _PUNCTUAL


def _shown(outcome: Outcome) -> str:
    if outcome.noticed is None:
        return "kept"
    return f"{outcome.noticed:.1f} {outcome.recovered:.1f}"


def _open_files() -> int:
    return len(os.listdir("/dev/fd"))  # noqa: PTH208 - the names are all that is needed
