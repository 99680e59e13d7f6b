"""Virtual hosts with a fake server for each connection, and what goes wrong with them."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from manager.drivers.base import SessionListener
from manager.endpoint import Endpoint
from manager.model import FailureClass, Stage
from manager.settings import Policy
from tests.engine.fakes import (
    LOST,
    REFUSED,
    WRONG_SECRET,
    FakeDriver,
    FakeServer,
    FakeSession,
    failure,
)

HANG = FakeServer.HANG


class Server(FakeServer):
    """A server that remembers nothing of what is over."""

    def __init__(self) -> None:
        super().__init__()
        self.opens, self.peeks, self.sessions = deque(maxlen=0), deque(maxlen=0), deque(maxlen=0)
        self.mend()

    def mend(self) -> None:
        self.open = self.heartbeat = self.check = self.peek = None
        self.open_takes = self.abort_takes = 0.0
        self.close_takes = 0.05
        self.swallow = False
        self.stage = Stage.CONNECT

    async def answer(self, how: object) -> None:
        # An exception that is raised twice keeps the frames of both.
        await super().answer(type(how)(*how.args) if isinstance(how, BaseException) else how)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that goes wrong with servers until they are mended."""

    name: str
    changes: Mapping[str, object] = field(default_factory=dict)
    cut: bool = False
    """Whether sessions are lost as it begins."""

    def begin(self, server: Server) -> None:
        for name, value in self.changes.items():
            setattr(server, name, value)
        if self.cut:
            server.drop_all()


def _at_login(how: object) -> dict[str, object]:
    return {"open": how, "stage": Stage.LOGIN}


TROUBLES = (
    Trouble("dropped", cut=True),
    Trouble("down", {"open": REFUSED, "peek": REFUSED}, cut=True),
    Trouble("unreachable", {"open": HANG, "peek": HANG, "heartbeat": HANG, "check": HANG}),
    Trouble("frozen", {**_at_login(HANG), "heartbeat": HANG, "check": HANG}),
    Trouble("frozen, and deaf to cancellations", {"heartbeat": HANG, "check": HANG, "swallow": True}),
    Trouble("no heartbeat", {"heartbeat": HANG}),
    Trouble("heartbeats that fail", {"heartbeat": LOST}),
    Trouble("checks that fail", {"check": LOST}),
    Trouble("another secret", _at_login(WRONG_SECRET), cut=True),
    Trouble(
        "forbidden", _at_login(failure(FailureClass.PERMANENT, "forbidden", stage=Stage.LOGIN)), cut=True
    ),
    Trouble("overloaded", {"open": failure(FailureClass.OVERLOAD, "busy", retry_after=45.0)}, cut=True),
    Trouble(
        "a driver that raises", {"open": KeyError("foreign"), "heartbeat": KeyError("foreign")}, cut=True
    ),
    Trouble("a library that cancels", {"open": asyncio.CancelledError(), "check": asyncio.CancelledError()}),
    Trouble("slow to open", {"open_takes": 40.0}, cut=True),
    Trouble("slow to close", {"close_takes": 5.0, "abort_takes": 5.0}, cut=True),
)


class Ledger:
    """Every login of a host, held against its budget as a server that bans would."""

    def __init__(self, policy: Policy) -> None:
        self._budget, self._window = policy.login_budget, policy.login_window
        self._refusals: dict[str, deque[float]] = defaultdict(deque)
        self._running: dict[str, int] = defaultdict(int)
        self._accepted: dict[tuple[str, str], str] = {}
        """By connection and host, the secret that was accepted last."""
        self.overdrawn: set[str] = set()
        """Hosts that saw more than they should."""

    def begin(self, name: str, host: str, secret: str) -> bool:
        """Count a login that begins; return whether it has to draw on the budget."""
        now = asyncio.get_running_loop().time()
        refusals = self._refusals[host]
        while refusals and refusals[0] + self._window <= now:
            refusals.popleft()
        if self._accepted.get((name, host)) == secret and not refusals:
            return False
        self._running[host] += 1
        if len(refusals) + self._running[host] > self._budget:
            self.overdrawn.add(host)
        return True

    def end(self, host: str) -> None:
        self._running[host] -= 1

    def accept(self, name: str, host: str, secret: str) -> None:
        self._accepted[name, host] = secret

    def refuse(self, name: str, host: str) -> None:
        self._accepted.pop((name, host), None)
        self._refusals[host].append(asyncio.get_running_loop().time())


class Hosts:
    """The servers of every connection, by host."""

    def __init__(self, policy: Policy) -> None:
        self.ledger = Ledger(policy)
        self.opened = 0
        """Sessions, since the beginning."""
        self._servers: dict[str, dict[str, Server]] = defaultdict(dict)

    def add(self, name: str, host: str) -> None:
        self._servers[host][name] = Server()

    def names(self) -> list[str]:
        return list(self._servers)

    def servers(self, host: str) -> list[Server]:
        return list(self._servers[host].values())

    def server(self, name: str, host: str) -> Server:
        return self._servers[host][name]

    def mend(self) -> None:
        for host in self._servers:
            for server in self.servers(host):
                server.mend()

    def sessions(self) -> dict[str, int]:
        """Return how many are open, by connection."""
        found: dict[str, int] = defaultdict(int)
        for servers in self._servers.values():
            for name, server in servers.items():
                found[name] += len(server.open_sessions)
        return found


class Driver:
    """Opens sessions on the server that a connection has on the host of an endpoint."""

    def __init__(self, hosts: Hosts, name: str, secret: str | None) -> None:
        self._hosts = hosts
        self._name = name
        self._secret = secret
        """The environment variable that holds it; None for a connection without one."""

    async def open(self, endpoint: Endpoint, listener: SessionListener) -> FakeSession:
        driver = self._driver(endpoint)
        if self._secret is None:
            session = await driver.open(endpoint, listener)
        else:
            session = await self._log_in(driver, endpoint, listener, os.environ[self._secret])
        self._hosts.opened += 1
        return session

    async def peek(self, endpoint: Endpoint) -> None:
        await self._driver(endpoint).peek(endpoint)

    async def _log_in(
        self, driver: FakeDriver, endpoint: Endpoint, listener: SessionListener, secret: str
    ) -> FakeSession:
        ledger, name, host = self._hosts.ledger, self._name, endpoint.host
        reserved = ledger.begin(name, host, secret)
        try:
            session = await driver.open(endpoint, listener)
        except BaseException as error:
            if getattr(error, "failure", None) == WRONG_SECRET:
                ledger.refuse(name, host)
            raise
        finally:
            if reserved:
                ledger.end(host)
        ledger.accept(name, host, secret)
        return session

    def _driver(self, endpoint: Endpoint) -> FakeDriver:
        return FakeDriver(self._hosts.server(self._name, endpoint.host))
