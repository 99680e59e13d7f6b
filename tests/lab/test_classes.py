"""What each type makes of each kind of trouble, against real servers: the class decides on what follows."""

from __future__ import annotations

import asyncio
import socket

import pytest
from msgspec.structs import replace

from manager.drivers import ami, sip, websocket
from manager.drivers.base import DriverError
from manager.endpoint import parse_endpoint
from manager.lab.faults import Fault
from manager.lab.lab import Host, Lab
from manager.model import Failure, FailureClass, Stage
from manager.secret import Secret, SecretSource
from manager.settings import ConnectionSettings, Policy
from tests.pki import Pki
from tests.unit.drivers.test_dial import Listener

CREATE = {"ami": ami.create, "sip": sip.create, "websocket": websocket.create}
TYPES = sorted(CREATE)
HOSTS = (Host("lab", sip=("lab-6000", "lab-6001"), websocket=("lab-websocket",), ami=("lab-ami",)),)
"""The second registration is the one over TCP."""


def settings_of(lab: Lab, kind: str) -> ConnectionSettings:
    return [each for each in lab.connections() if each.type == kind][-1]


async def failure_of_open(settings: ConnectionSettings) -> Failure:
    with pytest.raises(DriverError) as caught:
        async with asyncio.timeout(60):
            await CREATE[settings.type](settings, {}).open(settings.endpoints[0], Listener())
    return caught.value.failure


def at(settings: ConnectionSettings, host: str, port: int, *, tls: bool = False) -> ConnectionSettings:
    """Return the settings with another address."""
    secure = "s" if tls else ""
    address = {
        "ami": f"ami{secure}://{host}:{port}",
        "sip": f"sip:{host}:{port};transport={'tls' if tls else 'tcp'}",
        "websocket": f"ws{secure}://{host}:{port}/events",
    }[settings.type]
    return replace(settings, endpoints=(parse_endpoint(address),))


@pytest.mark.parametrize("kind", TYPES)
async def test_a_port_that_refuses_is_transient(kind: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with Lab(HOSTS) as lab:
            failure = await failure_of_open(at(settings_of(lab, kind), *taken.getsockname()))
    assert (failure.kind, failure.stage) == (FailureClass.TRANSIENT, Stage.CONNECT)
    assert (failure.reason, bool(failure.hint)) == ("connection refused", True)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize(
    ("number", "words", "hint"),
    [
        (socket.EAI_NONAME, "name not found", "spelling"),
        (socket.EAI_AGAIN, "the name server does not answer", "online"),
    ],
)
async def test_a_name_that_is_not_found_may_still_come_and_says_what_to_look_at(
    kind: str, number: int, words: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object, **__: object) -> None:
        raise socket.gaierror(number, "not known")

    async with Lab(HOSTS) as lab:
        settings = at(settings_of(lab, kind), "pbx.example", 5060)
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", fails)
        failure = await failure_of_open(settings)
    assert (failure.kind, failure.stage) == (FailureClass.TRANSIENT, Stage.LOOKUP)
    assert failure.reason == words
    assert hint in failure.hint


@pytest.mark.parametrize("kind", TYPES)
async def test_a_certificate_that_nobody_vouches_for_is_a_matter_of_configuration(
    kind: str, pki: Pki
) -> None:
    async with Lab(HOSTS) as lab:
        for server in lab.servers:
            server.tls = pki.server_context()
        settings = settings_of(lab, kind)
        port = {"ami": lab.ami, "sip": lab.sip, "websocket": lab.websocket}[kind]["lab"].port
        failure = await failure_of_open(at(settings, "127.0.0.1", port, tls=True))
    assert (failure.kind, failure.stage) == (FailureClass.CONFIGURATION, Stage.TLS)
    assert failure.reason.startswith("certificate refused")
    assert "ca_file" in failure.hint


@pytest.mark.parametrize("kind", TYPES)
async def test_a_wrong_secret_is_a_matter_of_the_credentials(kind: str) -> None:
    wrong = SecretSource(plain=Secret("canary-wrong"))
    async with Lab(HOSTS) as lab:
        settings = settings_of(lab, kind)
        field = {"query": {"api_key": wrong}} if kind == "websocket" else {"password": wrong}
        failure = await failure_of_open(replace(settings, **field))
    assert (failure.kind, failure.stage) == (FailureClass.CREDENTIALS, Stage.LOGIN)
    assert failure.hint
    assert "canary" not in repr(failure)


@pytest.mark.parametrize("kind", TYPES)
async def test_a_server_without_room_is_overloaded(kind: str) -> None:
    async with Lab(HOSTS) as lab:
        settings = settings_of(lab, kind)
        for server in lab.servers:
            server.fault = Fault.OVERLOAD
        failure = await failure_of_open(settings)
    assert failure.kind is FailureClass.OVERLOAD
    assert failure.hint
    asks = kind != "ami"
    assert (failure.retry_after is not None) is asks


@pytest.mark.parametrize("kind", TYPES)
async def test_a_server_that_hangs_is_given_up_at_the_deadline_of_the_engine_not_of_the_driver(
    kind: str,
) -> None:
    async with Lab(HOSTS, policy=Policy(connect_timeout=1.0)) as lab:
        settings = settings_of(lab, kind)
        for server in lab.servers:
            server.fault = Fault.HANG
        opening = asyncio.create_task(
            CREATE[kind](settings, {}).open(settings.endpoints[0], listener := Listener())
        )
        while listener.stages[-1:] not in ([Stage.HANDSHAKE], [Stage.LOGIN]):
            await asyncio.sleep(0.01)
        assert not opening.done()
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
