"""A registrar for the tests: written by hand, without the driver's parser, and as odd as a test wants it."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable
from contextlib import suppress

from manager.wire import WireKind

NONCE = "abc"
REALM = "lab"


class Seen:
    """A message as it came in."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.text = raw.decode()
        self.first = self.text.split("\r\n", 1)[0]
        self.method = self.first.split(" ")[0]

    def all(self, name: str) -> list[str]:
        return re.findall(rf"(?m)^{name}: ?(.*?)\r$", self.text)

    def one(self, name: str) -> str:
        return self.all(name)[0] if self.all(name) else ""

    @property
    def cseq(self) -> int:
        return int(self.one("CSeq").split()[0])

    @property
    def contacts(self) -> list[tuple[str, int]]:
        return [
            (uri, int(expires)) for uri, expires in re.findall(r"Contact: <(.*?)>;expires=(\d+)", self.text)
        ]


def reply(seen: Seen, status: int, *lines: str, reason: str = "Whatever", tag: str = "srv") -> bytes:
    via = (
        seen.one("Via").replace(";rport", ";rport=7777;received=127.0.0.1")
        if "NAT" in lines
        else seen.one("Via")
    )
    head = [
        f"SIP/2.0 {status} {reason}",
        f"Via: {via}",
        f"From: {seen.one('From')}",
        f"To: {seen.one('To')};tag={tag}",
        f"Call-ID: {seen.one('Call-ID')}",
        f"CSeq: {seen.one('CSeq')}",
        *(line for line in lines if line != "NAT"),
        "Content-Length: 0",
    ]
    return ("\r\n".join(head) + "\r\n\r\n").encode()


def challenge(nonce: str = NONCE, *, stale: bool = False) -> str:
    return f'WWW-Authenticate: Digest realm="{REALM}", nonce="{nonce}"' + (", stale=true" if stale else "")


def knows(seen: Seen, password: str, username: str = "6001") -> bool:
    header = seen.one("Authorization")
    found = dict(re.findall(r'(\w+)="(.*?)"', header))
    if not found:
        return False

    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    a1 = md5(f"{username}:{found['realm']}:{password}")
    a2 = md5(f"{seen.method}:{found['uri']}")
    return found["response"] == md5(f"{a1}:{found['nonce']}:{a2}")


class Registrar:
    """Listens on UDP and TCP of one loopback address; `handle` answers each message."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.extra: list[str] = []
        """Header lines of every 200 to REGISTER."""
        self.password = "secret"
        self.granted = 300
        self.handle: Callable[[Seen], list[bytes]] = self.usual
        self.cut: Callable[[bytes], list[bytes]] = lambda raw: [raw]
        self.writers: list[asyncio.StreamWriter] = []
        self.pongs = False
        self.changed = asyncio.Event()
        self.raw = bytearray()
        self.binding: str | None = None

    @property
    def registers(self) -> list[Seen]:
        return [seen for seen in self.seen if seen.method == "REGISTER"]

    def usual(self, seen: Seen) -> list[bytes]:
        """Ask for a login, then list the binding; answer OPTIONS with 200."""
        if seen.method == "OPTIONS":
            return [reply(seen, 200)]
        if seen.method != "REGISTER":
            return []
        if not knows(seen, self.password):
            return [reply(seen, 401, challenge())]
        return [self.accept(seen)]

    def accept(self, seen: Seen) -> bytes:
        for uri, expires in seen.contacts:
            if expires:
                self.binding = uri
            elif uri == self.binding:
                self.binding = None
        listed = [f"Contact: <{self.binding}>;expires={self.granted}"] if self.binding else []
        return reply(seen, 200, *listed, *self.extra)

    async def until(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    def _came(self, raw: bytes) -> list[bytes]:
        seen = Seen(raw)
        self.seen.append(seen)
        self.changed.set()
        return self.handle(seen)

    # UDP

    def connection_made(self, transport) -> None:
        self.udp = transport

    def connection_lost(self, error) -> None:
        pass

    def datagram_received(self, datagram: bytes, address) -> None:
        self.address = address
        for raw in self._came(datagram):
            self.udp.sendto(raw, address)

    def error_received(self, error) -> None:
        pass

    async def listen_udp(self) -> int:
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        return self.udp.get_extra_info("sockname")[1]

    # TCP

    async def listen_tcp(self, **options) -> int:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0, **options)
        return self.server.sockets[0].getsockname()[1]

    async def _serve(self, reader, writer) -> None:
        self.writers.append(writer)
        self.changed.set()
        rest = b""
        with suppress(ConnectionError):
            while chunk := await reader.read(65536):
                self.raw += chunk
                self.changed.set()
                rest += chunk
                while rest:
                    if rest.startswith(b"\r\n\r\n"):
                        rest = rest[4:]
                        if self.pongs:
                            writer.write(b"\r\n")
                        continue
                    if rest.startswith(b"\r\n") and len(rest) > 3:
                        rest = rest[2:]
                        continue
                    end = rest.find(b"\r\n\r\n")
                    if end < 0:
                        break
                    raw, rest = rest[: end + 4], rest[end + 4 :]
                    for answer in self._came(raw):
                        for part in self.cut(answer):
                            writer.write(part)
                            await writer.drain()
                            await asyncio.sleep(0)
        with suppress(ConnectionError):
            writer.close()
            await writer.wait_closed()

    async def close(self) -> None:
        if hasattr(self, "udp"):
            self.udp.abort()
        for writer in self.writers:
            writer.transport.abort()
        if hasattr(self, "server"):
            self.server.close()
            await self.server.wait_closed()
        await asyncio.sleep(0)
        await asyncio.sleep(0)


class Witness:
    """Keeps what a session says."""

    def __init__(self) -> None:
        self.stages = []
        self.wires: list[tuple[WireKind, bytes, bool]] = []
        self.refreshes = []
        self.reports = []
        self.changed = asyncio.Event()

    def reached(self, stage) -> None:
        self.stages.append(stage)

    def ordered(self, addresses):
        return list(addresses)

    def using(self, address: str) -> None: ...

    def facts_changed(self) -> None:
        self.changed.set()

    def refreshed(self, failure) -> None:
        self.refreshes.append(failure)
        self.changed.set()

    def reported(self, report, text, fields) -> None:
        self.reports.append((report, text, fields))
        self.changed.set()

    def received(self, message) -> None:
        raise AssertionError("SIP hands no messages on")

    def wire(self, kind: WireKind, content: bytes, *, sent: bool) -> None:
        self.wires.append((kind, content, sent))

    async def until(self, condition, seconds: float = 60.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                self.changed.clear()
                await self.changed.wait()
