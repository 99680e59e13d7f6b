"""What every test must hold to."""

from __future__ import annotations

import gc
import itertools
import logging
import re
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from manager.drivers.tap import Tap
from tests.pki import Pki

# How long an example takes says something about the machine, nothing about the code.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

pytest_plugins = ["tests.lab.chaos.report"]

CANARIES = re.compile(r"canary|c4n4ry", re.IGNORECASE)
"""How the secrets of the tests are called. None may reach a log or an output, whatever a test provokes."""


WORKERS = 8
"""Of `make test`; each begins with a part of its own of all tests, in their order."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--over-socket", action="store_true", help="run every test of the screen through the control socket"
    )


def pytest_configure() -> None:
    """Heed signals as in the foreground: what a shell starts with `&` ignores SIGINT, nohup's SIGHUP."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Deal the tests that mostly wait among the others, between modules: last, they would idle alone."""
    found = [item for item in items if item.get_closest_marker("waits")]
    waiting = [item for start in range(WORKERS) for item in found[start::WORKERS]]
    others = [item for item in items if not item.get_closest_marker("waits")]
    dealt: list[pytest.Item] = []
    placed = 0
    for _, module in itertools.groupby(others, lambda item: item.path):
        while placed < len(waiting) and placed * len(others) <= (len(dealt) - placed) * len(waiting):
            dealt.append(waiting[placed])
            placed += 1
        dealt += module
    items[:] = dealt + waiting[placed:]


def pytest_collection_finish() -> None:
    """Leave what stays to the end out of every collection: where a test asks for one, it cost 0.1 s."""
    gc.collect()
    gc.freeze()


class _Ear(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter())
        self.leaks: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        if CANARIES.search(text):
            self.leaks.append(f"{record.name}: {text}")


@pytest.fixture(autouse=True)
def _no_secret_in_any_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Listen to every logger at DEBUG, tracebacks included."""
    ear, root = _Ear(), logging.getLogger()
    root.addHandler(ear)
    with caplog.at_level(logging.DEBUG):
        yield
    root.removeHandler(ear)
    assert not ear.leaks


@pytest.fixture(autouse=True)
def _no_secret_in_any_record(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Look at every message that a driver hands on to be recorded."""
    leaks: list[bytes] = []
    masked = Tap._masked

    def watched(*arguments) -> bytes:
        raw = masked(*arguments)
        if CANARIES.search(raw.decode("latin-1")):
            leaks.append(raw)
        return raw

    monkeypatch.setattr(Tap, "_masked", watched)
    yield
    assert not leaks


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Fail a test that passed but let a secret out to stdout or stderr."""
    del item, call
    report = yield
    if report.passed and any(CANARIES.search(text) for text in (report.capstdout, report.capstderr)):
        report.outcome = "failed"
        report.longrepr = "a secret reached stdout or stderr"
    return report


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))
