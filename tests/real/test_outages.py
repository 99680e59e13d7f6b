"""Outages of real servers, with everything shortened that may be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from manager.events import Event, MaxAttemptsReached, Reconnected, Recovered, StateChanged
from manager.manager import ConnectionManager
from manager.model import Phase
from manager.secret import SecretSource
from manager.settings import AmiSettings, ConnectionSettings, Policy, SipSettings
from tests.real.asterisk import Asterisk
from tests.real.authority import Authority
from tests.real.connections import SHORT, ami, ari, everything, sip, under, until
from tests.real.kamailio import Kamailio
from tests.real.managed import DOWN, are, are_stable, events


async def test_every_connection_notices_a_kill_and_is_back_after_a_restart(
    registrar: Asterisk | Kamailio, authority: Authority
) -> None:
    connections = under(SHORT, *everything(registrar, authority))
    async with ConnectionManager(connections) as manager:
        await until(are_stable(manager))
        registrar.kill()
        await until(are(manager, *DOWN))
        registrar.launch()
        await until(are_stable(manager), 20)
        lost = {event.connection for event in events(manager) if isinstance(event, Recovered)}
        assert lost == set(manager.states)
        (back,) = (event for event in events(manager) if isinstance(event, Reconnected))
        assert set(back.connections) == lost
        assert manager.health == 100
        assert [len(registrar.contacts(f"600{number}")) for number in range(1, 6)] == [1] * 5
    assert [registrar.contacts(f"600{number}") for number in range(1, 6)] == [[]] * 5


async def test_a_server_that_is_only_half_started_blocks_nobody(
    asterisk: Asterisk, authority: Authority
) -> None:
    # Asterisk answers 404 where a module that serves the path is not loaded yet, and refuses AMI actions.
    eager = msgspec.structs.replace(SHORT, base_delay=0.02, max_delay=0.02, max_attempts=1000)
    async with ConnectionManager(under(eager, *everything(asterisk, authority))) as manager:
        await until(are_stable(manager))
        asterisk.kill()
        await until(are(manager, *DOWN))
        asterisk.launch()
        await until(are_stable(manager), 20)
        assert not [event for event in events(manager) if getattr(event, "phase", None) is Phase.BLOCKED]


async def test_every_connection_notices_a_hang_and_is_back_after_it(
    registrar: Asterisk | Kamailio, authority: Authority
) -> None:
    connections = under(SHORT, *everything(registrar, authority))
    async with ConnectionManager(connections) as manager:
        await until(are_stable(manager))
        registrar.freeze()
        suspects: set[str] = set()
        manager.on("connection:stateChanged", _note(suspects, Phase.SUSPECT))
        await until(are(manager, *DOWN))
        assert suspects == set(manager.states)
        registrar.thaw()
        await until(are_stable(manager), 20)


async def test_a_short_hang_costs_no_session(registrar: Asterisk | Kamailio, authority: Authority) -> None:
    patient = msgspec.structs.replace(SHORT, unhealthy_threshold=60)
    async with ConnectionManager(under(patient, *everything(registrar, authority))) as manager:
        await until(are_stable(manager))
        registrar.freeze()
        await until(are(manager, Phase.SUSPECT))
        registrar.thaw()
        await until(are(manager, Phase.UP))
        assert {status.generation for status in manager.get_connection_status().values()} == {1}


async def test_a_registration_that_the_server_has_forgotten_is_noticed_by_the_health_check(
    registrar: Asterisk | Kamailio,
) -> None:
    policy = msgspec.structs.replace(SHORT, health_interval=0.5)
    async with ConnectionManager(under(policy, sip(registrar, transport="udp"))) as manager:
        await until(are_stable(manager))
        registrar.forget_contacts("6001")
        assert registrar.contacts("6001") == []
        await until(lambda: len(registrar.contacts("6001")) == 1)
        await until(are_stable(manager))


async def test_after_the_last_attempt_it_is_told_once_and_slow_probes_find_the_server_again(
    asterisk: Asterisk,
) -> None:
    hurried = msgspec.structs.replace(SHORT, base_delay=0.02, max_delay=0.05, cooldown=0.5)
    async with ConnectionManager(under(hurried, ami(asterisk), ari(asterisk), sip(asterisk))) as manager:
        await until(are_stable(manager))
        asterisk.kill()
        await until(are(manager, Phase.PARKED))
        given_up = [event for event in events(manager) if isinstance(event, MaxAttemptsReached)]
        assert sorted(event.connection for event in given_up) == sorted(manager.states)
        assert {event.attempts for event in given_up} == {15}
        asterisk.launch()
        await until(are_stable(manager))
        assert len([event for event in events(manager) if isinstance(event, MaxAttemptsReached)]) == 3


async def test_what_an_operator_asks_for_is_done_and_measured(
    asterisk: Asterisk, authority: Authority
) -> None:
    async with ConnectionManager(under(SHORT, *everything(asterisk, authority))) as manager:
        await until(are(manager, Phase.UP))
        for result in await manager.refresh_status():
            assert result.ok, result
            assert result.seconds
        for result in await manager.force_reconnection():
            assert result.ok, result
            assert result.status.phase is Phase.UP
            assert result.status.generation == 2
        asterisk.kill()
        await until(are(manager, *DOWN))
        assert not any(result.ok for result in await manager.force_reconnection())


async def test_wrong_secrets_are_tried_twice_a_connection_and_four_times_a_host_in_ten_minutes(
    asterisk: Asterisk,
) -> None:
    policy = Policy(base_delay=0.1, max_delay=0.2)
    wrong: list[ConnectionSettings] = [
        ami(asterisk, "monitor", secret="wrong"),
        ami(asterisk, "limited", secret="wrong"),
        sip(asterisk, "6001", "udp", secret="wrong"),
        sip(asterisk, "6002", "tcp", secret="wrong"),
        sip(asterisk, "6003", "ws", secret="wrong"),
    ]
    async with ConnectionManager(under(policy, *wrong)) as manager:
        await until(are(manager, Phase.BLOCKED))
        await until(lambda: asterisk.ami_refusals() + asterisk.sip_refusals() == 4)
        (budget,) = manager.snapshot().budgets
        assert (budget.used, budget.limit) == (4, 4)
        changes = [event for event in events(manager) if isinstance(event, StateChanged)]
        began = min(event.time for event in changes)
        # Ten minutes are not waited out: nobody has planned a login before they are over.
        for status in manager.get_connection_status().values():
            assert status.next_attempt is not None
            assert status.next_attempt - began >= 600


@pytest.mark.parametrize("kind", ["ami", "sip"])
async def test_a_wrong_secret_is_tried_twice_and_a_mended_one_is_picked_up(
    asterisk: Asterisk, tmp_path: Path, kind: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("wrong")
    refusals = asterisk.ami_refusals if kind == "ami" else asterisk.sip_refusals
    settings: AmiSettings | SipSettings = ami(asterisk) if kind == "ami" else sip(asterisk)
    settings = msgspec.structs.replace(settings, password=SecretSource(file=secret))
    policy = msgspec.structs.replace(SHORT, health_interval=0.5)
    async with ConnectionManager(under(policy, settings)) as manager:
        await until(are(manager, Phase.BLOCKED))
        await until(lambda: refusals() == 2)
        secret.write_text(asterisk.secrets[settings.username])
        await until(are(manager, Phase.UP))
        assert refusals() == 2


@pytest.mark.parametrize("kind", ["ami", "sip"])
async def test_a_secret_changed_on_the_server_blocks_after_two_refusals_and_changed_back_is_taken_at_once(
    asterisk: Asterisk, kind: str
) -> None:
    refusals = asterisk.ami_refusals if kind == "ami" else asterisk.sip_refusals
    settings = ami(asterisk) if kind == "ami" else sip(asterisk)
    async with ConnectionManager(under(SHORT, settings)) as manager:
        await until(are_stable(manager))
        asterisk.set_secret(settings.username, "changed")
        asterisk.restart()
        await until(are(manager, Phase.BLOCKED))
        await until(lambda: refusals() == 2)
        asterisk.set_secret(settings.username, f"secret-of-{settings.username}")
        (result,) = await manager.force_reconnection()
        assert result.ok, result
        assert refusals() == 2


def _note(names: set[str], phase: Phase) -> Callable[[Event], None]:
    def note(event: Event) -> None:
        if isinstance(event, StateChanged) and event.phase is phase:
            names.add(event.connection)

    return note
