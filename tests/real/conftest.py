"""Real servers: made once, started anew for each test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from tests.real.asterisk import SYSTEM as ASTERISK
from tests.real.asterisk import Asterisk
from tests.real.authority import Authority
from tests.real.cable import Cable
from tests.real.debian import NotHereError, prepare_machine
from tests.real.kamailio import SYSTEM as KAMAILIO
from tests.real.kamailio import Kamailio
from tests.real.program import SETTINGS
from tests.real.server import Server
from tests.real.ssh import SshServer
from tests.real.unread import UnreadDashboard

AnyServer = TypeVar("AnyServer", bound=Server)

_HERE = Path(__file__).parent
_LONGEST = 300
"""Seconds that a test may take: the first one builds the systems, and some wait out a real outage."""

_versions: set[str] = set()
"""What was run."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.real)
            item.add_marker(pytest.mark.timeout(_LONGEST))
    # What waits for minutes waits while the others run, and is looked at last.
    items.sort(key=_waits_for_minutes)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    for report in reports:
        for name, value in report.user_properties:
            if name == "figure":
                terminalreporter.write_line(f"{value} ({report.nodeid.rpartition('::')[2]})")
    for version in sorted(_versions):
        terminalreporter.write_line(f"against {version}")


def _waits_for_minutes(item: pytest.Item) -> bool:
    return item.path == _HERE / "test_unread.py"


@pytest.fixture(scope="session", autouse=True)
def unread(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[UnreadDashboard | None]:
    """A dashboard that is left alone from the first test on, where one is about it."""
    if not any(map(_waits_for_minutes, request.session.items)):
        yield None
        return
    with UnreadDashboard(tmp_path_factory.mktemp("unread")) as dashboard:
        yield dashboard


@pytest.fixture(scope="session")
def machine() -> None:
    """This machine, with what it takes to run the servers; skips, or fails where CI has to run them."""
    with _where_it_can_be_had():
        prepare_machine()


@pytest.fixture(scope="session")
def authority(machine: None, tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def stranger(machine: None, tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that signed nothing of ours."""
    return Authority(tmp_path_factory.mktemp("stranger"))


@pytest.fixture
def asterisk(authority: Authority) -> Iterator[Asterisk]:
    ASTERISK.build()
    yield from _running(Asterisk(authority))


@pytest.fixture
def cable(machine: None) -> Iterator[Cable]:
    with _where_it_can_be_had():
        cable = Cable()
    try:
        yield cable
    finally:
        cable.remove()


@pytest.fixture
def distant(authority: Authority, cable: Cable) -> Iterator[Asterisk]:
    """An Asterisk at the far end of the cable."""
    ASTERISK.build()
    yield from _running(Asterisk(authority, cable))


@pytest.fixture
def kamailio(authority: Authority) -> Iterator[Kamailio]:
    KAMAILIO.build()
    yield from _running(Kamailio(authority))


@pytest.fixture(params=["asterisk", "kamailio"])
def registrar(request: pytest.FixtureRequest) -> Asterisk | Kamailio:
    """Each of the two in turn."""
    server: Asterisk | Kamailio = request.getfixturevalue(request.param)
    return server


@pytest.fixture
def settings(asterisk: Asterisk, tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(SETTINGS.format(ports=asterisk.ports))
    path.chmod(0o600)
    return path


@pytest.fixture
def ssh(machine: None, tmp_path: Path) -> Iterator[SshServer]:
    folder = tmp_path / "ssh"
    folder.mkdir()
    with SshServer(folder) as server:
        yield server


@contextmanager
def _where_it_can_be_had() -> Iterator[None]:
    try:
        yield
    except NotHereError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{error} (CI has to run these)")
        pytest.skip(str(error))


def _running(server: AnyServer) -> Iterator[AnyServer]:
    _versions.add(f"{server.version()} from Debian {server.system.suite}")
    try:
        server.start()
        yield server
    finally:
        server.remove()
