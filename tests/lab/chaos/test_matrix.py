"""Every trouble, on every type of connection, in every phase of its life."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

import pytest

from tests.lab.chaos.cell import Cell, Outcome
from tests.lab.chaos.sites import KINDS, Kind, Names, Site
from tests.lab.chaos.table import NOT_HERE
from tests.lab.chaos.troubles import PHASES, TROUBLES, Trouble
from tests.pki import Pki

_AT_ONCE = 20
"""Cells that run side by side."""


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("stranger"))


@pytest.mark.timeout(180)
@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name)
async def test_it_is_noticed_and_recovered_from_in_every_phase(
    trouble: Trouble, pki: Pki, stranger: Pki, record_property: Callable[[str, object], None]
) -> None:
    names = Names(asyncio.get_running_loop())
    room = asyncio.Semaphore(_AT_ONCE)
    cells: dict[str, str] = {}
    reasons: dict[str, str] = {}
    failures: dict[str, BaseException] = {}

    async def fill(kind: Kind, phase: str) -> None:
        place = f"{kind} {phase}"
        reason = trouble.reason_against(kind, phase)
        if reason:
            cells[place], reasons[place] = NOT_HERE, reason
            return
        async with room:
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
    async with asyncio.timeout(10):
        while _open_files() > before:
            await asyncio.sleep(0.02)


def _shown(outcome: Outcome) -> str:
    if outcome.noticed is None:
        return "kept"
    return f"{outcome.noticed:.1f} {outcome.recovered:.1f}"


def _open_files() -> int:
    return len(os.listdir("/dev/fd"))  # noqa: PTH208 - the names are all that is needed
