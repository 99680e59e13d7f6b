"""The doctor with a driver that does as it is told, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from manager.doctor import Diagnosis, Topic, examine_all
from manager.drivers.base import Memory
from manager.drivers.failures import NOT_LISTED
from manager.endpoint import parse_endpoint
from manager.engine.clock import Clock
from manager.model import Stage
from manager.secret import Secret, SecretSource
from manager.settings import ConnectionSettings, Policy
from manager.store import Store
from tests.engine.fakes import (
    CANARY,
    LOST,
    REFUSED,
    WRONG_SECRET,
    FakeDriver,
    FakeServer,
    FakeSettings,
    failure,
)
from tests.engine.virtual import VirtualClock

GONE = failure(reason=NOT_LISTED, stage=Stage.CHECK)


def connection(name: str = "one", host: str = "pbx1", **policy) -> FakeSettings:
    return FakeSettings(
        name=name,
        endpoints=(parse_endpoint(f"ami://{host}"),),
        password=SecretSource(plain=Secret(CANARY)),
        policy=Policy(**policy),
    )


async def examine(
    server: FakeServer, *connections: ConnectionSettings, create=FakeDriver, **options
) -> tuple[Diagnosis, ...]:
    clock: Clock = VirtualClock()

    def factory(settings: ConnectionSettings, memory: Memory) -> FakeDriver:
        return create(server)

    found = await examine_all(
        connections or [connection()], Store(), clock=clock, drivers={"fake": factory}, **options
    )
    assert not server.open_sessions
    return found


async def test_a_session_that_stays_is_closed_politely_once_it_was_held() -> None:
    server = FakeServer()
    (found,) = await examine(server, hold=3.0)
    assert found.well
    assert found.examinations[0].steps[-1].seconds == 3.0
    assert server.sessions[0].closed == [True]


async def test_a_session_that_does_not_stay_is_told_with_how_long_it_lived() -> None:
    server = FakeServer()
    asyncio.get_running_loop().call_later(2.0, server.drop_all, LOST)
    (found,) = await examine(server, hold=3.0)
    (examination,) = found.examinations
    assert examination.stops_at == "stays"
    assert (examination.steps[-1].seconds, examination.steps[-1].detail) == (2.0, "connection reset")
    assert examination.failure is not None
    assert "second program" in examination.failure.hint


async def test_a_contact_that_is_gone_after_a_while_is_a_second_program() -> None:
    server = FakeServer()
    asyncio.get_running_loop().call_later(2.0, setattr, server, "check", GONE)
    (found,) = await examine(server, hold=3.0)
    assert [each.topic for each in found.findings] == [Topic.SECOND_LOGIN]


async def test_one_that_is_not_held_is_not_waited_for() -> None:
    server = FakeServer()
    (found,) = await examine(server)
    assert [step.name for step in found.examinations[0].steps] == ["TCP", "heartbeat", "check"]
    assert asyncio.get_running_loop().time() == 0.0


@pytest.mark.parametrize(("probe", "step"), [("heartbeat", "heartbeat"), ("check", "check")])
async def test_one_that_hangs_once_it_is_up_is_given_the_time_of_a_heartbeat(probe: str, step: str) -> None:
    server = FakeServer()
    setattr(server, probe, FakeServer.HANG)
    (found,) = await examine(server, connection(heartbeat_timeout=7.0))
    assert found.examinations[0].stops_at == step
    assert found.examinations[0].steps[-1].seconds == 7.0


@pytest.mark.parametrize("wrong", [ZeroDivisionError("canary"), OSError("canary"), UnicodeError("canary")])
async def test_what_a_driver_raises_is_a_finding_and_not_the_end(wrong: Exception) -> None:
    for probe in ("open", "heartbeat", "check"):
        server = FakeServer()
        setattr(server, probe, wrong)
        (found,) = await examine(server)
        assert found.examinations[0].stops_at
        assert found.examinations[0].failure is not None
        assert "canary" not in repr(found)


async def test_connections_of_one_host_share_its_login_budget() -> None:
    server = FakeServer()
    server.open = WRONG_SECRET
    names = [connection(str(number), login_budget=2) for number in range(6)]
    found = await examine(server, *names)
    assert len(server.opens) == 2
    reasons = [each.examinations[0].failure.reason for each in found]
    assert sum("login budget is used up" in reason for reason in reasons) == 4


async def test_a_look_goes_no_further_than_a_peek() -> None:
    server = FakeServer()
    server.peek = None
    (found,) = await examine(server, connection(host="127.0.0.1"), log_in=False)
    assert [(step.name, step.ok) for step in found.examinations[0].steps] == [
        ("name", True),
        ("route", True),
        ("TCP", True),
        ("login", None),
    ]
    assert (len(server.peeks), server.opens) == (1, [])


class Inquiring(FakeDriver):
    """One that can be asked, and is not up."""

    async def inquire(self, endpoint, listener) -> float:
        listener.reached(Stage.CONNECT)
        listener.reached(Stage.HANDSHAKE)
        await self._server.answer(self._server.peek)
        return 0.01


async def test_one_that_can_be_asked_is_asked_first_and_without_an_answer_not_logged_in_to() -> None:
    server = FakeServer()
    server.peek = failure(reason="no answer", stage=Stage.HANDSHAKE)
    (found,) = await examine(server, create=Inquiring)
    assert found.examinations[0].stops_at == "OPTIONS"
    assert server.opens == []
    server.peek = None
    (found,) = await examine(server, create=Inquiring)
    assert found.well
    assert [step.name for step in found.examinations[0].steps][:2] == ["TCP", "OPTIONS"]


async def test_where_the_opening_stops_sooner_than_the_question_the_step_that_failed_is_the_last() -> None:
    server = FakeServer()
    server.peek, server.open = None, REFUSED
    (found,) = await examine(server, create=Inquiring)
    assert [(step.name, step.ok) for step in found.examinations[0].steps] == [
        ("OPTIONS", True),
        ("TCP", False),
    ]


async def test_cancelled_at_any_moment_it_leaves_nothing_open() -> None:
    for moment in (0.5, 1.5, 2.5, 4.0):
        server = FakeServer()
        server.open_takes = 1.0
        server.close_takes = 1.0
        running = asyncio.create_task(examine(server, hold=2.0))
        await asyncio.sleep(moment)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert not server.open_sessions


async def test_a_connection_whose_type_nobody_knows_is_an_error_by_itself() -> None:
    with pytest.raises(ValueError, match="no driver knows the connection type 'fake'"):
        await examine_all([connection()], Store())
