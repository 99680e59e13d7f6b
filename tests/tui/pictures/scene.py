"""What the pictures show: an exchange at a quarter past two at night, on a clock that stands still."""

from __future__ import annotations

import time
from collections.abc import Iterable
from types import ModuleType

import pytest
from msgspec.structs import replace

from manager.events import (
    Acknowledged,
    BandChanged,
    Commanded,
    Event,
    Flapping,
    MaxAttemptsReached,
    Muted,
    ProbeFailed,
    Recovered,
    StateChanged,
)
from manager.model import Band, BudgetStatus, Cost, MuteStatus, Phase, Status
from tests.tui import fake_client, remembered
from tests.tui.fake_client import DROPS, NO_ANSWER, connection, exchange
from tests.tui.remembered import SETTINGS, Remembering, outage, registration
from tui import follower
from tui.widgets import countdown, table

NOW = 1795400066.0
"""2026-11-23 02:14:26 UTC."""
_CONFIG = "/home/operator/.config"
BUDGET = BudgetStatus(host="pbx2", used=2, limit=4, window=600.0)
DESK = "desk-6001"
"""The connection whose details and messages are shown."""


class _StoppedTime(ModuleType):
    """The module `time` with two clocks that stand still."""

    def __init__(self) -> None:
        super().__init__("time")
        self.now = NOW

    def __getattr__(self, name: str) -> object:
        return getattr(time, name)

    @staticmethod
    def monotonic() -> float:
        return 1000.0

    def time(self) -> float:
        return self.now


_clock = _StoppedTime()


def stop_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have all walls and countdowns say one and the same instant; timers go on."""
    monkeypatch.setenv("XDG_CONFIG_HOME", _CONFIG)
    monkeypatch.setattr(time, "time", lambda: NOW)
    for module in (follower, countdown, table, fake_client, remembered):
        monkeypatch.setattr(module, "time", _clock)
    monkeypatch.setitem(fake_client.FACTS, "sip", {"expires_at": NOW + 45, "registrar": "pbx1"})


def statuses() -> Iterable[Status]:
    """Return connections in every phase and in every trouble besides."""
    made = {status.name: status for status in exchange()}
    made[DESK] = replace(made[DESK], costs=(Cost(100, "waiting: connection refused"),), generation=3, drops=1)
    return [
        *made.values(),
        connection("desk-6008", phase=Phase.STOPPED, host="pbx3"),
        connection("lobby-door", phase=Phase.WAITING, host="door", acknowledged=NOW - 1800),
        connection("trunk-lisbon", host="sbc3", flap=DROPS),
    ]


class Night(Remembering):
    """A manager whose health can be made up."""

    pretended: tuple[int | None, ...] = ()
    """A health to be told in place of the true one."""

    @property
    def health(self) -> int | None:
        return self.pretended[0] if self.pretended else super().health


def client() -> Night:
    """Return a manager in whose log a night can be read."""
    night = Night(*statuses(), budgets=(BUDGET,))
    night.mutes = (MuteStatus(group="pbx9", since=NOW - 600, until=NOW + 13534),)
    night.histories[DESK] = outage(DESK)
    night.rows[DESK] = SETTINGS
    night.wires[DESK] = registration()
    state = night.statuses

    def told(ago: float, kind: type[Event], **fields: object) -> None:
        _clock.now = NOW - ago
        night.emit(kind, **fields)

    told(1800, Acknowledged, status=state["lobby-door"])
    told(1640, Recovered, status=state["desk-6002"], downtime=9.0, attempts=3)
    told(400, MaxAttemptsReached, status=state["pbx9-ami"], attempts=15)
    told(400, StateChanged, status=state["pbx9-ami"], previous=Phase.CONNECTING)
    told(390, Muted, mute=night.mutes[0])
    told(240, Flapping, status=state["trunk-lisbon"])
    told(100, StateChanged, status=state["pbx2-ami"], previous=Phase.CONNECTING)
    told(78, BandChanged, band=Band.ORANGE, previous=Band.GREEN)
    told(70, Commanded, command="pause", connection="desk-6006")
    told(70, StateChanged, status=state["desk-6006"], previous=Phase.UP)
    told(60, ProbeFailed, status=state["trunk-telekom-berlin"], probe="heartbeat", failure=NO_ANSWER)
    told(41, StateChanged, status=state["desk-6002"], previous=Phase.SUSPECT)
    told(3, StateChanged, status=state["pbx1-ami"], previous=Phase.CONNECTING)
    told(3, StateChanged, status=state[DESK], previous=Phase.CONNECTING)
    _clock.now = NOW
    return night
