"""The log of a service, in a file."""

from __future__ import annotations

import logging
import stat

import pytest

from manager.service import logs


@pytest.fixture
def own_handlers():
    """Take back what a test adds to the root of all loggers."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    for handler in root.handlers[:]:
        if handler not in before:
            root.removeHandler(handler)
            handler.close()
    root.setLevel(level)


def test_the_file_and_those_that_follow_it_are_its_users_alone(tmp_path, monkeypatch, own_handlers):
    monkeypatch.setattr(logs, "MAX_BYTES", 200)
    logs.write_logs(tmp_path / "log", as_json=False)
    for number in range(20):
        logging.getLogger("trunkline").warning("línea %d", number)
    files = list(tmp_path.iterdir())
    assert len(files) == 1 + logs.KEPT
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert "línea 19" in (tmp_path / "log").read_text(encoding="utf-8")
