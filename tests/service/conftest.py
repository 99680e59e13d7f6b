"""A service in this process on a socket of its own, and a driver that can be told to fail."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from manager.access import Access
from manager.embedded import EmbeddedClient
from manager.endpoint import parse_endpoint
from manager.service.credentials import UnixEntrance
from manager.service.methods import Methods
from manager.service.remote import RemoteClient
from manager.service.server import ControlServer
from manager.service.socketfile import SocketFile
from tests.engine.fakes import FakeServer, FakeSettings

PATIENCE = 60.0


def settings(name: str = "one") -> FakeSettings:
    return FakeSettings(name=name, endpoints=(parse_endpoint("ami://pbx1"),))


@asynccontextmanager
async def serving(client: EmbeddedClient, address: Path) -> AsyncIterator[ControlServer]:
    with SocketFile(address) as socket:
        entrance = UnixEntrance(socket.socket, Access())
        async with ControlServer([entrance], Methods(client, Path("/config.toml"), 1.0)) as server:
            yield server


@pytest.fixture(autouse=True)
async def _nothing_left() -> AsyncIterator[None]:
    """Fail a test that leaves a task behind."""
    yield
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose name is short enough for sockets."""
    path = Path(tempfile.mkdtemp(prefix="tl-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def address(folder: Path) -> Path:
    return folder / "s.sock"


@pytest.fixture
def pbx() -> FakeServer:
    return FakeServer()


@pytest.fixture
def manager(pbx: FakeServer) -> Iterator[EmbeddedClient]:
    with EmbeddedClient([settings("one"), settings("two")], drivers={"fake": pbx.create}) as client:
        yield client


@pytest.fixture
async def server(manager: EmbeddedClient, address: Path) -> AsyncIterator[ControlServer]:
    async with serving(manager, address) as server:
        yield server


@pytest.fixture
def remote(server: ControlServer, address: Path) -> RemoteClient:
    del server
    return RemoteClient(address)
