"""A login to the manager interface, from FullyBooted to the end."""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from manager.drivers.ami.connection import Connection
from manager.drivers.ami.message import AmiEvent, AmiReply
from manager.drivers.ami.reader import ReaderError
from manager.drivers.base import DriverError, SessionListener
from manager.drivers.failures import failure_of
from manager.drivers.result import result_of
from manager.drivers.tap import Tap
from manager.errors import NotConnectedError
from manager.model import FactValue, Failure, FailureClass, Stage
from manager.secret import Secret
from manager.text import quoted

BOOT_TIMEOUT = 2.0
"""Seconds that FullyBooted is awaited; a user without `read = system` never sees it."""
CLOSE_TIMEOUT = 2.0
"""Seconds that a Logoff may take."""

PERMISSION_DENIED = "permission denied"


class AmiSession:
    """One login.

    Its facts, as far as Asterisk tells:

    - `version` (`22.10.1`) and `build` (with what the distribution added), `ami` (version of the protocol)
    - `system`: the name that it goes by
    - `started`, `reloaded`: date and time on its own clock
    - `calls`: calls up at the last check
    - `reloads`: modules reloaded since the login
    """

    def __init__(self, listener: SessionListener, secret: Secret) -> None:
        self.connection = Connection(self._received, Tap(listener, [secret]))
        self._listener = listener
        self._secret = secret
        self._facts: dict[str, FactValue] = {}
        self._settings_asked = False
        self._booted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._leaving = ""
        """What Asterisk said it is about to do."""

    @property
    def facts(self) -> dict[str, FactValue]:
        """What is known of this Asterisk now."""
        return dict(self._facts)

    async def settle(self) -> None:
        """Wait until Asterisk has booted, and look around meanwhile; `BOOT_TIMEOUT` at most.

        Raises:
            DriverError: the connection was lost.
        """
        self._learn(ami=(await self.connection.banner()).rpartition("/")[2])
        awaited: list[asyncio.Future[Any]] = [self._booted, self.connection.lost]
        with contextlib.suppress(TimeoutError, DriverError):
            async with asyncio.timeout(BOOT_TIMEOUT):
                await self.check()
                await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
        if self.connection.lost.done():
            raise DriverError(await self.ended())

    async def heartbeat(self) -> float:
        """Ping, and return the round trip in seconds.

        Raises:
            DriverError: the session is over, or Asterisk refuses the Ping.
        """
        loop = asyncio.get_running_loop()
        begun = loop.time()
        reply = await self._ask("Ping")
        if not reply.ok:
            raise DriverError(self._refused("Ping", reply, Stage.HEARTBEAT))
        return loop.time() - begun

    async def check(self) -> str:
        """Ask for CoreStatus, and once for CoreSettings; a user who may not see them is no failure.

        Raises:
            DriverError: the session is over, or Asterisk refuses CoreStatus for another reason.
        """
        before = self.facts
        if not self._settings_asked:
            await self._read_settings()
        found = await self._read_status()
        if self._facts != before:
            self._listener.facts_changed()
        return found

    async def promote(self) -> bool:
        """Have all events sent, with one action. An Asterisk with `brokeneventsaction` leaves it unanswered.

        Raises:
            DriverError: the session is over, or Asterisk refuses it.
        """
        reply = await self._ask("Events", EventMask="on")
        if not reply.ok:
            raise DriverError(self._refused("Events", reply, Stage.TAKEOVER))
        return True

    async def ended(self) -> Failure:
        """Return when the connection is over, with why."""
        cause = await result_of(self.connection.lost)
        if self._leaving:
            return _lost(self._leaving)
        if isinstance(cause, ReaderError):
            return _lost(f"the server sent {cause}", "another service may listen there")
        if cause is not None:
            return failure_of(cause, Stage.SESSION)
        return _lost("closed by the server")

    async def close(self, *, graceful: bool) -> None:
        """Log off where `graceful`, then drop the connection; 2 s at most."""
        try:
            if graceful:
                with contextlib.suppress(TimeoutError, NotConnectedError):
                    async with asyncio.timeout(CLOSE_TIMEOUT):
                        await self.connection.exchange({"Action": "Logoff"})
        finally:
            self.connection.close()
        await asyncio.wait([self.connection.lost], timeout=CLOSE_TIMEOUT)

    async def action(self, fields: Mapping[str, str | Sequence[str]], *, timeout: float = 10.0) -> AmiReply:
        """Carry an action out and return the answer, with the events of a list in it.

        It is sent once. One that is not answered in time is forgotten, and what still comes of it dropped;
        whether Asterisk has done it is not known then. An `ActionID` is added where none is given.

        Args:
            fields: the headers, `Action` among them; a sequence is sent as several headers of that name.
            timeout: seconds until it is given up.

        Raises:
            ValueError: a name or value holds a line end, or the action cannot be sent for another reason.
            TimeoutError: no answer came in time.
            NotConnectedError: the session is over, or ended before the answer came.
            TooManyActionsError: too many actions are under way.
            ListTooLongError: the answer is a list longer than is held in memory.
        """
        if not 0 < timeout < math.inf:
            raise ValueError("an action has a deadline")
        async with asyncio.timeout(timeout):
            return await self.connection.exchange(fields, limited=True)

    def _received(self, event: AmiEvent) -> None:
        match event.name.lower():
            case "fullybooted" if not self._booted.done():
                self._booted.set_result(None)
            case "shutdown":
                restart = event.first("Restart").lower() == "true"
                self._leaving = f"Asterisk is {'restarting' if restart else 'shutting down'}"
            case "reload":
                reloads = self._facts.get("reloads")
                self._facts["reloads"] = reloads + 1 if isinstance(reloads, int) else 1
                self._listener.facts_changed()
        self._listener.received(event)

    async def _ask(self, action: str, **fields: str) -> AmiReply:
        try:
            return await self.connection.exchange({"Action": action, **fields})
        except NotConnectedError:
            raise DriverError(await self.ended()) from None

    async def _read_settings(self) -> None:
        reply = await self._ask("CoreSettings")
        self._settings_asked = True
        if reply.ok:
            build = reply.first("AsteriskVersion")
            self._learn(version=re.split(r"[+~\s]", build)[0], build=build, system=reply.first("SystemName"))

    async def _read_status(self) -> str:
        reply = await self._ask("CoreStatus")
        if reply.text.lower() == PERMISSION_DENIED:
            return f"not available: {PERMISSION_DENIED}"
        if not reply.ok:
            raise DriverError(self._refused("CoreStatus", reply, Stage.CHECK))
        self._learn(
            started=_instant(reply, "CoreStartup"),
            reloaded=_instant(reply, "CoreReload"),
            calls=_number(reply.first("CoreCurrentCalls")),
        )
        calls = self._facts.get("calls")
        return "answered" if calls is None else f"{calls} call{'' if calls == 1 else 's'} up"

    def _learn(self, **facts: str | int | None) -> None:
        for name, value in facts.items():
            if value not in ("", None):
                self._facts[name] = self.quoted(value) if isinstance(value, str) else value

    def quoted(self, text: str) -> str:
        """Return what the server said as it may be shown, with the secret of this login masked."""
        return quoted(text, secrets=[self._secret])

    def _refused(self, action: str, reply: AmiReply, stage: Stage) -> Failure:
        reason = f"{action} refused: {self.quoted(reply.text)}"
        return Failure(kind=FailureClass.TRANSIENT, stage=stage, reason=reason)


def _lost(reason: str, hint: str = "") -> Failure:
    return Failure(kind=FailureClass.TRANSIENT, stage=Stage.SESSION, reason=reason, hint=hint)


def _instant(reply: AmiReply, name: str) -> str:
    return f"{reply.first(f'{name}Date')} {reply.first(f'{name}Time')}".strip()


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
