"""The doctor at servers that are out of order: where it stops, what it says, and what it leaves alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from manager.doctor import Diagnosis, Examination, Report, Topic, examine_all
from manager.endpoint import parse_endpoint
from manager.lab.ami import AmiServer
from manager.lab.faults import Fault
from manager.lab.lab import Host, Lab
from manager.manager import ConnectionManager
from manager.model import FailureClass
from manager.secret import Secret, SecretSource
from manager.settings import AmiSettings, ConnectionSettings, Policy
from manager.store import Store
from tests.pki import Pki
from tui.diagnosis import text_of

PATIENT = Policy(connect_timeout=20, heartbeat_timeout=20)
HASTY = replace(PATIENT, connect_timeout=2.0)
"""For servers that never answer…"""
BRIEF = replace(PATIENT, heartbeat_timeout=0.2, suspect_timeout=0.2)
"""…and for those that fall silent after the login."""

SIP, WEBSOCKET, AMI = "sip", "websocket", "ami"


def of_type(kind: str, connections: Sequence[ConnectionSettings]) -> ConnectionSettings:
    return next(each for each in connections if each.type == kind)


async def examined(settings: ConnectionSettings, store: Store | None = None, **options) -> Diagnosis:
    (found,) = await examine_all([settings], store or Store(), **options)
    return found


async def at_fault(kind: str, fault: Fault, policy: Policy = PATIENT) -> tuple[Examination, Lab]:
    async with Lab(policy=policy) as lab:
        for server in lab.servers:
            server.fault = fault
        lab.ami["lab"].refusal_hold = 0.0
        found = await examined(of_type(kind, lab.connections()))
    return found.examinations[0], lab


async def test_what_is_well_is_gone_through_step_by_step_and_nothing_is_left() -> None:
    hosts = (Host("lab", sip=("udp-6001", "tcp-6002"), websocket=("events",), ami=("ami",)),)
    async with Lab(hosts, policy=PATIENT) as lab:
        found = await examine_all(lab.connections(), Store())
        assert all(each.well and each.examinations[0].usable for each in found)
        steps = {each.name: [step.name for step in each.examinations[0].steps] for each in found}
        assert steps == {
            "udp-6001": [
                "name",
                "route",
                "UDP",
                "OPTIONS",
                "secret",
                "handshake",
                "login",
                "heartbeat",
                "check",
            ],
            "tcp-6002": [
                "name",
                "route",
                "TCP",
                "OPTIONS",
                "secret",
                "handshake",
                "login",
                "heartbeat",
                "check",
            ],
            "events": ["secret", "name", "route", "TCP", "login", "heartbeat", "check"],
            "ami": ["secret", "name", "route", "TCP", "handshake", "login", "heartbeat", "check"],
        }
        assert [server.logins for server in lab.servers] == [2, 1, 1]
        assert not lab.sip["lab"].registrar.bindings("6001")
        assert lab.ami["lab"].actions[-1] == "Logoff"


@pytest.mark.parametrize(
    ("kind", "fault", "policy", "step", "reason"),
    [
        (SIP, Fault.REFUSE, PATIENT, "OPTIONS", "connection refused"),
        (SIP, Fault.WRONG_PASSWORD, PATIENT, "login", "wrong user name or password"),
        (SIP, Fault.OVERLOAD, PATIENT, "handshake", "asks for patience (503"),
        (SIP, Fault.HANG, HASTY, "OPTIONS", "no answer in 2 s"),
        (WEBSOCKET, Fault.REFUSE, PATIENT, "TCP", "connection refused"),
        (WEBSOCKET, Fault.WRONG_PASSWORD, PATIENT, "login", "refuses who we are (401"),
        (WEBSOCKET, Fault.OVERLOAD, PATIENT, "login", "asks for patience (503"),
        (WEBSOCKET, Fault.HANG_AFTER_LOGIN, BRIEF, "heartbeat", "no answer in 0.2 s"),
        (WEBSOCKET, Fault.GARBAGE, PATIENT, "login", "is not HTTP"),
        (AMI, Fault.REFUSE, PATIENT, "TCP", "connection refused"),
        (AMI, Fault.WRONG_PASSWORD, PATIENT, "login", "wrong AMI secret or ACL"),
        (AMI, Fault.OVERLOAD, PATIENT, "handshake", "closed without a word"),
        (AMI, Fault.ACCEPT_AND_CLOSE, PATIENT, "handshake", "closed without a word"),
    ],
)
async def test_it_says_where_it_stops_why_and_what_to_do(
    kind: str, fault: Fault, policy: Policy, step: str, reason: str
) -> None:
    found, _ = await at_fault(kind, fault, policy)
    assert found.stops_at == step == found.steps[-1].name
    assert found.failure is not None
    assert reason in found.failure.reason
    assert found.failure.hint
    assert not found.usable


async def test_a_registrar_that_does_not_answer_options_is_sent_no_login() -> None:
    _, lab = await at_fault(SIP, Fault.HANG, HASTY)
    assert (lab.sip["lab"].logins, lab.sip["lab"].refused) == (0, 0)


async def test_without_a_login_it_looks_as_far_as_that_goes() -> None:
    async with Lab(policy=PATIENT) as lab:
        found = await examine_all(lab.connections(), Store(), log_in=False)
        assert [server.logins for server in lab.servers] == [0, 0, 0]
        for each in found:
            (examination,) = each.examinations
            last = examination.steps[-1]
            assert (last.name, last.ok) == ("login", None)
            assert each.well
            assert not examination.usable
        assert [step.name for step in found[0].examinations[0].steps][:4] == [
            "name",
            "route",
            "UDP",
            "OPTIONS",
        ]


async def test_a_registration_that_lives_elsewhere_is_not_touched_by_a_look() -> None:
    async with Lab(policy=PATIENT) as lab:
        lab.sip["lab"].registrar.max_contacts = 1
        settings = of_type(SIP, lab.connections())
        async with ConnectionManager([settings]) as manager:
            async with asyncio.timeout(60):
                while not manager.states[settings.name].connected:
                    await asyncio.sleep(0.02)
            before = lab.sip["lab"].registrar.bindings("6001")
            assert (await examined(settings, log_in=False)).well
            assert lab.sip["lab"].registrar.bindings("6001") == before
            assert lab.sip["lab"].logins == 1


async def test_a_question_that_is_not_answered_does_not_cost_the_registration_its_port() -> None:
    async with Lab(policy=PATIENT) as lab:
        store, settings = Store(), of_type(SIP, lab.connections())
        await examined(settings, store)
        before = dict(store.section(f"connection {settings.name}"))
        lab.sip["lab"].fault = Fault.HANG
        await examined(replace(settings, policy=HASTY), store)
        assert dict(store.section(f"connection {settings.name}")) == before != {}


async def test_a_place_that_another_program_holds_is_told_as_one_reason_of_a_403() -> None:
    async with Lab(policy=PATIENT) as lab:
        lab.sip["lab"].registrar.max_contacts = 1
        settings = of_type(SIP, lab.connections())
        async with ConnectionManager([settings]) as manager:
            async with asyncio.timeout(60):
                while not manager.states[settings.name].connected:
                    await asyncio.sleep(0.02)
            found = await examined(settings)
    assert found.examinations[0].stops_at == "login"
    (second,) = found.findings
    assert second.topic is Topic.SECOND_LOGIN
    assert "takes one Contact" in second.says


async def test_a_refused_login_is_not_sent_to_the_next_endpoint_of_the_host() -> None:
    async with Lab(policy=PATIENT) as lab, AmiServer(username="x", password=Secret("y")) as other:
        server = lab.ami["lab"]
        server.fault, server.refusal_hold = Fault.WRONG_PASSWORD, 0.0
        settings = of_type(AMI, lab.connections())
        second = parse_endpoint(f"ami://{other.host}:{other.port}")
        found = await examined(replace(settings, endpoints=(*settings.endpoints, second)))
        first, next_one = found.examinations
        assert first.stops_at == "login"
        assert next_one.steps[-1].detail == "refused before, and not sent again"
        assert (server.refused, other.refused) == (1, 0)


async def test_the_login_budget_is_shared_with_the_runs_before(tmp_path: Path) -> None:
    async with Lab(policy=replace(PATIENT, login_budget=1)) as lab:
        server = lab.ami["lab"]
        server.fault, server.refusal_hold = Fault.WRONG_PASSWORD, 0.0
        settings = of_type(AMI, lab.connections())
        await examined(settings, Store(tmp_path / "state.json"))
        again = (await examined(settings, Store(tmp_path / "state.json"))).examinations[0]
        assert server.refused == 1
        assert again.stops_at == "login"
        assert again.failure is not None
        assert "the login budget is used up" in again.failure.reason
        assert "the next one may go in 10 min" in again.failure.hint


async def test_a_certificate_that_nobody_vouches_for_is_told_with_its_cure(pki: Pki) -> None:
    async with AmiServer(username="monitor", password=Secret("canary-1")) as server:
        server.tls = pki.server_context()
        settings = AmiSettings(
            name="ami",
            endpoints=(parse_endpoint(f"amis://127.0.0.1:{server.port}"),),
            username="monitor",
            password=SecretSource(plain=Secret("canary-1")),
            policy=PATIENT,
        )
        (found,) = (await examined(settings)).examinations
    assert found.stops_at == "TLS"
    assert found.failure is not None
    assert found.failure.kind is FailureClass.CONFIGURATION
    assert "ca_file" in found.failure.hint


async def test_a_secret_that_is_missing_is_told_before_anything_is_opened() -> None:
    async with Lab(policy=PATIENT) as lab:
        settings = of_type(AMI, lab.connections())
        assert isinstance(settings, AmiSettings)
        (found,) = (await examined(replace(settings, password=SecretSource(env="NOT_SET")))).examinations
        assert found.stops_at == "secret"
        assert lab.ami["lab"].connects == 0


async def test_the_text_fits_80_columns_and_names_no_secret() -> None:
    async with Lab(policy=PATIENT) as lab:
        lab.ami["lab"].fault, lab.ami["lab"].refusal_hold = Fault.WRONG_PASSWORD, 0.0
        found = await examine_all(lab.connections(), Store())
    report = Report(config="/etc/trunkline/config.toml", logged_in=True, connections=found)
    for verbose in (False, True):
        text = text_of(report, verbose=verbose)
        assert max(map(len, text.splitlines())) <= 80
        assert "stops at: login" in text
        assert text.splitlines()[-1] == "1 of 3 not well: lab-ami"
