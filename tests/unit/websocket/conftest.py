from __future__ import annotations

import asyncio
import gc
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

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


class Pki:
    """A certificate of the lab, and its key."""

    def __init__(self, folder: Path) -> None:
        self.cert, self.key = folder / "cert.pem", folder / "key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-keyout", self.key, "-out", self.cert, "-subj", "/CN=lab", "-days", "2",
             "-addext", "subjectAltName=IP:127.0.0.1,DNS:pbx.example"],
            check=True,
            capture_output=True,
        )  # fmt: skip

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        return context


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))
