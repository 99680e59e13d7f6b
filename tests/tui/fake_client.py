"""A manager that does what a test tells it: sets statuses, sends events, keeps and answers commands."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

from msgspec.structs import replace

from manager.client import Command
from manager.effective import SettingRow
from manager.errors import UnknownConnectionError
from manager.events import ConnectionEvent, Event, Gap, Removed, StateChanged
from manager.history import History
from manager.model import (
    Band,
    BudgetStatus,
    Cost,
    Failure,
    FailureClass,
    Flap,
    FlapCause,
    MuteStatus,
    Outcome,
    Phase,
    Position,
    Snapshot,
    Stage,
    Status,
)
from manager.wire import WireMessage

CLOCK_AHEAD = 5000.0
"""The manager's monotonic clock is another one, so that a test notices when it is not converted."""

REFUSED = Failure(
    kind=FailureClass.TRANSIENT,
    stage=Stage.CONNECT,
    reason="connection refused",
    hint="nothing listens there",
)
WRONG_SECRET = Failure(
    kind=FailureClass.CREDENTIALS, stage=Stage.LOGIN, reason="wrong secret or ACL", hint="mend the password"
)
NO_ANSWER = Failure(kind=FailureClass.TRANSIENT, stage=Stage.HEARTBEAT, reason="no answer to OPTIONS")

DROPS = Flap(
    cause=FlapCause.IDLE_TIMEOUT,
    after=60.0,
    reason="drops after 60 s of silence",
    hint="heartbeat_interval = 40 or less keeps it open",
)


class FakeClient:
    """Stands in for a manager."""

    def __init__(self, *statuses: Status, budgets: tuple[BudgetStatus, ...] = ()) -> None:
        self.statuses = {status.name: status for status in statuses}
        self.budgets = budgets
        self.mutes: tuple[MuteStatus, ...] = ()
        self.embedded = True
        self.commands: list[Command] = []
        self.answer: Callable[[Command], Outcome] = lambda _command: ()
        self.snapshots = 0
        self.snapshot_error: Exception | None = None
        self.told: list[Event | Gap] = []
        self.histories: dict[str, History] = {}
        self.rows: dict[str, tuple[SettingRow, ...]] = {}
        self.wires: dict[str, list[WireMessage | Gap]] = {}
        self.epoch = "first"
        self._seq = 0
        self._readers: list[asyncio.Queue[Event | Gap | None]] = []

    @property
    def health(self) -> int | None:
        scores = [status.score for status in self.statuses.values() if status.phase.counts]
        return sum(scores) // len(scores) if scores else None

    async def snapshot(self) -> Snapshot:
        self.snapshots += 1
        if self.snapshot_error is not None:
            raise self.snapshot_error
        return Snapshot(
            position=Position(self.epoch, self._seq),
            time=time.time(),
            monotonic=time.monotonic() + CLOCK_AHEAD,
            statuses=tuple(self.statuses.values()),
            budgets=self.budgets,
            mutes=self.mutes,
            health=self.health,
            band=Band.UNKNOWN,
        )

    async def events(self, since: Position) -> AsyncIterator[Event | Gap]:
        reader: asyncio.Queue[Event | Gap | None] = asyncio.Queue()
        for event in self.told:
            if isinstance(event, Gap) or event.seq > since.seq:
                reader.put_nowait(event)
        self._readers.append(reader)
        try:
            while (event := await reader.get()) is not None:
                yield event
        finally:
            self._readers.remove(reader)

    async def command(self, command: Command) -> Outcome:
        self.commands.append(command)
        await asyncio.sleep(0)
        return self.answer(command)

    async def history(self, name: str) -> History:
        self._known(name)
        return self.histories.get(name, History(connection=name))

    async def settings(self, name: str) -> tuple[SettingRow, ...]:
        self._known(name)
        return self.rows.get(name, ())

    async def wire(self, name: str, since: Position | None = None) -> AsyncIterator[WireMessage | Gap]:
        """Yield what a test has put in `wires`; then wait for ever, as on a connection that is silent."""
        self._known(name)
        for message in self.wires.get(name, []):
            if since is None or isinstance(message, Gap) or message.position.seq > since.seq:
                yield message
        await asyncio.get_running_loop().create_future()

    def _known(self, name: str) -> None:
        if name not in self.statuses:
            raise UnknownConnectionError(f"no connection is called {name!r}")

    def emit(self, kind: type[Event], **fields: object) -> Event:
        """Publish an event; a status in it is the connection's new one."""
        self._seq += 1
        status = fields.get("status")
        if isinstance(status, Status):
            self.statuses[status.name] = status
        event = kind(seq=self._seq, time=time.time(), health=self.health, **fields)
        self.told.append(event)
        self._send(event)
        return event

    def change(self, name: str, **changes: object) -> ConnectionEvent:
        """Publish a change of a connection's phase."""
        before = self.statuses[name]
        after = replace(before, **changes)
        event = self.emit(StateChanged, status=scored(after), previous=before.phase)
        assert isinstance(event, ConnectionEvent)
        return event

    def emit_removed(self, name: str) -> None:
        """Publish that a connection is gone."""
        status = self.statuses[name]
        self.emit(Removed, status=status)
        del self.statuses[name]

    def miss_events(self, missed: int = 7) -> None:
        """Have readers see a gap."""
        self._send(Gap(missed=missed))

    def end_streams(self) -> None:
        """End what is being read, as a manager does that goes away."""
        self._send(None)

    def _send(self, event: Event | Gap | None) -> None:
        for reader in self._readers:
            reader.put_nowait(event)


def scored(status: Status) -> Status:
    """Give a status the points that its phase is worth."""
    if status.costs:
        return replace(status, score=100 - sum(cost.points for cost in status.costs))
    return replace(status, score={Phase.UP: 100, Phase.SUSPECT: 66}.get(status.phase, 0))


def connection(name: str, type_name: str = "sip", phase: Phase = Phase.UP, **fields: object) -> Status:
    """Return a status with what its phase usually has."""
    now = time.time()
    host = str(fields.pop("host", "pbx1"))
    usual: dict[str, object] = {"group": host, "endpoint": _endpoint(type_name, host), "since": now - 60}
    if phase is Phase.UP:
        latency = fields.get("latency", 0.012)
        usual |= {"latency": latency, "usual_latency": latency, "stable": True, "up_since": now - 3600}
        usual["facts"] = FACTS.get(type_name, {})
    elif phase is Phase.SUSPECT:
        usual |= {"latency": 0.012, "failures": 1, "failure": NO_ANSWER, "up_since": now - 3600}
    elif phase is Phase.WAITING:
        usual |= waiting(8.0, 5.0) | {"attempt": 4, "down_since": now - 78}
    elif phase is Phase.CONNECTING:
        usual |= {"attempt": 4, "failure": REFUSED, "down_since": now - 78}
    elif phase is Phase.PARKED:
        usual |= waiting(300.0, 212.0) | {"down_since": now - 400}
    elif phase is Phase.BLOCKED:
        usual |= waiting(1800.0, 1700.0) | {"failure": WRONG_SECRET, "down_since": now - 100}
    return scored(Status(name=name, type=type_name, phase=phase, **(usual | fields)))


def waiting(wait: float, left: float) -> dict[str, object]:
    """Return the fields of a wait of which `left` seconds are left."""
    return {
        "wait": wait,
        "deadline": time.monotonic() + CLOCK_AHEAD + left,
        "next_attempt": time.time() + left,
        "failure": REFUSED,
    }


def slow(name: str, **fields: object) -> Status:
    """Return a connection that is up but slow to answer."""
    cost = Cost(11, "slow: 240 ms, usually 12 ms")
    return connection(name, latency=0.240, usual_latency=0.012, costs=(cost,), **fields)


FACTS = {
    "sip": {"expires_at": time.time() + 45, "registrar": "pbx1"},
    "ami": {"version": "22.10.1", "calls": 4},
    "websocket": {"messages_in": 1204, "messages_out": 3, "subprotocol": "sip"},
}


def _endpoint(type_name: str, host: str) -> str:
    return {"sip": f"{host}:5060/tcp", "ami": f"{host}:5038", "websocket": f"wss://{host}/events"}.get(
        type_name, host
    )


def exchange() -> list[Status]:
    """Return fifteen connections, among them one in every trouble."""
    return [
        connection("desk-6001", phase=Phase.WAITING),
        connection("trunk-telekom-berlin", phase=Phase.SUSPECT, host="sbc2", endpoint="sbc2:5061/tls"),
        connection("desk-6006", phase=Phase.PAUSED, host="pbx3"),
        connection("desk-6002", host="pbx2"),
        connection("desk-6003", host="pbx2"),
        connection("desk-6004", host="pbx3", latency=0.009),
        slow("desk-6005", host="pbx3"),
        connection("fax-gw", host="pbx4", latency=0.006),
        connection("backend", "websocket", Phase.CONNECTING),
        connection("ari", "websocket", host="pbx3", latency=0.002),
        connection("events", "websocket", host="bus2", latency=0.003, endpoint="wss://bus2:8443/v1"),
        connection("pbx2-ami", "ami", Phase.BLOCKED, host="pbx2"),
        connection("pbx1-ami", "ami", Phase.WAITING),
        connection("pbx3-ami", "ami", host="pbx3", latency=0.002),
        connection("pbx9-ami", "ami", Phase.PARKED, host="pbx9"),
    ]


BUDGET = BudgetStatus(host="pbx2", used=2, limit=4, window=600.0)
