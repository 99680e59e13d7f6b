"""A driver of another package that misbehaves: its connection says so, the others go on, the end comes."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from manager.drivers.base import DriverError
from manager.endpoint import parse_endpoint
from manager.engine.containment import LET_GO, Containment, Misconduct, contained
from manager.engine.listener import GenerationListener
from manager.engine.soundness import MOST_FACTS, sound_facts, sound_failure, sound_latency
from manager.events import ProbeFailed, Reported
from manager.model import Failure, FailureClass, Phase, Stage
from manager.wire import WireKind
from tests.engine.fakes import REFUSED, FakeDriver, FakeServer, FakeSession, FakeSettings, House, until

Deed = Callable[[], Awaitable[Any]]
CALLS = ("open", "heartbeat", "check", "ended", "close", "peek")


class Custom(BaseException):
    pass


class Wild:
    """Drivers that do as they are told: `deeds` says what a call of connection `one` does instead."""

    def __init__(self) -> None:
        self.server = FakeServer()
        self.deeds: dict[str, Deed] = {}
        self.facts: Callable[[], object] = dict
        self.created: Callable[[], object] | None = None
        self.endless: list[Coroutine[Any, Any, None]] = []
        self.released = False

    def create(self, settings, memory) -> object:
        if settings.name == "one" and self.created is not None:
            return self.created()
        return WildDriver(self) if settings.name == "one" else FakeDriver(self.server)

    async def do(self, call: str, otherwise: Deed) -> Any:
        return await self.deeds.get(call, otherwise)()

    def goes_on(self, of: type[BaseException] = asyncio.CancelledError) -> Deed:
        """Return a deed that hangs, and goes on whatever of this kind it is thrown."""

        async def endless() -> None:
            while not self.released:
                try:
                    await asyncio.sleep(1000)
                except of:
                    continue

        def deed() -> Awaitable[None]:
            self.endless.append(endless())
            return self.endless[-1]

        return deed

    def release(self) -> None:
        self.released = True
        for each in self.endless:
            each.close()


class WildDriver(FakeDriver):
    def __init__(self, wild: Wild) -> None:
        super().__init__(wild.server)
        self.wild = wild

    async def open(self, endpoint, listener):
        async def otherwise():
            return WildSession(self.wild, await super(WildDriver, self).open(endpoint, listener), listener)

        return await self.wild.do("open", otherwise)

    async def peek(self, endpoint):
        await self.wild.do("peek", lambda: super(WildDriver, self).peek(endpoint))


class WildSession:
    def __init__(self, wild: Wild, session: FakeSession, listener) -> None:
        self.wild = wild
        self.session = session
        self.listener = listener

    @property
    def facts(self):
        return self.wild.facts()

    async def heartbeat(self):
        return await self.wild.do("heartbeat", self.session.heartbeat)

    async def check(self):
        return await self.wild.do("check", self.session.check)

    async def ended(self):
        return await self.wild.do("ended", self.session.ended)

    async def close(self, *, graceful):
        await self.wild.do("close", lambda: self.session.close(graceful=graceful))


@pytest.fixture
def wild() -> Wild:
    return Wild()


@pytest.fixture
async def house(wild: Wild):
    house = House(create=contained("fake", wild.create))
    house.server = wild.server
    async with house:
        yield house
    wild.release()


def raises(error: BaseException) -> Deed:
    async def deed() -> None:
        raise error

    return deed


def gives(answer: object) -> Deed:
    async def deed() -> object:
        return answer

    return deed


async def both_up(house: House) -> None:
    house.add()
    house.add("two", host="pbx2")
    await until(lambda: {house.status(name).phase for name in ("one", "two")} == {Phase.UP})


ERRORS = [ValueError("x"), SystemExit(3), GeneratorExit(), Custom(), asyncio.CancelledError(), MemoryError()]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
class TestWhatIsRaised:
    async def test_by_open_is_a_failed_attempt(self, wild, house, error):
        wild.deeds["open"] = raises(error)
        house.add()
        house.add("two", host="pbx2")
        await house.until(Phase.WAITING)
        failure = house.status().failure
        assert failure.reason == f"the fake driver raised {type(error).__name__}"
        assert failure.kind is FailureClass.TRANSIENT
        await house.until(Phase.UP, "two")
        del wild.deeds["open"]
        await house.until(Phase.UP)

    @pytest.mark.parametrize("probe", ["heartbeat", "check"])
    async def test_by_a_probe_is_a_failure_of_it(self, wild, house, error, probe):
        await both_up(house)
        wild.deeds[probe] = raises(error)
        await house.until(Phase.SUSPECT)
        assert house.of(ProbeFailed, "one")[0].probe == probe
        await house.until(Phase.WAITING)
        assert house.status().failure.reason == f"the fake driver raised {type(error).__name__}"
        assert house.status("two").phase is Phase.UP
        assert not house.of(ProbeFailed, "two")

    async def test_by_ended_is_the_end_of_the_session(self, wild, house, error):
        wild.deeds["ended"] = raises(error)
        house.add()
        house.add("two", host="pbx2")
        await house.until(Phase.WAITING)
        assert house.status().failure.reason == f"the fake driver raised {type(error).__name__}"
        await house.until(Phase.UP, "two")

    async def test_by_close_stands_in_nobodys_way(self, wild, house, error):
        await both_up(house)
        wild.deeds["close"] = raises(error)
        (result,) = await house.manager.force_reconnection("one")
        assert result.ok
        assert house.status("two").phase is Phase.UP

    async def test_by_facts_costs_the_facts(self, wild, house, error):
        wild.facts = lambda: (_ for _ in ()).throw(error)
        await both_up(house)
        await until(lambda: house.status().stable)
        assert house.status().facts == {}

    async def test_by_a_peek_is_no_sign_of_life(self, wild, house, error):
        wild.server.open = REFUSED
        wild.deeds["peek"] = raises(error)
        house.add()
        await house.until(Phase.PARKED)
        assert house.status("one").failure == REFUSED

    async def test_by_create_blocks_the_connection_until_it_is_created(self, wild, house, error):
        def created() -> None:
            raise error

        wild.created = created
        house.add()
        house.add("two", host="pbx2")
        await house.until(Phase.BLOCKED)
        reason = f"the fake driver was not created: it raised {type(error).__name__}"
        assert house.status().failure.reason == reason
        await house.until(Phase.UP, "two")
        wild.created = None
        (result,) = await house.manager.force_reconnection("one")
        assert result.ok


async def test_what_the_system_says_keeps_its_words(wild, house):
    wild.deeds["open"] = raises(ConnectionRefusedError(111, "x"))
    house.add()
    await house.until(Phase.WAITING)
    assert house.status().failure.reason == "connection refused"


async def test_the_log_tells_of_an_error_once_with_its_frames_and_without_its_message(wild, house, caplog):
    wild.deeds["open"] = raises(ValueError("a secret"))
    house.add()
    await house.until(Phase.PARKED)
    told = [record.getMessage() for record in caplog.records if "raised ValueError" in record.getMessage()]
    assert len(told) == 1
    assert "one: open of the fake driver" in told[0]
    assert "in deed" in told[0]
    assert "a secret" not in caplog.text


def test_ctrl_c_is_contained_where_no_person_can_have_pressed_it():
    told: list[str] = []

    async def main() -> None:
        try:
            await Containment("fake", "one").run("open", raises(KeyboardInterrupt()))
        except Misconduct as misconduct:
            told.append(str(misconduct))

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    thread.join()
    assert told == ["raised KeyboardInterrupt"]


@pytest.mark.parametrize("answer", [None, "0.1", math.nan, -1.0, math.inf, True, [0.1]], ids=repr)
async def test_a_heartbeat_without_a_round_trip_is_a_failure(wild, house, answer):
    await both_up(house)
    wild.deeds["heartbeat"] = gives(answer)
    await house.until(Phase.WAITING)
    assert house.status().failure.reason == "the fake driver gave no round trip for its heartbeat"
    assert house.status("two").phase is Phase.UP


async def test_a_check_without_a_finding_is_a_failure(wild, house):
    await both_up(house)
    wild.deeds["check"] = gives(None)
    await house.until(Phase.WAITING)
    assert house.status().failure.reason == "the fake driver did not say what its check found"


@pytest.mark.parametrize(
    "answer", [None, "gone", DriverError, replace(REFUSED, kind="gone"), replace(REFUSED, reason=None)]
)
async def test_an_end_without_a_reason_is_one_all_the_same(wild, house, answer):
    wild.deeds["ended"] = gives(answer)
    house.add()
    await house.until(Phase.WAITING)
    assert house.status().failure.reason == "the fake driver did not say why its session ended"


@pytest.mark.parametrize("answer", [None, "session", object()], ids=["None", "text", "object"])
async def test_an_open_without_a_session_is_a_failed_attempt(wild, house, answer):
    wild.deeds["open"] = gives(answer)
    house.add()
    await house.until(Phase.WAITING)
    assert house.status().failure.reason == "the fake driver opened no session"


@pytest.mark.parametrize("made", [None, "driver"])
async def test_a_create_without_a_driver_blocks_the_connection(wild, house, made):
    wild.created = lambda: made
    house.add()
    await house.until(Phase.BLOCKED)
    assert house.status().failure.reason == "the fake driver was not created: it has no open"


@pytest.mark.parametrize("failure", [None, "x", replace(REFUSED, reason=""), replace(REFUSED, kind=None)])
async def test_a_driver_error_without_a_failure_is_one_all_the_same(wild, house, failure):
    error = DriverError(REFUSED)
    error.failure = failure
    wild.deeds["open"] = raises(error)
    house.add()
    await house.until(Phase.WAITING)
    assert house.status().failure.reason == "the fake driver raised a failure that is none"


async def test_facts_that_cannot_be_shown_are_left_out_and_told_once(wild, house, caplog):
    wild.facts = lambda: {"ok": 1, "list": [1], "nan": math.nan, 3: "x", "huge": 10**30, "long": "y" * 10_000}
    await both_up(house)
    await until(lambda: house.status().stable)
    facts = house.status().facts
    assert set(facts) == {"ok", "long"}
    assert len(facts["long"]) < 200
    assert len([record for record in caplog.records if "cannot be shown" in record.getMessage()]) == 1


@pytest.mark.parametrize("facts", [None, "facts", [("a", 1)]], ids=repr)
async def test_facts_that_are_none_are_left_out(wild, house, facts):
    wild.facts = lambda: facts
    await both_up(house)
    assert house.status().facts == {}


def test_there_is_a_bound_on_how_many_facts_are_shown():
    facts, whole = sound_facts({str(number): number for number in range(10_000)})
    assert len(facts) == MOST_FACTS
    assert not whole


async def test_what_goes_over_its_wire_is_recorded_where_it_is_a_message(wild, house):
    await both_up(house)
    listener = house.manager.session("one").listener
    listener.wire("telegram", b"no kind", sent=True)
    listener.wire(WireKind.TEXT, None, sent=True)
    listener.wire(WireKind.TEXT, b"message", sent=True)
    first = await anext(house.manager.wire("one"))
    assert (first.text, first.sent, first.generation) == ("message", True, 1)


async def test_what_a_session_reports_is_made_fit_to_be_shown(wild, house):
    sessions: list[WildSession] = []
    opens = WildDriver.open

    async def open_and_keep(driver, endpoint, listener):
        sessions.append(await opens(driver, endpoint, listener))
        return sessions[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WildDriver, "open", open_and_keep)
        await both_up(house)
    listener = sessions[0].listener
    listener.reported("a\x1b[31m", ["no text"], {"n": math.nan, "k": 1})
    (event,) = house.of(Reported, "one")
    assert (event.report, event.text, event.fields) == ("a\ufffd[31m", "", {"k": 1})
    listener.reached("nowhere")
    listener.using(None)
    for _ in range(3):
        listener.refreshed("broken")
    await house.until(Phase.WAITING)
    assert house.status().failure.reason == "the fake driver did not say why its refresh failed"


@given(st.one_of(st.floats(), st.integers(), st.text(), st.none(), st.booleans()))
def test_a_latency_is_a_finite_number_from_nothing_or_none(value):
    latency = sound_latency(value)
    assert latency is None or (type(latency) is float and 0.0 <= latency < math.inf)


@given(st.text(max_size=500), st.one_of(st.floats(), st.none(), st.text()))
def test_a_failure_is_one_line_and_bounded(reason, retry_after):
    failure = sound_failure(
        Failure(kind=FailureClass.OVERLOAD, stage=Stage.LOGIN, reason=reason, retry_after=retry_after),
        Stage.SESSION,
    )
    if failure is None:
        assert not reason
        return
    assert failure.reason.isprintable()
    assert len(failure.reason) <= 120
    assert failure.retry_after is None or 0.0 <= failure.retry_after <= 24 * 3600


async def under_way(house: House, wild: Wild, call: str, deed: Deed) -> None:
    """Return when connection `one` is in the midst of a call that does this."""
    begun = asyncio.Event()

    async def told() -> object:
        begun.set()
        return await deed()

    if call == "peek":
        wild.server.open = REFUSED
    if call in ("open", "ended", "peek"):
        wild.deeds[call] = told
        house.add()
    else:
        await both_up(house)
        wild.deeds[call] = told
    if call == "close":
        house.manager.resume("one")
        pausing = asyncio.create_task(house.manager.pause("one"))
        pausing.add_done_callback(lambda _: None)
    async with asyncio.timeout(100):
        await begun.wait()


@pytest.mark.parametrize("of", [asyncio.CancelledError, BaseException])
@pytest.mark.parametrize("call", CALLS)
async def test_a_stop_ends_in_time_whatever_goes_on_although_it_was_cancelled(wild, house, call, of, caplog):
    own = asyncio.all_tasks()
    await under_way(house, wild, call, wild.goes_on(of))
    began = house.clock.monotonic()
    await house.manager.stop()
    assert house.clock.monotonic() - began <= 3.0 + 2 * LET_GO
    assert set(house.manager.states.values()) == {Phase.STOPPED}
    assert f"one: the fake driver goes on with its {call} although it was cancelled (1 so far)" in caplog.text
    await asyncio.sleep(0.1)
    assert asyncio.all_tasks() <= own


async def test_an_open_that_goes_on_is_a_failed_attempt_that_says_so(wild, house):
    await under_way(house, wild, "open", wild.goes_on())
    await house.until(Phase.WAITING)
    reason = "the fake driver goes on with its open although it was cancelled"
    assert house.status().failure.reason == reason
    del wild.deeds["open"]
    await house.until(Phase.UP)


@pytest.mark.parametrize("probe", ["heartbeat", "check"])
async def test_a_probe_that_goes_on_is_a_failure_that_says_so(wild, house, probe):
    await under_way(house, wild, probe, wild.goes_on())
    await house.until(Phase.WAITING)
    reason = f"the fake driver goes on with its {probe} although it was cancelled"
    assert house.status().failure.reason == reason
    assert house.status("two").phase is Phase.UP
    assert wild.server.sessions[0].closed == [False]


async def test_a_session_of_which_a_call_was_ended_by_force_is_closed_at_once(wild, house):
    await under_way(house, wild, "heartbeat", wild.goes_on())
    await house.manager.stop()
    assert wild.server.sessions[0].closed == [False]
    assert wild.server.sessions[1].closed == [True]


async def test_an_ended_that_goes_on_does_not_hide_why_the_session_was_given_up(wild, house):
    await under_way(house, wild, "ended", wild.goes_on())
    wild.deeds["heartbeat"] = raises(DriverError(REFUSED))
    await house.until(Phase.WAITING)
    assert house.status().failure.reason == REFUSED.reason


async def test_a_session_that_comes_although_it_was_given_up_is_closed(wild, house):
    async def late() -> object:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            wild.late = WildSession(wild, FakeSession(wild.server, None), None)
        return wild.late

    await under_way(house, wild, "open", late)
    await house.manager.stop()
    assert wild.late.session.closed == [True]


async def test_a_program_gets_the_session_itself_to_send_on(wild, house):
    await both_up(house)
    assert isinstance(house.manager.session("one"), WildSession)


@pytest.mark.parametrize(
    ("answer", "outcome"), [(True, True), (False, False), ("yes", False), (Custom("x"), DriverError)]
)
async def test_a_spare_stands_by_and_is_promoted_at_arms_length(answer, outcome):
    class Standby(FakeSession):
        async def promote(self):
            if isinstance(answer, BaseException):
                raise answer
            return answer

    class StandbyDriver(FakeDriver):
        async def open_standby(self, endpoint, listener):
            return await self.open(endpoint, listener, Standby)

    settings = FakeSettings(name="one", endpoints=(parse_endpoint("ami://pbx1"),))
    driver = contained("wild", lambda *_: StandbyDriver(FakeServer()))(settings, {})
    session = await driver.open_standby(settings.endpoints[0], GenerationListener(Mock(), "pbx1"))
    if outcome is DriverError:
        with pytest.raises(DriverError, match="the wild driver raised Custom"):
            await session.promote()
    else:
        assert await session.promote() is outcome


async def test_a_spare_of_a_driver_that_knows_none_is_an_ordinary_session():
    settings = FakeSettings(name="one", endpoints=(parse_endpoint("ami://pbx1"),))
    driver = contained("wild", lambda *_: FakeDriver(FakeServer()))(settings, {})
    session = await driver.open_standby(settings.endpoints[0], GenerationListener(Mock(), "pbx1"))
    assert not await session.promote()
    assert await session.heartbeat() > 0
