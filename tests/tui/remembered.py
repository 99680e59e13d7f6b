"""What a manager remembers of a connection, as tests make it up: a history, settings, messages."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from manager.effective import SettingRow
from manager.events import Gap
from manager.history import (
    History,
    PhaseChange,
    Sample,
    SeenFailure,
    SetAside,
    attempts_in,
    sessions_in,
)
from manager.model import Failure, Phase, Position, Status
from manager.wire import WireKind, WireMessage, summary_of, text_of
from tests.tui.fake_client import NO_ANSWER, REFUSED, FakeClient

ENDPOINT, OTHER = "pbx1:5060/tcp", "pbx2:5060/tcp"


class Remembering(FakeClient):
    """A fake manager whose wire a test can speak on, and which counts who asked for what."""

    def __init__(self, *statuses: Status, **fields: object) -> None:
        super().__init__(*statuses, **fields)
        self.looks = 0
        self.history_error: Exception | None = None
        self.wire_error: Exception | None = None
        self._spoken = asyncio.Event()

    async def history(self, name: str) -> History:
        self.looks += 1
        if self.history_error is not None:
            raise self.history_error
        return await super().history(name)

    async def wire(self, name: str, since: Position | None = None) -> AsyncIterator[WireMessage | Gap]:
        if self.wire_error is not None:
            raise self.wire_error
        told = 0
        while True:
            entries = self.wires.get(name, [])
            while told < len(entries):
                entry = entries[told]
                told += 1
                if since is None or isinstance(entry, Gap) or entry.position.seq > since.seq:
                    yield entry
            if name not in self.statuses:
                return
            self._spoken.clear()
            await self._spoken.wait()
            if self.wire_error is not None:
                raise self.wire_error

    def speak(self, name: str, *messages: WireMessage | Gap) -> None:
        """Have messages go over the wire of a connection."""
        self.wires.setdefault(name, []).extend(messages)
        self._spoken.set()


def change(ago: float, phase: Phase, previous: Phase, **fields: object) -> PhaseChange:
    usual = {"endpoint": ENDPOINT, "generation": 1, "attempt": 0}
    return PhaseChange(time=time.time() - ago, phase=phase, previous=previous, **(usual | fields))


def remembered(name: str, *changes: PhaseChange, **fields: object) -> History:
    """Return a history with what follows from its changes of phase."""
    failures = [SeenFailure(time=each.time, failure=each.failure) for each in changes if each.failure]
    usual = {
        "attempts": attempts_in(changes),
        "sessions": sessions_in(changes),
        "failures": tuple(failures),
    }
    return History(connection=name, phases=changes, **(usual | fields))


def outage(name: str) -> History:
    """Return an hour with one outage in it, and three heartbeats lost."""
    now = time.time()
    return remembered(
        name,
        change(3300, Phase.UP, Phase.CONNECTING),
        change(1900, Phase.SUSPECT, Phase.UP, failure=NO_ANSWER),
        change(1890, Phase.WAITING, Phase.SUSPECT, failure=NO_ANSWER, wait=1.0, attempt=1),
        change(1880, Phase.CONNECTING, Phase.WAITING, attempt=1, generation=2),
        change(1879, Phase.WAITING, Phase.CONNECTING, attempt=2, wait=2.0, failure=REFUSED, generation=2),
        change(1870, Phase.CONNECTING, Phase.WAITING, attempt=2, generation=3, endpoint=OTHER),
        change(1869, Phase.UP, Phase.CONNECTING, generation=3, endpoint=OTHER),
        samples=tuple(
            Sample(now - 3600 + 25 * number, None if number in (68, 69, 70) else 0.012 + number % 5 / 1000)
            for number in range(144)
        ),
        set_aside=(SetAside(ENDPOINT, now + 120),),
    )


SETTINGS = (
    SettingRow("connection", "type", "sip", "config.toml:12"),
    SettingRow("connection", "endpoints[0]", ENDPOINT, "config.toml:13"),
    SettingRow("connection", "endpoints[1]", f"{OTHER} weight 2", "config.toml:14"),
    SettingRow("connection", "password", "*** (file ~/.secrets/6001)", "config.toml:15"),
    SettingRow("policy", "base_delay", "2", "preset gentle"),
    SettingRow("policy", "max_attempts", "15", "built-in"),
    SettingRow("tls", "ca_file", "", "built-in"),
)


def failed(failure: Failure, ago: float = 1.0, probe: str = "") -> SeenFailure:
    return SeenFailure(time=time.time() - ago, failure=failure, probe=probe)


def message(number: int, text: str, *, sent: bool = True, **fields: object) -> WireMessage:
    """Return a message that went over the wire `number` hundredths of a second after two o'clock."""
    kind = WireKind(str(fields.pop("kind", "sip")))
    content = text.encode()
    usual = {
        "position": Position("wire", number),
        "time": 7200.0 + number / 100,
        "monotonic": number / 100,
        "generation": 1,
        "endpoint": ENDPOINT,
        "summary": summary_of(kind, content, len(content)),
        "text": text_of(content),
        "size": len(content),
    }
    return WireMessage(kind=kind, sent=sent, **(usual | fields))


def registration(first: int = 1, sequence: int = 1) -> list[WireMessage]:
    """Return a registration with its challenge."""
    head = "REGISTER sip:pbx1 SIP/2.0\r\nTo: <sip:6001@pbx1>\r\n"
    return [
        message(first, f"{head}CSeq: {sequence} REGISTER\r\n\r\n"),
        message(
            first + 1,
            f"SIP/2.0 401 Unauthorized\r\nCSeq: {sequence} REGISTER\r\n"
            'WWW-Authenticate: Digest nonce="***"\r\n\r\n',
            sent=False,
        ),
        message(
            first + 2,
            f'{head}CSeq: {sequence + 1} REGISTER\r\nAuthorization: Digest response="***"\r\n\r\n',
        ),
        message(first + 3, f"SIP/2.0 200 OK\r\nCSeq: {sequence + 1} REGISTER\r\n\r\n", sent=False),
    ]
