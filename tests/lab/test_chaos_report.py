"""The table of the chaos matrix: a run that left a cell of it empty fails."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.lab.chaos import report
from tests.lab.chaos.sites import KINDS
from tests.lab.chaos.troubles import PHASES, TROUBLES


def finished(cells: dict[str, str]) -> int:
    """Return the exit code of a run that tried one trouble and found these cells, and nothing else wrong."""
    found = {"trouble": TROUBLES[0].name, "cells": cells, "reasons": {}}
    tried = SimpleNamespace(user_properties=[("chaos", found)])
    reporter = SimpleNamespace(getreports=lambda outcome: [tried] if outcome == "passed" else [])
    plugins = SimpleNamespace(get_plugin=lambda _: reporter)
    session = SimpleNamespace(config=SimpleNamespace(pluginmanager=plugins), exitstatus=pytest.ExitCode.OK)
    report.pytest_sessionfinish(session)
    return session.exitstatus


def test_a_run_with_a_cell_that_was_left_empty_fails():
    cells = {f"{kind} {phase}": "0.1 0.2" for kind in KINDS for phase in PHASES}
    assert finished(cells) == pytest.ExitCode.OK
    cells.pop(f"{KINDS[-1]} {PHASES[-1]}")
    assert finished(cells) == pytest.ExitCode.TESTS_FAILED
