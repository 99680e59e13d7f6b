"""Prints what the matrix found after all tests, and fails a run that left a cell of it empty.

A plugin, and no part of a conftest beside the matrix: where workers collect, nobody else reads that.
"""

from __future__ import annotations

import pytest

from tests.lab.chaos.table import EMPTY, lines_of


def _table(reporter: pytest.TerminalReporter) -> list[str]:
    """Return the table, of every worker; empty where the matrix was not run."""
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
