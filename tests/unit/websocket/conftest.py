from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator

import pytest

from manager.drivers.websocket import session


@pytest.fixture(autouse=True)
async def _nothing_left() -> AsyncIterator[None]:
    """Fail a test that leaves a task, or a socket for the collector to warn of, behind."""
    yield
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left
    gc.collect()


@pytest.fixture(autouse=True)
def _short_goodbyes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many servers here never finish a closing handshake; do not give each of them a second."""
    monkeypatch.setattr(session, "CLOSE_TIMEOUT", 0.1)
