"""The other end of an AMI connection, written out by hand in each test."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

from manager.drivers.ami import AmiEvent, AmiSession, create
from manager.drivers.base import DriverError
from manager.endpoint import parse_endpoint
from manager.model import Facts, Failure, Stage
from manager.secret import Secret, SecretSource
from manager.settings import AmiSettings, Tls
from manager.wire import WireKind

CAPTURES = Path(__file__).parents[2] / "captures"
CANARY = "c4n4ry-s3cret"
BANNER = "Asterisk Call Manager/11.0.0\r\n"


class Recorder:
    """Listens to a session and keeps what it heard."""

    def __init__(self) -> None:
        self.wires: list[tuple[WireKind, bytes, bool]] = []
        self.stages: list[Stage] = []
        self.events: list[AmiEvent] = []
        self.changes = 0
        self._heard = asyncio.Event()

    def reached(self, stage: Stage) -> None:
        self.stages.append(stage)

    def ordered(self, addresses):
        return list(addresses)

    def using(self, address: str) -> None: ...

    def facts_changed(self) -> None:
        self.changes += 1

    def refreshed(self, failure: Failure | None) -> None:
        raise AssertionError("AMI refreshes nothing")

    def reported(self, report: str, text: str, fields: Facts) -> None:
        raise AssertionError("AMI reports nothing")

    def received(self, message: object) -> None:
        assert isinstance(message, AmiEvent)
        self.events.append(message)
        self._heard.set()

    def wire(self, kind: WireKind, content: bytes, *, sent: bool) -> None:
        self.wires.append((kind, content, sent))

    async def event(self, name: str) -> AmiEvent:
        """Wait for an event of this name."""
        async with asyncio.timeout(60):
            while True:
                for event in self.events:
                    if event.name == name:
                        return event
                self._heard.clear()
                await self._heard.wait()


class Peer:
    """One connection as the server sees it; reads actions without the driver's own parser."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.actions: list[dict[str, str]] = []

    async def send(self, text: str | bytes) -> None:
        self.writer.write(text if isinstance(text, bytes) else text.encode())
        await self.writer.drain()

    async def action(self, name: str) -> dict[str, str]:
        """Read the next action, which must have this name."""
        block = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        fields = dict(line.split(": ", 1) for line in block.removesuffix("\r\n\r\n").split("\r\n"))
        self.actions.append(fields)
        assert fields["Action"] == name, fields["Action"]
        return fields

    async def reply(self, action: Mapping[str, str], response: str = "Success", *lines: str) -> None:
        await self.message(f"Response: {response}", f"ActionID: {action['ActionID']}", *lines)

    async def message(self, *lines: str) -> None:
        await self.send("".join(f"{line}\r\n" for line in (*lines, "")))

    async def answer(self, name: str, response: str = "Success", *lines: str) -> dict[str, str]:
        """Read an action and reply to it."""
        action = await self.action(name)
        await self.reply(action, response, *lines)
        return action

    async def challenge(self) -> None:
        await self.send(BANNER)
        await self.answer("Challenge", "Success", "Challenge: 175677673")

    async def log_in(self) -> dict[str, str]:
        """Go all the way to a session that is usable; return the Login."""
        await self.challenge()
        login = await self.answer("Login", "Success", "Message: Authentication accepted")
        await self.message("Event: FullyBooted", "Privilege: system,all", "Status: Fully Booted")
        await self.look()
        return login

    async def look(self, calls: int = 0) -> None:
        """Answer what a session asks first."""
        await self.answer("CoreSettings", "Success", "AsteriskVersion: 22.10.1+dfsg-1", "SystemName: lab")
        await self.answer(
            "CoreStatus",
            "Success",
            "CoreStartupDate: 2026-11-23",
            "CoreStartupTime: 18:28:19",
            "CoreReloadDate: 2026-11-23",
            "CoreReloadTime: 18:30:00",
            f"CoreCurrentCalls: {calls}",
        )

    async def close(self) -> None:
        self.writer.close()

    async def rest(self) -> bytes:
        """Read until the driver has closed the connection."""
        async with asyncio.timeout(60):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""


Script = Callable[[Peer], Awaitable[None]]


class Server:
    """Runs a script for each connection and raises what a script raised."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.connections = 0
        self.peers: list[Peer] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer)
        self.connections += 1
        self.peers.append(peer)
        self._tasks.add(asyncio.create_task(self._run(peer)))

    async def _run(self, peer: Peer) -> None:
        try:
            await self._script(peer)
        finally:
            peer.writer.close()
            with contextlib.suppress(OSError):
                await peer.writer.wait_closed()

    async def finish(self) -> None:
        """Wait for the scripts, which end when the driver has closed; raise what they raised."""
        if not self._tasks:
            return
        _, running = await asyncio.wait(self._tasks, timeout=60)
        for task in running:
            task.cancel()
        outcomes = await asyncio.gather(*self._tasks, return_exceptions=True)
        assert not running, "the driver has not closed"
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, (EOFError, ConnectionError)):
                raise outcome


@contextlib.asynccontextmanager
async def serving(script: Script, **options: object) -> AsyncIterator[Server]:
    server = Server(script)
    listening = await asyncio.start_server(server.accept, "127.0.0.1", 0, **options)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        await server.finish()


async def hold(peer: Peer) -> None:
    """Keep the connection open until the driver closes it."""
    await peer.rest()


def settings(
    server: Server, *, scheme: str = "ami", password: str = CANARY, tls: Tls | None = None
) -> AmiSettings:
    return AmiSettings(
        name="pbx",
        endpoints=(parse_endpoint(f"{scheme}://127.0.0.1:{server.port}"),),
        username="monitor",
        password=SecretSource(plain=Secret(password)),
        tls=tls or Tls(),
    )


async def open_session(server: Server, listener: Recorder | None = None, **options: object) -> AmiSession:
    """Open a session within ten seconds."""
    chosen = settings(server, **options)
    async with asyncio.timeout(60):
        session = await create(chosen, {}).open(chosen.endpoints[0], listener or Recorder())
    assert isinstance(session, AmiSession)
    return session


@contextlib.asynccontextmanager
async def opened(
    script: Script, listener: Recorder | None = None, **options: object
) -> AsyncIterator[tuple[AmiSession, Server]]:
    async with serving(script) as server:
        session = await open_session(server, listener, **options)
        try:
            yield session, server
        finally:
            await session.close(graceful=False)


async def failure_of_open(server: Server, listener: Recorder | None = None, **options: object) -> Failure:
    try:
        session = await open_session(server, listener, **options)
    except DriverError as error:
        return error.failure
    await session.close(graceful=False)
    raise AssertionError("the session opened")


async def cancel_at_every_await(chosen: AmiSettings) -> None:
    """Cancel an opening at the first step of the loop, at the second, and so on until one is through."""
    for steps in range(3000):
        opening = asyncio.create_task(create(chosen, {}).open(chosen.endpoints[0], Recorder()))
        for _ in range(steps):
            await asyncio.sleep(0)
        if opening.done():
            await (await opening).close(graceful=False)
            return
        opening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await opening
            raise AssertionError("the opening took no notice")
    raise AssertionError("the opening never came to an end")


def after_login(script: Script) -> Script:
    """Go on with `script` once the session is usable."""

    async def whole(peer: Peer) -> None:
        await peer.log_in()
        await script(peer)

    return whole


async def failure_of_heartbeat(session: AmiSession) -> Failure:
    try:
        async with asyncio.timeout(60):
            await session.heartbeat()
    except DriverError as error:
        return error.failure
    raise AssertionError("the heartbeat was answered")
