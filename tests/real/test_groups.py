"""Users and groups of the machine at the Unix socket of a service."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from manager.access import Access, Group
from manager.embedded import EmbeddedClient
from manager.service.credentials import UnixEntrance
from manager.service.methods import Methods
from manager.service.server import ControlServer
from manager.service.socketfile import SocketFile
from tests.engine.fakes import FakeServer
from tests.service.conftest import address, folder, settings

__all__ = ["address", "folder"]

USER = 64_321
READERS, ACTORS, OTHERS = 64_400, 64_401, 64_402

CALLER = r"""
import json, socket, sys
def connected():
    own = socket.socket(socket.AF_UNIX)
    own.settimeout(20)
    own.connect(sys.argv[1])
    return own
own = connected()
own.sendall(b"GET /v1/status HTTP/1.1\r\nHost: l\r\n\r\n")
status = b""
while chunk := own.recv(65536):
    status += chunk
own = connected()
own.sendall(b"GET /v1 HTTP/1.1\r\nHost: l\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
stream = own.makefile("rb")
while stream.readline().strip():
    pass
body = b'{"jsonrpc": "2.0", "id": 1, "method": "pause", "params": {"name": "one"}}'
own.sendall(bytes([0x81, 0x80 | len(body)]) + bytes(4) + body)
answer = stream.read(65536) if b" 200 " not in status else None
if answer is None:
    head = stream.read(2)
    size = head[1] & 127
    if size == 126:
        size = int.from_bytes(stream.read(2), "big")
    answer = stream.read(size)
print(json.dumps([status.decode(), answer.decode(errors="replace")]))
"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


@pytest.fixture
def ask(address: Path):
    async def ask(*groups: int, primary: int = OTHERS) -> tuple[str, str]:
        done = await asyncio.to_thread(
            subprocess.run,
            [
                shutil.which("python3", path="/usr/bin:/usr/local/bin") or "python3",
                "-c",
                CALLER,
                str(address),
            ],
            user=USER,
            group=primary,
            extra_groups=groups,
            cwd="/",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if "PermissionError" in done.stderr:
            return "kept out by the kernel", ""
        assert not done.stderr
        status, answer = json.loads(done.stdout)
        return status, answer

    return ask


@pytest.fixture
async def serve(address: Path, folder: Path):
    folder.chmod(0o755)
    with EmbeddedClient([settings()], drivers={"fake": FakeServer().create}) as client:

        class Serving:
            def __init__(self, access: Access) -> None:
                self.file = SocketFile(address, shared=access.by_group)
                self.access = access

            async def __aenter__(self) -> EmbeddedClient:
                entrance = UnixEntrance(self.file.__enter__().socket, self.access)
                self.server = ControlServer([entrance], Methods(client, Path("/config.toml"), 1.0))
                await self.server.__aenter__()
                return client

            async def __aexit__(self, *_: object) -> None:
                await self.server.__aexit__(None, None, None)
                self.file.__exit__(None, None, None)

        yield Serving


async def phase(client: EmbeddedClient) -> str:
    return (await client.snapshot()).statuses[0].phase


READ = Group("readers", READERS)
ACT = Group("actors", ACTORS)


async def test_without_groups_the_kernel_keeps_everybody_else_out(serve, ask):
    async with serve(Access()):
        assert (await ask(READERS, ACTORS))[0] == "kept out by the kernel"


async def test_who_is_in_neither_group_is_told_which_ones_there_are(serve, ask):
    async with serve(Access(read_group=READ, act_group=ACT)):
        status, _ = await ask()
    assert status.startswith("HTTP/1.1 403")
    assert f"user {USER} is not in the group readers (read_group) or actors (act_group)" in status
    assert "one" not in status.partition("\r\n\r\n")[2].split()


@pytest.mark.parametrize("as_primary", [True, False])
async def test_the_reading_group_looks_and_does_not_act(serve, ask, as_primary):
    async with serve(Access(read_group=READ, act_group=ACT)) as client:
        status, answer = await (ask(primary=READERS) if as_primary else ask(READERS))
        assert json.loads(status.partition("\r\n\r\n")[2])["service"]["may"] == "read"
        told = json.loads(answer)["error"]
        assert told["data"] == {
            "kind": "NotAllowedError",
            "hint": "who is in the group actors (act_group) may act",
        }
        assert await phase(client) != "paused"


async def test_the_acting_group_acts(serve, ask):
    async with serve(Access(act_group=ACT)) as client:
        status, answer = await ask(OTHERS, READERS, ACTORS)
        assert json.loads(status.partition("\r\n\r\n")[2])["service"]["may"] == "act"
        assert json.loads(answer)["result"][0]["status"]["phase"] == "paused"
        assert await phase(client) == "paused"


async def test_of_who_is_in_too_many_groups_to_be_told_only_the_first_counts(serve, ask):
    many = range(70_000, 70_300)
    async with serve(Access(read_group=READ)):
        assert (await ask(READERS, *many))[0].startswith("HTTP/1.1 403")
        assert (await ask(*many, primary=READERS))[0].startswith("HTTP/1.1 200")
