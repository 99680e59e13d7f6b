"""Where endpoints are; a small DNS server on the loopback stands for the world's."""

import asyncio
import random
import socket

import dns.asyncresolver
import dns.message
import dns.resolver
import dns.rrset
import pytest

from manager.drivers.base import DriverError
from manager.drivers.sip import lookup
from manager.drivers.sip.lookup import Service, ordered, resolve
from manager.endpoint import parse_endpoint
from manager.model import FailureClass, Stage


class NameServer(asyncio.DatagramProtocol):
    """Answers SRV questions from `records`; says nothing when `silent`."""

    def __init__(self):
        self.records = {}
        self.asked = []
        self.silent = False

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, datagram, address):
        query = dns.message.from_wire(datagram)
        name = query.question[0].name.to_text()
        self.asked.append(name)
        if self.silent:
            return
        response = dns.message.make_response(query)
        if name in self.records:
            response.answer.append(dns.rrset.from_text(name, 5, "IN", "SRV", *self.records[name]))
        else:
            response.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(response.to_wire(), address)


@pytest.fixture
async def names(monkeypatch):
    server = NameServer()
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: server, local_addr=("127.0.0.1", 0)
    )
    made = dns.asyncresolver.Resolver

    def here():
        resolver = made(configure=False)
        resolver.nameservers = ["127.0.0.1"]
        resolver.port = transport.get_extra_info("sockname")[1]
        resolver.timeout = 60.0  # each question is asked once, however slow the machine
        return resolver

    async def hosts(host, port, *, type):  # noqa: A002 - the loop's own name for it
        if host == "nowhere.example":
            raise socket.gaierror(socket.EAI_NONAME, "not known")
        addresses = {"two.example": ["192.0.2.2", "2001:db8::2"]}.get(host, ["192.0.2.1"])
        return [
            (socket.AF_INET6, type, 0, "", (address, port, 0, 0))
            if ":" in address
            else (socket.AF_INET, type, 0, "", (address, port))
            for address in addresses
        ]

    monkeypatch.setattr(lookup, "SRV_LIFETIME", 60.0)
    monkeypatch.setattr(dns.asyncresolver, "Resolver", here)
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", hosts)
    yield server
    transport.abort()
    await asyncio.sleep(0)


async def places(address):
    return [(t.transport, t.address, t.port) for t in await resolve(parse_endpoint(address))]


async def test_srv_records_of_the_transport_lead_to_host_and_port(names):
    names.records["_sip._tcp.pbx.example."] = ["10 0 5070 one.example.", "5 0 5080 two.example."]
    assert await places("sip:pbx.example;transport=tcp") == [
        ("tcp", "192.0.2.2", 5080),
        ("tcp", "2001:db8::2", 5080),
        ("tcp", "192.0.2.1", 5070),
    ]
    assert names.asked == ["_sip._tcp.pbx.example."]


async def test_a_transport_left_open_is_the_most_private_one_that_is_offered(names):
    names.records["_sip._udp.pbx.example."] = ["0 0 5062 one.example."]
    assert await places("sip:pbx.example") == [("udp", "192.0.2.1", 5062)]
    names.records["_sips._tcp.pbx.example."] = ["0 0 5061 one.example."]
    assert await places("sip:pbx.example") == [("tls", "192.0.2.1", 5061)]


async def test_without_srv_records_the_host_is_asked_over_udp_at_the_usual_port(names):
    assert await places("sip:pbx.example") == [("udp", "192.0.2.1", 5060)]
    assert await places("sips:pbx.example") == [("tls", "192.0.2.1", 5061)]


async def test_a_port_needs_no_srv(names):
    assert await places("sip:pbx.example:5099;transport=tcp") == [("tcp", "192.0.2.1", 5099)]
    assert names.asked == []


async def test_a_silent_name_server_delays_by_its_bound_and_hosts_are_still_found(names, monkeypatch):
    monkeypatch.setattr(lookup, "SRV_LIFETIME", 0.1)
    names.silent = True
    assert await places("sip:pbx.example") == [("udp", "192.0.2.1", 5060)]
    assert names.asked


async def test_a_record_that_points_to_the_root_says_that_there_is_no_service(names):
    names.records["_sip._tcp.pbx.example."] = ["0 0 0 ."]
    with pytest.raises(DriverError) as caught:
        await places("sip:pbx.example;transport=tcp")
    assert "offers no SIP" in caught.value.failure.reason


async def test_a_name_without_an_address_is_not_found(names):
    with pytest.raises(DriverError) as caught:
        await places("sip:nowhere.example:5060")
    failure = caught.value.failure
    assert (failure.kind, failure.stage) == (FailureClass.TRANSIENT, Stage.LOOKUP)


async def test_one_srv_target_without_an_address_does_not_hide_the_others(names):
    names.records["_sip._udp.pbx.example."] = ["1 0 5060 nowhere.example.", "2 0 5061 one.example."]
    assert await places("sip:pbx.example;transport=udp") == [("udp", "192.0.2.1", 5061)]


async def test_a_flood_of_srv_records_costs_no_flood_of_lookups(names, monkeypatch):
    names.records["_sip._udp.pbx.example."] = [f"1 0 5060 host{number}.example." for number in range(40)]
    loop = asyncio.get_running_loop()
    looked_up, look_up = [], loop.getaddrinfo

    async def counted(host, port, **options):
        looked_up.append(host)
        return await look_up(host, port, **options)

    monkeypatch.setattr(loop, "getaddrinfo", counted)
    assert len(await places("sip:pbx.example;transport=udp")) == lookup.MAX_TARGETS
    assert len(looked_up) == lookup.MAX_TARGETS


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("sip:127.0.0.1", ("udp", "127.0.0.1", 5060)),
        ("sip:[::1];transport=tcp", ("tcp", "::1", 5060)),
        ("sips:127.0.0.1", ("tls", "127.0.0.1", 5061)),
    ],
)
async def test_an_ip_address_needs_no_resolver(monkeypatch, address, expected):
    async def resolver(*_: object, **__: object) -> None:
        raise AssertionError("the resolver was asked")

    monkeypatch.setattr(dns.asyncresolver, "Resolver", None)
    monkeypatch.setattr(asyncio.SelectorEventLoop, "getaddrinfo", resolver)
    assert await places(address) == [expected]


async def test_a_name_of_the_hosts_file_needs_no_resolver(monkeypatch):
    monkeypatch.setattr(dns.asyncresolver, "Resolver", None)
    assert ("udp", "127.0.0.1", 5060) in await places("sip:localhost")


async def test_a_machine_without_a_resolver_still_finds_its_hosts(monkeypatch, names):
    def none():
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(dns.asyncresolver, "Resolver", none)
    assert await places("sip:pbx.example") == [("udp", "192.0.2.1", 5060)]


def test_priority_comes_before_weight_and_weight_is_a_matter_of_chance():
    services = [Service(2, 0, 1, "late"), Service(1, 90, 1, "heavy"), Service(1, 10, 1, "light")]
    firsts = [ordered(services, random.Random(seed))[0].host for seed in range(400)]
    assert 320 < firsts.count("heavy") < 395
    assert "late" not in firsts
    assert {service.host for service in ordered(services, random.Random(1))} == {"late", "heavy", "light"}


def test_records_without_weight_all_get_their_turn():
    services = [Service(1, 0, 1, "a"), Service(1, 0, 1, "b")]
    assert len(ordered(services, random.Random(1))) == 2
