"""One connection to several hosts."""

from __future__ import annotations

from manager.drivers.base import SessionListener
from manager.endpoint import Endpoint, parse_endpoint
from manager.manager import ConnectionManager
from manager.model import Failure, Phase
from manager.settings import Policy
from tests.engine.fakes import REFUSED, FakeDriver, FakeServer, FakeSession, FakeSettings, House, until


class Site:
    """One connection to three hosts, each with a server of its own."""

    def __init__(self, driver: type[Driver] | None = None, **settings) -> None:
        hosts = settings.pop("hosts", "abc")
        self.servers = {host: FakeServer() for host in hosts}
        self.addresses: dict[str, list[str]] = {}
        """Of the names that have several."""
        self.opened: list[tuple[str, int | None]] = []
        """Host and number of each open; None for that of a spare that stands by."""
        self.most_open = 0
        self.house = House()
        self.house.manager = ConnectionManager(
            clock=self.house.clock, drivers={"fake": lambda *_: (driver or Driver)(self)}, chance=lambda: 0.0
        )
        policy = Policy(**{"jitter": 0.0, **settings.pop("policy", {})})
        endpoints = tuple(parse_endpoint(f"ami://{host}") for host in hosts)
        self.settings = FakeSettings(name="one", endpoints=endpoints, policy=policy, **settings)

    async def __aenter__(self) -> Site:
        await self.house.__aenter__()
        self.house.manager.add(self.settings)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.house.__aexit__()
        assert sum(len(server.open_sessions) for server in self.servers.values()) == 0

    @property
    def status(self):
        return self.house.status()

    @property
    def host(self) -> str:
        return self.status.endpoint.partition(":")[0]

    @property
    def sessions(self) -> list[FakeSession]:
        """Those that are open now, on whichever server."""
        return [session for server in self.servers.values() for session in server.open_sessions]

    def refuse(self, *hosts: str, why: Failure = REFUSED) -> None:
        for host in hosts:
            self.servers[host].open = self.servers[host].peek = why
            self.servers[host].drop_all()

    def mend(self, *hosts: str) -> None:
        for host in hosts:
            self.servers[host].open = self.servers[host].peek = None

    async def up_on(self, host: str) -> None:
        await until(lambda: self.status.phase is Phase.UP and self.host == host)

    async def stable(self) -> None:
        await until(lambda: self.status.stable)


class Driver:
    """Opens sessions on whichever server the endpoint names; a spare of it is an ordinary session."""

    def __init__(self, site: Site) -> None:
        self.site = site

    async def open(self, endpoint: Endpoint, listener):
        self.site.opened.append((endpoint.host, self.site.status.attempt))
        answers = self.site.addresses.get(endpoint.host)
        host = endpoint.host
        if answers:
            host = listener.ordered(answers)[0]
            listener.using(host)
            self.site.opened[-1] = (host, self.site.status.attempt)
        return await self._open(host, endpoint, listener)

    async def _open(
        self, host: str, endpoint: Endpoint, listener: SessionListener, kind: type[FakeSession] = FakeSession
    ) -> FakeSession:
        session = await FakeDriver(self.site.servers[host]).open(endpoint, listener, kind)
        self.site.most_open = max(self.site.most_open, len(self.site.sessions))
        return session

    async def peek(self, endpoint: Endpoint) -> None:
        await FakeDriver(self.site.servers[endpoint.host]).peek(endpoint)


class StandbySession(FakeSession):
    """A spare that has something to make up for when it takes over."""

    promotions = 0

    async def promote(self) -> bool:
        self.promotions += 1
        await self.server.answer(self.server.promote)
        return self.server.answers_promotions


class StandbyDriver(Driver):
    """Opens spares that leave something out."""

    async def open_standby(self, endpoint: Endpoint, listener: SessionListener) -> FakeSession:
        self.site.opened.append((endpoint.host, None))
        return await self._open(endpoint.host, endpoint, listener, StandbySession)
