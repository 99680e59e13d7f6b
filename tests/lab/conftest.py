from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.lab.chaos.table import EMPTY, lines_of


@pytest.fixture(autouse=True)
async def _nothing_left() -> AsyncIterator[None]:
    """Fail a test that leaves a task behind."""
    yield
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left


def _table(reporter: pytest.TerminalReporter) -> list[str]:
    """Return the table of the chaos matrix, of every worker; empty where it was not run."""
    reports = [report for outcome in ("passed", "failed") for report in reporter.getreports(outcome)]
    found = [value for report in reports for name, value in report.user_properties if name == "chaos"]
    return list(lines_of(found)) if found else []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = _table(terminalreporter)
    if lines:
        terminalreporter.section("chaos: seconds to the first sign, and from its end until up again")
        terminalreporter.write("\n".join([*lines, ""]))


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and any(EMPTY in line for line in _table(reporter)):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
