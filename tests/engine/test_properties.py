"""Whatever servers, operators and time do, in any order: what holds at every event and after every stop."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from unittest import mock

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, example, given, settings

from manager.drivers.base import Memory, SessionListener
from manager.endpoint import Endpoint, parse_endpoint
from manager.engine import health
from manager.errors import UnknownConnectionError
from manager.events import (
    ConnectionEvent,
    Event,
    MaxAttemptsReached,
    Reconnected,
    Stable,
    StateChanged,
    WokenByPeek,
    WokenBySibling,
    replay,
)
from manager.listeners import EVENT_NAMES
from manager.manager import ConnectionManager
from manager.model import FailureClass, Phase, Status
from manager.secret import SecretSource
from manager.settings import ConnectionSettings, Policy
from tests.engine.fakes import (
    CANARY,
    LOST,
    REFUSED,
    WRONG_SECRET,
    FakeDriver,
    FakeServer,
    FakeSession,
    FakeSettings,
    failure,
)
from tests.engine.virtual import VirtualClock, VirtualLoop

S, C, U, D, W, P, B, R = (
    Phase.STOPPED,
    Phase.CONNECTING,
    Phase.UP,
    Phase.SUSPECT,
    Phase.WAITING,
    Phase.PARKED,
    Phase.BLOCKED,
    Phase.PAUSED,
)
LEGAL = {
    S: {C, R},
    R: {C, S},
    C: {U, W, P, B, S, R},
    U: {D, W, P, B, C, S, R},
    D: {U, W, P, B, C, S, R},
    W: {C, S, R},
    P: {C, S, R},
    B: {C, S, R},
}
"""The phases that may follow each: `C` after `U` is a reconnection that was asked for."""

HOSTS = {"a": "pbx1", "b": "pbx1", "c": "pbx1", "d": "pbx2"}
OPEN = {"a", "b", "d"}
"""Those that log in with a secret; `c` has none."""
POLICY = Policy(max_attempts=3, blocked_retry=60.0, cooldown=100.0, jitter=0.2)
CHANCE = 0.5
STOP_WITHIN = 3.0
"""Seconds that the longest polite close may take."""

FAULTS = {
    "none": None,
    "refused": REFUSED,
    "hang": FakeServer.HANG,
    "wrong secret": WRONG_SECRET,
    "permanent": failure(FailureClass.PERMANENT, "forbidden"),
    "overload": failure(FailureClass.OVERLOAD, "busy", retry_after=45.0),
    "foreign": KeyError("foreign"),
    "cancelled": asyncio.CancelledError(),
}

names = st.sampled_from(sorted(HOSTS))
seconds = st.sampled_from([0.0, 0.0, 0.01, 0.5, 1.0, 2.0, 7.0, 31.0, 65.0, 400.0])
steps = st.one_of(
    st.tuples(st.just("open"), names, st.sampled_from(sorted(FAULTS))),
    st.tuples(st.just("heartbeat"), names, st.sampled_from(sorted(FAULTS))),
    st.tuples(st.just("peek"), names, st.sampled_from(["none", "none", *sorted(FAULTS)])),
    st.tuples(st.just("check"), names, st.sampled_from(sorted(FAULTS))),
    st.tuples(st.sampled_from(["open_takes", "close_takes", "abort_takes"]), names, seconds),
    st.tuples(st.just("drop"), names, st.sampled_from(["lost", "refused"])),
    st.tuples(st.just("force"), st.none() | names, st.integers(0, 7)),
    st.tuples(st.just("refresh"), st.none() | names, st.none()),
    st.tuples(st.sampled_from(["pause", "resume", "remove", "add", "rotate"]), names, st.none()),
    st.tuples(st.just("sleep"), st.none(), seconds),
    st.tuples(st.just("sleep"), st.none(), seconds),
    st.tuples(st.just("sleep"), st.none(), seconds),
)


class Server(FakeServer):
    """A server that takes note of logins, so that they can be held against the budget."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__()
        self.world, self.name = world, name


class Driver(FakeDriver):
    async def open(self, endpoint: Endpoint, listener: SessionListener) -> FakeSession:
        server = self._server
        world, name = server.world, server.name
        world.opens(HOSTS[name])
        if name not in OPEN:
            return await super().open(endpoint, listener)
        reserved = world.login_begins(name)
        version = world.version(name)
        try:
            session = await super().open(endpoint, listener)
        except BaseException as error:
            if getattr(error, "failure", None) == WRONG_SECRET:
                world.refused(name)
            raise
        finally:
            if reserved:
                world.reserved[HOSTS[name]] -= 1
        world.accepted[name] = version
        return session


class World:
    """A manager over four servers, watched at every event."""

    def __init__(self) -> None:
        self.servers = {name: Server(self, name) for name in HOSTS}
        self.clock = VirtualClock()
        self.manager = ConnectionManager(
            clock=self.clock, drivers={"fake": self.create}, chance=lambda: CHANCE
        )
        self.commands: set[asyncio.Task] = set()
        self.events: list[Event] = []
        self.statuses: dict[str, Status] = {}
        self.count: dict[str, int] = defaultdict(int)
        """The last numbered attempt since the count began."""
        self.announced: set[str] = set()
        self.wished: dict[str, float] = defaultdict(lambda: -1e9)
        self.waits: dict[str, float] = {}
        """When the wait under way began."""
        self.deadlines: dict[str, float] = {}
        """When it ends, as announced last."""
        self.woken: dict[str, set[type]] = defaultdict(set)
        """What has ended the wait under way of each."""
        self.opened_at: dict[str, float] = defaultdict(lambda: -1e9)
        """By host, when a connection to it was opened last."""
        self.rotated: set[str] = set()
        self.accepted: dict[str, object] = {}
        self.refusals: dict[str, list[float]] = defaultdict(list)
        self.reserved: dict[str, int] = defaultdict(int)
        self.overridden = False
        self.fault: BaseException | None = None

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def create(self, given: ConnectionSettings, memory: Memory) -> FakeDriver:
        return Driver(self.servers[given.name])

    def opens(self, host: str) -> None:
        self.hold(self.now - self.opened_at[host] >= 1 / POLICY.start_rate - 1e-6, "opened too soon")
        self.opened_at[host] = self.now

    # --- credentials ------------------------------------------------------------------------------------

    def version(self, name: str) -> object:
        return os.environ[f"SECRET_{name}"]

    def login_begins(self, name: str) -> bool:
        host = HOSTS[name]
        recent = [time for time in self.refusals[host] if time + POLICY.login_window > self.now]
        if self.accepted.get(name) == self.version(name) and not recent:
            return False
        self.reserved[host] += 1
        if not self.overridden:
            self.hold(len(recent) + self.reserved[host] <= POLICY.login_budget, "a login beyond the budget")
        return True

    def refused(self, name: str) -> None:
        self.accepted.pop(name, None)
        self.refusals[HOSTS[name]].append(self.now)

    # --- what happens -----------------------------------------------------------------------------------

    async def act(self, what: str, name: str | None, how: object) -> None:  # noqa: C901, PLR0912 - a table
        server, manager = self.servers.get(name), self.manager
        managed = name in manager.states
        match what:
            case "open" | "heartbeat" | "check" | "peek":
                setattr(server, what, FAULTS[how])
            case "open_takes" | "close_takes" | "abort_takes":
                setattr(server, what, how)
            case "drop":
                for session in list(server.open_sessions):
                    up = managed and manager.states[name].connected
                    if how == "refused" and name in OPEN and up and not session.over.done():
                        self.overridden = (
                            True  # A session that ends by a refusal draws on the budget as well.
                        )
                    session.drop(LOST if how == "lost" else WRONG_SECRET)
            case "force":
                override = how == 0
                self.overridden = self.overridden or override
                for each in [name] if name else HOSTS:
                    self.wished[each] = self.now
                self.command(manager.force_reconnection(name, override=override))
            case "refresh":
                self.command(manager.refresh_status(name))
            case "pause":
                self.command(manager.pause(name))
            case "remove":
                self.command(manager.remove(name))
            case "resume" if managed:
                manager.resume(name)
            case "add" if not managed:
                self.add(name)
            case "rotate":
                os.environ[f"SECRET_{name}"] += "x"
                self.rotated.add(name)
            case "sleep":
                await asyncio.sleep(how)
                return
        if how in (1, 2, 3):
            await asyncio.sleep(0)

    def add(self, name: str) -> None:
        password = SecretSource(env=f"SECRET_{name}") if name in OPEN else None
        endpoints = (parse_endpoint(f"ami://{HOSTS[name]}"),)
        self.manager.add(FakeSettings(name=name, endpoints=endpoints, policy=POLICY, password=password))

    def command(self, asked) -> None:
        self.commands.add(asyncio.create_task(asked))

    # --- what must hold ---------------------------------------------------------------------------------

    def hold(self, true: object, claim: str) -> None:
        if not true and self.fault is None:
            self.fault = AssertionError(f"{claim} (at {self.now:g} s, event {len(self.events)})")

    def heard(self, event: Event) -> None:
        try:
            self.check(event)
        except Exception as error:  # noqa: BLE001 - a listener that raises would only be detached
            self.fault = self.fault or error

    def check(self, event: Event) -> None:
        self.events.append(event)
        self.hold(event.seq == len(self.events), "a number is missing")
        self.statuses = replay([event], self.statuses)
        self.hold(
            self.statuses == self.manager.get_connection_status(), "the replay differs from the snapshot"
        )
        self.hold(event.health == health.aggregate(self.statuses.values()), "the health is not the mean")
        if isinstance(event, StateChanged):
            self.check_change(event)
        if isinstance(event, WokenBySibling):
            sibling = self.statuses[event.sibling]
            self.hold(sibling.phase.connected and sibling.group == event.status.group, "woken by nobody")
        if isinstance(event, WokenBySibling | WokenByPeek):
            self.check_wake(event)
        if isinstance(event, ConnectionEvent):
            self.check_status(event.status)
            self.deadlines[event.connection] = event.status.deadline or 0.0
        if isinstance(event, Stable):
            self.count[event.connection] = 0
            self.announced.discard(event.connection)
        if isinstance(event, MaxAttemptsReached):
            self.hold(event.phase is P and event.connection not in self.announced, "announced twice")
            self.announced.add(event.connection)
        if isinstance(event, Reconnected):
            lost = [each.name for each in self.statuses.values() if each.down_since is not None]
            self.hold(not lost, f"reconnected though lost: {lost}")

    def check_wake(self, event: WokenBySibling | WokenByPeek) -> None:
        name, status = event.connection, event.status
        self.hold(type(event) not in self.woken[name], "woken twice in a wait")
        self.woken[name].add(type(event))
        self.hold(status.phase in (W, P), f"woken though {status.phase}")
        self.hold(status.failure.kind in (FailureClass.TRANSIENT, FailureClass.OVERLOAD), "woken in vain")
        asked = self.waits[name] + (status.failure.retry_after or 0.0)
        self.hold(asked <= status.deadline < self.deadlines[name], "woken too early or too late")

    def check_change(self, event: StateChanged) -> None:
        name, phase, attempt = event.connection, event.phase, event.status.attempt
        self.waits[name] = self.now
        self.woken.pop(name, None)
        self.hold(phase in LEGAL[event.previous], f"{event.previous} → {phase}")
        if phase is W:
            self.hold(attempt == self.count[name] + 1, f"attempt {attempt} after {self.count[name]}")
            self.hold(attempt <= POLICY.max_attempts, "an attempt beyond the last")
        elif phase is C:
            self.check_attempt(name, event.previous, attempt)
        elif phase is P:
            self.hold(self.count[name] >= POLICY.max_attempts, "parked too early")
        elif phase in (B, S, R):
            self.count[name] = 0
            self.announced.discard(name)

    def check_attempt(self, name: str, previous: Phase, attempt: int) -> None:
        if previous in (S, R):
            self.hold(attempt == 0, f"the first open has number {attempt}")
        elif previous is W and attempt == self.count[name] + 1 and self.now - self.wished[name] > STOP_WITHIN:
            self.hold(self.now >= self.deadlines[name] - 1e-6, "ends too early")
            self.count[name] = attempt
        elif previous in (P, B) and attempt == 0:
            self.hold(self.now >= self.deadlines[name] - 1e-6, "ends too early")
        else:
            awaited = self.now - self.wished[name] <= STOP_WITHIN
            self.hold(awaited or (previous is B and name in self.rotated), f"{previous} ends unasked")
            self.hold(attempt in (1, self.count[name] + 1), f"attempt {attempt} after {self.count[name]}")
            self.count[name] = attempt
            if attempt == 1:
                self.announced.discard(name)

    def check_status(self, status: Status) -> None:
        waits = status.phase in (W, P, B)
        self.hold(waits == (status.deadline is not None), "a deadline out of place")
        if waits:
            # Other events of the same wait may come at its very end.
            self.hold(status.deadline >= self.now, "the deadline has passed")
        if status.phase is W:
            asked = (status.failure.retry_after or 0.0) if status.failure else 0.0
            plain = min(POLICY.base_delay * 2 ** (status.attempt - 1), POLICY.max_delay)
            expected = max(plain * (1 - POLICY.jitter * CHANCE), asked)
            self.check_wait(status, expected)
        elif status.phase is P:
            self.check_wait(status, POLICY.cooldown)
        elif status.phase is B:
            self.hold(0 < status.wait <= POLICY.login_window, "the wait of a blocked one")
        if status.stable or status.phase in (P, B, S, R):
            self.hold(status.attempt == 0, f"{status.phase} has attempt {status.attempt}")
        if not status.phase.connected:
            session = (status.failures, status.latency, status.stable, status.up_since, status.facts)
            self.hold(session == (0, None, False, None, {}), f"{status.phase} shows a session")
        lost = health.costs(status, POLICY)
        self.hold((status.costs, status.score) == (lost, health.score(lost)), "the score is not its own")

    def check_wait(self, status: Status, expected: float) -> None:
        if self.woken.get(status.name):
            expected = min(expected, status.deadline - self.waits[status.name])
        self.hold(status.wait == pytest.approx(expected), f"waits {status.wait}, not {expected}")

    def look(self) -> None:
        """Look at what no event tells."""
        if self.fault is not None:
            raise self.fault
        for name, server in self.servers.items():
            assert server.most_open <= 1, f"{name} had two sessions at once"
            status = self.statuses.get(name)
            if status is not None and status.phase is P:
                assert name in self.announced, "parked without a word"


async def live(story: list[tuple[str, str | None, object]]) -> None:
    loop, own = asyncio.get_running_loop(), asyncio.current_task()
    world = World()
    for name in EVENT_NAMES:
        world.manager.on(name, world.heard)
    for name in HOSTS:
        world.add(name)
    for step in story:
        await world.act(*step)
        world.look()
    began = loop.time()
    await world.manager.stop()
    assert loop.time() - began <= STOP_WITHIN + 0.001, "stopping took too long"
    world.look()
    if world.commands:
        await asyncio.wait(world.commands, timeout=0.001)
    for command in world.commands:
        assert command.done(), "a command outlives the manager"
        error = command.exception()
        assert error is None or isinstance(error, UnknownConnectionError), repr(error)
    assert asyncio.all_tasks() == {own}, "a task is left"
    assert not [timer for timer in loop._scheduled if not timer.cancelled()], "a timer is left"
    assert not [server.name for server in world.servers.values() if server.open_sessions]
    assert {status.phase for status in world.statuses.values()} <= {S}
    world.look()


def run(story: list[tuple[str, str | None, object]]) -> None:
    secrets = {f"SECRET_{name}": CANARY for name in HOSTS}
    with mock.patch.dict(os.environ, secrets), asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(live(story))


@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.lists(steps, min_size=5, max_size=40))
@example([("open", "a", "refused"), ("drop", "a", "lost"), ("sleep", None, 400.0), ("sleep", None, 400.0)])
@example(
    [
        *[("open", name, "refused") for name in "abc"],
        *[("drop", name, "lost") for name in "abc"],
        ("sleep", None, 2.0),
        ("open", "a", "none"),
        ("sleep", None, 2.0),
        ("sleep", None, 65.0),
    ]
)
@example([("open", "a", "wrong secret"), ("rotate", "a", None), ("sleep", None, 400.0)])
def test_whatever_happens_the_engine_holds_its_word(story):
    run(story)
