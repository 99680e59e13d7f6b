"""The lab in a process of its own, so that what its servers hold is not counted as the manager's."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import random
import socket
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from manager.lab.faults import Fault
from manager.lab.lab import Host, Lab, account_of
from manager.lab.story import Deed, Kind, Place, Step, play
from manager.settings import ConnectionSettings, Policy

_ON_WEBSOCKETS = (Deed.CHATTER, Deed.GO_AWAY)
_DEEDS = (*Fault, Deed.FLAP, *_ON_WEBSOCKETS)
_LONGEST = 8.0
"""Seconds that a fault lasts at most."""
_STOP_TIMEOUT = 10.0


def hosts_for(connections: int, hosts: int) -> tuple[Host, ...]:
    """Spread connections of all types over hosts: SIP over UDP and TCP, WebSocket and AMI in turn."""
    names: list[dict[str, list[str]]] = [{"sip": [], "websocket": [], "ami": []} for _ in range(hosts)]
    for number in range(connections):
        kind = ("sip", "websocket", "sip", "ami")[number // hosts % 4]
        names[number % hosts][kind].append(f"{kind}-{number}")
    return tuple(
        Host(f"pbx{place}", f"127.0.0.{place + 1}", **{kind: tuple(each) for kind, each in of_host.items()})
        for place, of_host in enumerate(names)
    )


class LabProcess:
    """Runs a lab from when it is entered, before there is an event loop, until it is left."""

    def __init__(self, hosts: tuple[Host, ...], policy: Policy, seed: int) -> None:
        self._lab = Lab(hosts, policy=policy, delay=0.4)
        self._seed = seed
        self._socket, self._theirs = socket.socketpair()
        # A fork shares the secrets that the lab has made up; nothing else may pass them on.
        fork = multiprocessing.get_context("fork")
        self._process = fork.Process(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        self._theirs.close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
        self._process.join(_STOP_TIMEOUT)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()

    async def connect(self) -> None:
        """Open the line to the lab, for use in the running loop, and learn its ports."""
        self._reader, self._writer = await asyncio.open_connection(sock=self._socket)
        for server, port in zip(self._lab.servers, await self.ask("ports"), strict=True):
            server.port = port

    async def disconnect(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    def connections(self) -> tuple[ConnectionSettings, ...]:
        return self._lab.connections()

    async def ask(self, *words: object) -> Any:
        """Ask for `ports`, for `trouble` of so many seconds, or for what is `held`; return the answer."""
        self._writer.write((json.dumps(words) + "\n").encode())
        line = await self._reader.readline()
        if not line:
            raise RuntimeError("the lab has ended")
        return json.loads(line)

    # --- in the other process ---------------------------------------------------------------------------

    def _serve(self) -> None:
        self._socket.close()
        asyncio.run(self._answer())

    async def _answer(self) -> None:
        reader, writer = await asyncio.open_connection(sock=self._theirs)
        chance = random.Random(self._seed)
        async with self._lab as lab:
            while line := await reader.readline():
                match json.loads(line):
                    case ["ports"]:
                        answer: object = [server.port for server in lab.servers]
                    case ["trouble", seconds]:
                        answer = await _trouble(lab, chance, seconds)
                    case ["held"]:
                        answer = _held(lab)
                writer.write((json.dumps(answer) + "\n").encode())
        writer.close()


async def _trouble(lab: Lab, chance: random.Random, seconds: float) -> int:
    """Put servers out of order at random; return how often, when all are mended."""
    steps = sorted(_steps(lab, chance, seconds), key=lambda step: step.at)
    await play(lab, steps, lambda _: None)
    lab.mend()
    return len(steps)


def _steps(lab: Lab, chance: random.Random, seconds: float) -> Iterator[Step]:
    at = 0.0
    while (at := at + chance.uniform(0.1, 0.8)) < seconds:
        deed = chance.choice(_DEEDS)
        kinds = (Kind.WEBSOCKET,) if deed in _ON_WEBSOCKETS else tuple(Kind)
        place = Place(chance.choice(lab.hosts).name, chance.choice(kinds))
        yield Step(at, place, deed, "", cut=chance.random() < 0.5)
        if isinstance(deed, Fault):
            yield Step(min(at + chance.uniform(0.5, _LONGEST), seconds), place, Deed.MEND, "")


def _held(lab: Lab) -> dict[str, int]:
    """Return how many streams, and bindings of registrations, the servers hold."""
    bindings = sum(
        len(server.registrar.bindings(account_of(name)))
        for host in lab.hosts
        for name in host.sip
        for server in (lab.sip[host.name],)
    )
    return {"streams": sum(server.sessions for server in lab.servers), "bindings": bindings}
