"""A registrar on the loopback and sessions of the driver at it."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from manager.drivers.base import DriverError
from manager.drivers.sip import create
from manager.endpoint import parse_endpoint
from manager.secret import Secret, SecretSource
from manager.settings import SipSettings
from tests.unit.sip.registrar import Registrar, Witness


def settings_for(port, transport, *, password="secret", source=None, **changes):
    values = {
        "name": "desk",
        "endpoints": (parse_endpoint(f"sip:127.0.0.1:{port};transport={transport}"),),
        "aor": "sip:6001@127.0.0.1",
        "username": "6001",
        "password": source or SecretSource(plain=Secret(password)),
    }
    return SipSettings(**(values | changes))


class House:
    """A registrar, and sessions opened at it."""

    def __init__(self, transport):
        self.transport = transport
        self.registrar = Registrar()
        self.memory = {}
        self.witness = Witness()

    async def start(self):
        listen = self.registrar.listen_udp if self.transport == "udp" else self.registrar.listen_tcp
        self.port = await listen()

    async def open(self, **changes):
        settings = settings_for(self.port, self.transport, **changes)
        async with asyncio.timeout(60):
            return await create(settings, self.memory).open(settings.endpoints[0], self.witness)

    @asynccontextmanager
    async def opened(self, **changes):
        session = await self.open(**changes)
        try:
            yield session
        finally:
            await session.close(graceful=False)

    async def refusal(self, **changes):
        with pytest.raises(DriverError) as caught:
            await self.open(**changes)
        return caught.value.failure

    def push(self, raw):
        """Send something to the client that nobody asked for."""
        if self.transport == "udp":
            self.registrar.udp.sendto(raw, self.registrar.address)
        else:
            self.registrar.writers[-1].write(raw)

    async def answers(self, count=1):
        """Return what the client answered."""
        await self.registrar.until(lambda: len(self.responses()) >= count)
        return self.responses()

    def responses(self):
        return [seen for seen in self.registrar.seen if seen.method == "SIP/2.0"]


async def nothing_left():
    """Let the servers' own tasks end, then find no other."""
    async with asyncio.timeout(60):
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others, timeout=1)


def incoming(
    method, house, *lines, to="<sip:6001@127.0.0.1>", caller='"Eve" <sip:9@h>;tag=9', branch="z9hG4bKx"
):
    return "\r\n".join(
        [
            f"{method} sip:6001@127.0.0.1 SIP/2.0",
            f"Via: SIP/2.0/{house.transport.upper()} 127.0.0.1:5060;rport;branch={branch}",
            "Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKfar",
            f"From: {caller}",
            f"To: {to}",
            "Call-ID: call-1",
            f"CSeq: 1 {method}",
            *lines,
            "Content-Length: 0",
            "",
            "",
        ]
    ).encode()
