"""How far an opening comes: what a driver reports of its stages, made into steps."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence

from manager.doctor.report import Step
from manager.endpoint import Endpoint
from manager.model import Facts, Failure, Stage
from manager.text import quoted
from manager.wire import WireKind

_NAMES = {
    Stage.SECRET: "secret",
    Stage.LOOKUP: "name",
    Stage.TLS: "TLS",
    Stage.HANDSHAKE: "handshake",
    Stage.LOGIN: "login",
    Stage.HEARTBEAT: "heartbeat",
    Stage.CHECK: "check",
}
_OVER = {"udp": "UDP", "": "connect"}
"""What connecting is called, by transport; a SIP address may leave that open."""
_NAMED_ADDRESSES = 3
_ANY_PORT = 9


class Trail:
    """Hears one endpoint being opened and keeps the steps; each stage that follows says that one is done."""

    def __init__(self, endpoint: Endpoint, clock: Callable[[], float]) -> None:
        self.stage = Stage.LOOKUP
        """How far opening has come."""
        self.steps: dict[str, Step] = {}
        """By name, in their order; the last one may still be under way."""
        self._over = _OVER.get(endpoint.transport, "TCP")
        self._clock = clock
        self._began = clock()
        self._under_way = ""
        self._question = ""
        self._notes: dict[str, str] = {}

    def reached(self, stage: Stage) -> None:
        """Note that a stage begins, and that the one before is done."""
        self.begins(self._over if stage is Stage.CONNECT else _NAMES.get(stage, stage.value))
        self.stage = stage

    def begins(self, name: str) -> None:
        """Note that a step begins, and that the one before is done."""
        self.done()
        self._under_way, self._began = name, self._clock()

    def done(self, detail: str = "") -> None:
        """Note that the step under way is done."""
        self._end(ok=True, detail=detail)

    def asks(self, question: str) -> None:
        """Note that what follows is a question; once all is open, what is under way is the asking."""
        self._question = question

    def answered(self) -> None:
        """Note that the question was answered."""
        if self._under_way == self._over:
            self._keep(self._over, ok=True, detail=self._notes.get(self._over, ""))
        self._under_way, self._question = self._question, ""
        self.done()

    def failed(self, failure: Failure) -> None:
        """Note that nothing follows, and at which step it ended."""
        name = self._under_way or _NAMES.get(failure.stage, failure.stage.value)
        if name == "UDP":
            # Nothing is connected there: what fails is what was sent.
            name = self._question or _NAMES[Stage.HANDSHAKE]
        elif name == _NAMES[Stage.HANDSHAKE]:
            name = self._question or name
        if not self._under_way:
            self._began = self._clock()
        self._under_way = name
        self.steps.pop(name, None)  # the step that failed is the last
        self._end(ok=False, detail=failure.reason)

    def left_out(self, name: str, why: str) -> None:
        """Note a step that was not taken."""
        self._keep(name, ok=None, detail=why)

    def _end(self, *, ok: bool, detail: str) -> None:
        name, self._under_way = self._under_way, ""
        if name:
            seconds = self._clock() - self._began
            self._keep(name, ok=ok, seconds=seconds, detail=detail or self._notes.get(name, ""))

    def _keep(self, name: str, *, ok: bool | None, detail: str, seconds: float | None = None) -> None:
        """Keep a step; one of the same name was an earlier try, or is not as far as this."""
        self.steps[name] = Step(name=name, ok=ok, seconds=seconds, detail=detail)

    def ordered(self, addresses: Sequence[str]) -> list[str]:
        """Note what a name stands for, and whether there is a way to the first of its addresses."""
        more = len(addresses) - _NAMED_ADDRESSES
        named = ", ".join(addresses[:_NAMED_ADDRESSES]) + (f" and {more} more" if more > 0 else "")
        self._notes["name"] = named
        self.done()
        if addresses:
            found, detail = route_to(addresses[0])
            self._keep("route", ok=found, detail=detail)
        return list(addresses)

    def using(self, address: str) -> None:
        """Note to which address it is."""
        self._notes[self._over] = f"to {address}"

    def facts_changed(self) -> None:
        """Facts are read when they are told."""

    def refreshed(self, failure: Failure | None) -> None:
        """Nothing stays long enough to be refreshed."""

    def reported(self, report: str, text: str, fields: Facts) -> None:
        """Keep what the session says of itself, such as that another client took it over."""
        del report, fields
        self._notes["stays"] = quoted(text)

    def received(self, message: object) -> None:
        """Messages are nobody's here."""

    def wire(self, kind: WireKind, content: bytes, *, sent: bool) -> None:
        """What goes over the wire is not kept."""


def route_to(address: str) -> tuple[bool | None, str]:
    """Say by which local address the system would send to another; no packet goes out.

    None where it knows no way: another address of the name may be better off, and the connect that follows
    has the last word.
    """
    try:
        family, _, _, _, place = socket.getaddrinfo(
            address, _ANY_PORT, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
        )[0]
        with socket.socket(family, socket.SOCK_DGRAM) as own:
            own.setblocking(False)
            own.connect(place)
            return True, f"from {own.getsockname()[0]}"
    except OSError as error:
        return None, f"none to {address}: {error.strerror}"


def loop_clock() -> float:
    """Return the time of the running loop."""
    return asyncio.get_running_loop().time()
