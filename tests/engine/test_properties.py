"""Whatever servers, operators and time do, in any order: what holds at every event and after every stop."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from unittest import mock

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings

from manager.drivers.base import Memory, SessionListener
from manager.endpoint import Endpoint, parse_endpoint
from manager.engine import health
from manager.errors import ManagerGoneError, UnknownConnectionError
from manager.events import (
    Acknowledged,
    ConnectionEvent,
    Event,
    FailedOver,
    MaxAttemptsReached,
    Reconnected,
    SpareChanged,
    Stable,
    StateChanged,
    WokenByPeek,
    WokenBySibling,
    replay,
    replay_mutes,
)
from manager.listeners import EVENT_NAMES
from manager.manager import ConnectionManager
from manager.model import FailureClass, MuteStatus, Phase, Status
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

WORSE = (S, R, U, D, W, P, B)
"""The phases but for attempts, each worse than those before it."""

HOSTS = {
    "a": ("pbx1",),
    "b": ("pbx1",),
    "c": ("pbx1",),
    "d": ("pbx2",),
    "e": ("pbx3", "pbx4"),
    "f": ("pbx1", "pbx2", "pbx3"),
}
"""Of the endpoints of each; those with several have a spare."""
OPEN = {"a", "b", "d", "e"}
"""Those that log in with a secret; `c` and `f` have none."""
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

PLACES = {
    name if len(hosts) == 1 else f"{name}@{host}": (name, host)
    for name, hosts in HOSTS.items()
    for host in hosts
}
"""Each has a server of its own, as each connection has on each of its hosts."""

names = st.sampled_from(sorted(HOSTS))
places = st.sampled_from(sorted(PLACES))
seconds = st.sampled_from([0.0, 0.0, 0.01, 0.5, 1.0, 2.0, 7.0, 31.0, 65.0, 400.0])
steps = st.one_of(
    st.tuples(st.just("open"), places, st.sampled_from(sorted(FAULTS))),
    st.tuples(st.just("heartbeat"), places, st.sampled_from(sorted(FAULTS))),
    st.tuples(st.just("peek"), places, st.sampled_from(["none", "none", *sorted(FAULTS)])),
    st.tuples(st.just("check"), places, st.sampled_from(sorted(FAULTS))),
    st.tuples(st.sampled_from(["open_takes", "close_takes", "abort_takes"]), places, seconds),
    st.tuples(st.just("drop"), places, st.sampled_from(["lost", "refused"])),
    st.tuples(st.just("force"), st.none() | names, st.integers(0, 7)),
    st.tuples(st.just("refresh"), st.none() | names, st.none()),
    st.tuples(st.sampled_from(["pause", "resume", "remove", "add", "rotate"]), names, st.none()),
    st.tuples(st.just("reload"), names, st.sampled_from(["same", "changed", "toggled", "invalid"])),
    st.tuples(st.sampled_from(["skip", "skip", "acknowledge"]), names, st.integers(0, 3)),
    st.tuples(st.just("mute"), names, seconds),
    st.tuples(st.just("sleep"), st.none(), seconds),
    st.tuples(st.just("sleep"), st.none(), seconds),
    st.tuples(st.just("sleep"), st.none(), seconds),
)


class Server(FakeServer):
    """A server that takes note of logins, so that they can be held against the budget."""

    def __init__(self, world: World, name: str, host: str) -> None:
        super().__init__()
        self.world, self.name, self.host = world, name, host


class Driver:
    def __init__(self, world: World, name: str) -> None:
        self._world, self._name = world, name

    async def open(self, endpoint: Endpoint, listener: SessionListener) -> FakeSession:
        world, name, host = self._world, self._name, endpoint.host
        world.opens(host)
        if name not in OPEN:
            return await self._open(endpoint, listener)
        reserved = world.login_begins(name, host)
        version = world.version(name)
        try:
            session = await self._open(endpoint, listener)
        except BaseException as error:
            if getattr(error, "failure", None) == WRONG_SECRET:
                world.refused(name, host)
            raise
        finally:
            if reserved:
                world.reserved[host] -= 1
        world.accepted[name, host] = version
        return session

    async def _open(self, endpoint: Endpoint, listener: SessionListener) -> FakeSession:
        world, name = self._world, self._name
        session = await FakeDriver(world.server_at(name, endpoint.host)).open(endpoint, listener)
        world.hold(world.sessions_of(name) <= 1 + (len(HOSTS[name]) > 1), "one session too many")
        return session

    async def peek(self, endpoint: Endpoint) -> None:
        await FakeDriver(self._world.server_at(self._name, endpoint.host)).peek(endpoint)


class World:
    """A manager over a server for each place, watched at every event."""

    def __init__(self) -> None:
        self.servers = {place: Server(self, *where) for place, where in PLACES.items()}
        self.weights = dict.fromkeys(HOSTS, 1.0)
        """What a reload changes."""
        self.moves: dict[str, int] = defaultdict(int)
        """Opens of another endpoint, without a number, since the round began."""
        self.clock = VirtualClock()
        self.manager = ConnectionManager(
            clock=self.clock, drivers={"fake": self.create}, chance=lambda: CHANCE
        )
        self.commands: set[asyncio.Task] = set()
        self.events: list[Event] = []
        self.statuses: dict[str, Status] = {}
        self.mutes: dict[str, MuteStatus] = {}
        self.rested: dict[str, Phase] = {}
        """The last phase of each that was not an attempt."""
        self.known: dict[str, Phase] = {}
        """In which of these its trouble was acknowledged."""
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
        self.accepted: dict[tuple[str, str], object] = {}
        self.refusals: dict[str, list[float]] = defaultdict(list)
        self.reserved: dict[str, int] = defaultdict(int)
        self.overridden = False
        self.fault: BaseException | None = None

    @property
    def groups(self) -> set[str]:
        return {status.group for status in self.statuses.values()}

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def create(self, given: ConnectionSettings, memory: Memory) -> Driver:
        return Driver(self, given.name)

    def server_at(self, name: str, host: str) -> Server:
        return next(each for each in self.servers.values() if (each.name, each.host) == (name, host))

    def sessions_of(self, name: str) -> int:
        return sum(len(each.open_sessions) for each in self.servers.values() if each.name == name)

    def opens(self, host: str) -> None:
        self.hold(self.now - self.opened_at[host] >= 1 / POLICY.start_rate - 1e-6, "opened too soon")
        self.opened_at[host] = self.now

    # --- credentials ------------------------------------------------------------------------------------

    def version(self, name: str) -> object:
        return os.environ[f"SECRET_{name}"]

    def login_begins(self, name: str, host: str) -> bool:
        recent = [time for time in self.refusals[host] if time + POLICY.login_window > self.now]
        if self.accepted.get((name, host)) == self.version(name) and not recent:
            return False
        self.reserved[host] += 1
        if not self.overridden:
            self.hold(len(recent) + self.reserved[host] <= POLICY.login_budget, "a login beyond the budget")
        return True

    def refused(self, name: str, host: str) -> None:
        self.accepted.pop((name, host), None)
        self.refusals[host].append(self.now)

    # --- what happens -----------------------------------------------------------------------------------

    async def act(self, what: str, name: str | None, how: object) -> None:  # noqa: C901, PLR0912 - a table
        server, manager = self.servers.get(name), self.manager
        if name in PLACES:
            name, _ = PLACES[name]
        managed = name in manager.states
        match what:
            case "open" | "heartbeat" | "check" | "peek":
                setattr(server, what, FAULTS[how])
            case "open_takes" | "close_takes" | "abort_takes":
                setattr(server, what, how)
            case "drop":
                for session in list(server.open_sessions):
                    up = managed and manager.states[name] in (U, D, C)
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
            case "reload":
                self.command(self.reload(name, how))
            case "skip":
                self.command(manager.skip(name))
            case "acknowledge" if managed:
                manager.acknowledge(name, withdraw=how == 0)
            case "mute" if HOSTS[name][0] in self.groups:
                manager.mute(HOSTS[name][0], how)
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
        self.manager.add(self.settings(name))

    def settings(self, name: str) -> FakeSettings:
        return FakeSettings(
            name=name,
            endpoints=tuple(parse_endpoint(f"ami://{host}") for host in HOSTS[name]),
            policy=POLICY,
            password=SecretSource(env=f"SECRET_{name}") if name in OPEN else None,
            spare=len(HOSTS[name]) > 1,
            weight=self.weights[name],
        )

    async def reload(self, name: str, how: str) -> None:
        wanted = [
            each for each in HOSTS if (each in self.manager.states) != (how == "toggled" and each == name)
        ]
        if how == "changed":
            self.weights[name] += 1.0
        settings = [self.settings(each) for each in wanted]
        if how != "invalid":
            await self.manager.reload(settings)
            return
        settings += [self.settings(name)] * 2
        with pytest.raises(ValueError, match="two connections are named"):
            await self.manager.reload(settings)

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
        before = self.statuses
        self.statuses = replay([event], self.statuses)
        self.hold(
            self.statuses == self.manager.get_connection_status(), "the replay differs from the snapshot"
        )
        self.check_mutes(event)
        self.hold(event.health == health.aggregate(self.statuses.values()), "the health is not the mean")
        if isinstance(event, StateChanged):
            self.check_change(event)
        if isinstance(event, SpareChanged):
            without = msgspec.structs.replace(event.status, spare=before[event.connection].spare)
            self.hold(without == before[event.connection], "a spare touches more than itself")
        if isinstance(event, FailedOver):
            self.check_failover(event)
        if isinstance(event, WokenBySibling):
            sibling = self.statuses[event.sibling]
            self.hold(sibling.phase.connected and sibling.group == event.status.group, "woken by nobody")
        if isinstance(event, WokenBySibling | WokenByPeek):
            self.check_wake(event)
        if isinstance(event, ConnectionEvent):
            self.check_status(event.status)
            self.check_acknowledgement(event)
            self.deadlines[event.connection] = event.status.deadline or 0.0
        if isinstance(event, Stable):
            self.count[event.connection] = self.moves[event.connection] = 0
            self.announced.discard(event.connection)
        if isinstance(event, MaxAttemptsReached):
            self.hold(event.phase is P and event.connection not in self.announced, "announced twice")
            self.announced.add(event.connection)
        if isinstance(event, Reconnected):
            lost = [each.name for each in self.statuses.values() if each.down_since is not None]
            self.hold(not lost, f"reconnected though lost: {lost}")

    def check_mutes(self, event: Event) -> None:
        self.mutes = replay_mutes([event], self.mutes)
        self.hold(tuple(self.mutes.values()) == self.manager.snapshot().mutes, "other mutes are replayed")
        for mute in self.mutes.values():
            self.hold(mute.until > self.clock.wall() - 0.001, "a mute outlives its time")

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
        if phase is W and attempt == 0:
            self.moves[name] += 1
            self.hold(self.moves[name] < len(HOSTS[name]), "moves without end")
        elif phase is W:
            self.hold(attempt == self.count[name] + 1, f"attempt {attempt} after {self.count[name]}")
            self.hold(attempt <= POLICY.max_attempts, "an attempt beyond the last")
        elif phase is C:
            self.check_attempt(name, event.previous, attempt)
        elif phase is P:
            self.hold(self.count[name] >= POLICY.max_attempts, "parked too early")
        elif phase in (B, S, R):
            self.count[name] = self.moves[name] = 0
            self.announced.discard(name)

    def check_failover(self, event: FailedOver) -> None:
        name, status = event.connection, event.status
        self.hold(len(HOSTS[name]) > 1, "a spare that nobody wished for")
        self.hold(status.phase is U and status.spare is None, "failed over, but not up")
        self.hold(event.previous != status.endpoint, "failed over to the same endpoint")

    def check_attempt(self, name: str, previous: Phase, attempt: int) -> None:
        if previous in (S, R):
            self.hold(attempt == 0, f"the first open has number {attempt}")
        elif previous is W and attempt == 0:
            self.hold(len(HOSTS[name]) > 1, "a move without another endpoint")
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
            self.moves[name] = 0
            if attempt == 1:
                self.announced.discard(name)

    def check_acknowledgement(self, event: ConnectionEvent) -> None:
        name, status = event.connection, event.status
        if status.phase is not C:
            self.rested[name] = status.phase
        if status.acknowledged is None:
            return
        if isinstance(event, Acknowledged):
            # The trouble of an attempt is that of the wait before it, or that it is lost.
            self.known[name] = max(self.rested.get(name, W), W if status.phase is C else U, key=WORSE.index)
        worst = WORSE.index(self.known[name])
        self.hold(status.phase is C or WORSE.index(status.phase) <= worst, "acknowledged, and now worse")
        self.hold(
            not status.stable or status.phase is D or status.costs or status.flap,
            "acknowledged, and all is well",
        )

    def check_status(self, status: Status) -> None:
        waits = status.phase in (W, P, B)
        self.hold(waits == (status.deadline is not None), "a deadline out of place")
        if waits:
            # Other events of the same wait may come at its very end.
            self.hold(status.deadline >= self.now, "the deadline has passed")
        if status.phase is W and status.attempt == 0:
            self.check_wait(status, 0.0)
        elif status.phase is W:
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
        if status.spare is not None:
            self.check_spare(status)
        lost = health.costs(status, POLICY)
        self.hold((status.costs, status.score) == (lost, health.score(lost)), "the score is not its own")

    def check_spare(self, status: Status) -> None:
        spare = status.spare
        self.hold(status.phase in (U, D, C), f"a spare though {status.phase}")
        self.hold(spare.phase in (C, U, D, W, P, B), f"a spare that is {spare.phase}")
        self.hold((spare.phase in (W, P, B)) == (spare.next_attempt is not None), "a time out of place")
        if spare.phase in (C, U, D):
            self.hold(spare.endpoint != status.endpoint, "a spare on the endpoint in use")

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
            status = self.statuses.get(server.name)
            if status is not None and status.phase is P:
                assert server.name in self.announced, "parked without a word"


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
        allowed = (UnknownConnectionError, ManagerGoneError)
        assert error is None or isinstance(error, allowed), repr(error)
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
@example(
    [
        ("sleep", None, 65.0),
        ("drop", "e@pbx3", "lost"),
        ("sleep", None, 2.0),
        ("open", "e@pbx3", "hang"),
        ("drop", "e@pbx4", "lost"),
        ("sleep", None, 400.0),
        ("reload", "e", "changed"),
        ("sleep", None, 65.0),
    ]
)
def test_whatever_happens_the_engine_holds_its_word(story):
    run(story)


@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(st.lists(steps.filter(lambda step: step[1] is None or step[1][0] in "ef"), min_size=5, max_size=40))
def test_whatever_happens_to_a_pool_with_a_spare_the_engine_holds_its_word(story):
    run([("sleep", None, 65.0), *story])
