"""A connection type, a policy and rows of another package, installed beside the program."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.conftest import PATIENCE
from tests.e2e.test_commands import run
from tests.installing import install, install_example

SETTINGS = """
[connections.queue]
type = "banner"
policy = "impatient"
endpoints = ["banner://127.0.0.1:{port}"]
greeting = "READY"
"""


class BannerServer:
    def __init__(self) -> None:
        self.pings = 0
        self.goodbyes = 0
        self.writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.add(writer)
        writer.write(b"READY to serve\r\n")
        while line := await reader.readline():
            self.pings += line == b"PING\r\n"
            self.goodbyes += line == b"QUIT\r\n"
            writer.write(b"PONG\r\n" if line == b"PING\r\n" else b"")
        self.writers.discard(writer)
        writer.close()

    def drop(self) -> None:
        for writer in self.writers:
            writer.transport.abort()


@pytest.fixture
async def server() -> AsyncIterator[BannerServer]:
    banner = BannerServer()
    listening = await asyncio.start_server(banner.serve, "127.0.0.1", 0)
    banner.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield banner
        banner.drop()


@pytest.fixture
def packages(tmp_path: Path, environment: dict[str, str]) -> Path:
    folder = tmp_path / "packages"
    folder.mkdir()
    environment["PYTHONPATH"] = os.fspath(folder)
    return folder


@pytest.fixture
def config(tmp_path: Path, server: BannerServer) -> Path:
    path = tmp_path / "queue.toml"
    path.write_text(SETTINGS.format(port=server.port))
    return path


async def test_check_takes_what_an_installed_package_brings(environment, packages, config, server):
    install_example(packages)
    done = run(environment, "check", "--config", config)
    assert not done.stderr
    assert f"queue: banner at banner://127.0.0.1:{server.port}, policy impatient" in done.stdout


async def test_watch_keeps_a_connection_of_an_installed_type_up_and_reconnects_it(
    start, packages, config, server
):
    install_example(packages)
    async with start("watch", "--config", config, "--for", PATIENCE) as running:
        await running.phase("queue", "up")
        await running.line(lambda line: line["event"] == "connection:stable")
        assert server.pings
        server.drop()
        lost = await running.phase("queue", "waiting")
        assert lost["reason"] == "closed by the server"
        back = await running.line(lambda line: line["event"] == "connection:recovered")
        assert (back["connection"], back["type"]) == ("queue", "banner")
        assert await running.end() == 0
    assert server.goodbyes == 1


async def test_a_package_that_is_broken_is_a_mistake_with_its_line_and_the_traceback_is_in_the_log(
    environment, home, packages, config
):
    entries = {"trunkline.drivers": {"banner": "broken"}, "trunkline.policies": {"impatient": "broken:X"}}
    install(packages, "broken-banner", entries, broken='raise RuntimeError("can" + "ary")\n')
    done = run(environment, "check", "--config", config)
    assert done.returncode == 2
    assert not done.stdout
    assert "line 3, connections.queue.type" in done.stderr
    assert "line 4, connections.queue.policy" in done.stderr
    told = " ".join(done.stderr.split())
    assert "importing broken of broken-banner 1.0 raised RuntimeError" in told
    assert "Traceback" not in done.stderr
    assert "broken.py" not in done.stderr
    (log,) = home.rglob("trunkline.log")
    assert "broken.py" in log.read_text()
    assert "canary" not in log.read_text()


async def test_a_driver_that_does_everything_wrong_leaves_the_others_up_and_the_end_in_time(
    start, packages, config, server
):
    install_example(packages)
    source = (
        "import trunkline_banner as good\nfrom manager.settings import ConnectionSettings\n"
        "SCHEMES = {'wild': 1}\n"
        "class Settings(ConnectionSettings, frozen=True, kw_only=True):\n    type = 'wild'\n"
        "def read(section, common):\n    return Settings(**common)\n"
        "class Driver:\n    async def open(self, endpoint, listener):\n        raise SystemExit(7)\n"
        "def create(settings, memory):\n    return Driver()\n"
    )
    install(packages, "wild", {"trunkline.drivers": {"wild": "wild"}}, wild=source)
    config.write_text(
        config.read_text() + '[connections.wild]\ntype = "wild"\nendpoints = ["wild://127.0.0.1"]\n'
    )
    async with start("watch", "--config", config) as running:
        lost = await running.phase("wild", "waiting")
        assert lost["reason"] == "the wild driver raised SystemExit"
        if not any(line.get("connection") == "queue" and line["phase"] == "up" for line in running.lines):
            await running.phase("queue", "up")
        assert await running.end() == 0
