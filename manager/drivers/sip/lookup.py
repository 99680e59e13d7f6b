"""Where a SIP endpoint is: SRV, then A and AAAA (RFC 3263, without NAPTR; RFC 2782)."""

from __future__ import annotations

import asyncio
import ipaddress
import random
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from manager.drivers.base import DriverError
from manager.drivers.failures import failure_of
from manager.endpoint import Endpoint
from manager.model import Failure, FailureClass, Stage

if TYPE_CHECKING:
    import dns.asyncresolver

SRV_LIFETIME = 2.0
"""Seconds for the SRV queries of a lookup; without a resolver, names of the hosts file still work."""
MAX_TARGETS = 8
_DEFAULT_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061, "ws": 80, "wss": 443}
_SERVICES = {"udp": "_sip._udp", "tcp": "_sip._tcp", "tls": "_sips._tcp"}


@dataclass(frozen=True, slots=True)
class Target:
    """One address to connect to."""

    transport: str
    family: int
    address: str
    port: int
    socket_address: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]


@dataclass(frozen=True, slots=True)
class Service:
    """One SRV record."""

    priority: int
    weight: int
    port: int
    host: str


async def resolve(endpoint: Endpoint) -> list[Target]:
    """Return the addresses of an endpoint in the order in which they are tried; at least one.

    Raises:
        DriverError: there is none.
    """
    transport = endpoint.transport
    places: list[tuple[str, str, int]] = []
    if endpoint.port is None and _may_have_services(endpoint.host):
        places = await _services(endpoint.host, [transport] if transport else ["tls", "tcp", "udp"])
    if not places:
        transport = transport or "udp"
        places = [(transport, endpoint.host, endpoint.port or _DEFAULT_PORTS[transport])]
    targets: list[Target] = []
    problem: OSError | UnicodeError | None = None
    for kind, host, port in places[:MAX_TARGETS]:
        try:
            targets += await _addresses(kind, host, port)
        except (OSError, UnicodeError) as error:
            problem = error
    if not targets:
        raise DriverError(
            failure_of(problem or socket.gaierror(socket.EAI_NONAME, "no address"), Stage.LOOKUP)
        )
    return targets[:MAX_TARGETS]


def ordered(services: Iterable[Service], chance: random.Random) -> list[Service]:
    """Return SRV records by priority, and by weighted chance within one (RFC 2782)."""
    result: list[Service] = []
    waiting = sorted(services, key=lambda service: (service.priority, service.weight))
    while waiting:
        rivals = [service for service in waiting if service.priority == waiting[0].priority]
        mark = chance.uniform(0, sum(service.weight for service in rivals))
        for rival in rivals:
            mark -= rival.weight
            if mark <= 0:
                break
        result.append(rival)
        waiting.remove(rival)
    return result


def _may_have_services(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return "." in host.strip(".")
    return False


async def _services(host: str, transports: list[str]) -> list[tuple[str, str, int]]:
    """Return transport, host and port of the first transport that has SRV records; empty for none."""
    # Late: most endpoints have a port or an address, and need no resolver of our own.
    import dns.asyncresolver  # noqa: PLC0415 - loaded when first used
    import dns.exception  # noqa: PLC0415 - loaded when first used

    try:
        # Anew for each lookup, as another network may bring another resolver.
        resolver = dns.asyncresolver.Resolver()
    except (dns.exception.DNSException, OSError):
        return []
    asked = [transport for transport in transports if transport in _SERVICES]
    answers = await asyncio.gather(
        *(_query(resolver, f"{_SERVICES[transport]}.{host}") for transport in asked)
    )
    refused = False
    for transport, services in zip(asked, answers, strict=True):
        offered = [service for service in services if service.host.strip(".")]
        if offered:
            chosen = ordered(offered, random.Random())  # noqa: S311 - spreads load, hides nothing
            return [(transport, service.host.rstrip("."), service.port) for service in chosen]
        refused = refused or bool(services)
    if refused:
        raise DriverError(
            Failure(
                kind=FailureClass.TRANSIENT,
                stage=Stage.LOOKUP,
                reason="the domain says that it offers no SIP service",
                hint="its SRV record points to the root; name a host and a port instead",
            )
        )
    return []


async def _query(resolver: dns.asyncresolver.Resolver, name: str) -> list[Service]:
    import dns.exception  # noqa: PLC0415 - loaded when first used

    try:
        answer = await resolver.resolve(name, "SRV", lifetime=SRV_LIFETIME, search=False)
    except (dns.exception.DNSException, OSError):
        # No record, no resolver, no answer: the host itself may still have an address.
        return []
    return [Service(record.priority, record.weight, record.port, str(record.target)) for record in answer]


async def _addresses(transport: str, host: str, port: int) -> list[Target]:
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    try:
        # An address needs no resolver, and so no thread that may stand in line behind a slow lookup.
        found = socket.getaddrinfo(host, port, type=kind, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=kind)
    return [
        Target(transport, family, str(address[0]), int(address[1]), address)
        for family, _, _, _, address in found
    ]
