"""The seam between the engine and a connection type.

A driver knows one type and nothing of retrying: it opens one session on one endpoint, or raises. The engine
does everything that is the same for all types: deadlines, waits, heartbeats, counting, health.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Protocol, runtime_checkable

from manager.endpoint import Endpoint
from manager.model import Facts, FactValue, Failure, Stage
from manager.settings import ConnectionSettings
from manager.wire import WireKind

Memory = MutableMapping[str, str]
"""What a driver wants to find again after a restart (a Contact, an instance id); never a secret."""


NOTHING_TO_CHECK = "no check configured"
"""What a check returns that has nothing to look at: it is not made again by itself in this session."""


class DriverError(Exception):
    """An open, heartbeat or check that did not succeed, and why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


class SessionListener(Protocol):
    """What a session tells the engine between the calls it answers.

    Every method returns at once and raises nothing. Calls of a session that has been replaced are ignored.
    """

    def reached(self, stage: Stage) -> None:
        """Report that opening has come to `stage`; the deadline names it if it strikes there.

        `Stage.LOGIN` is reported immediately before credentials are sent, and not before.
        """

    def ordered(self, addresses: Sequence[str]) -> list[str]:
        """Return the addresses of the endpoint in the order in which to try them; known failures last."""

    def using(self, address: str) -> None:
        """Report at which of them the session is opened."""

    def facts_changed(self) -> None:
        """Report that `Session.facts` says something new that is worth showing at once."""

    def refreshed(self, failure: Failure | None) -> None:
        """Report a refresh (of a registration, say) that was answered, or count its failure."""

    def reported(self, report: str, text: str, fields: Facts) -> None:
        """Publish something that this type noticed (`incomingCall`), as an event of the connection."""

    def received(self, message: object) -> None:
        """Hand a message of the peer to whoever subscribed to them."""

    def wire(self, kind: WireKind, content: bytes, *, sent: bool) -> None:
        """Keep a message of the protocol, its secrets masked (`drivers/tap.py`); also at the very end."""


class Session(Protocol):
    """One login on one endpoint; lives once.

    None of the calls outlives its cancellation: whatever it started is ended by then.
    """

    @property
    def facts(self) -> dict[str, FactValue]:
        """What this type knows of the session."""

    async def heartbeat(self) -> float:
        """Ask the peer for a sign of life and return the round trip in seconds, its own reply seen.

        The caller sets the deadline and cancels; two heartbeats never run side by side.

        Raises:
            DriverError: the answer says that the session is not well.
        """

    async def check(self) -> str:
        """Take the deeper look of every health interval and return what was found, in a few words.

        A peer that does not allow the look is no failure; the words say so. Where there is nothing to look at
        in this session, they are `NOTHING_TO_CHECK`.

        Raises:
            DriverError: the answer says that the session is not well.
        """

    async def ended(self) -> Failure:
        """Return when the session is over by itself, with why. Many may wait; none owns it."""

    async def close(self, *, graceful: bool) -> None:
        """End the session: politely (log off, take the binding back; 2 s at most) or at once.

        Never raises, may be called again, and leaves no task, socket or timer behind, also when cancelled.
        """


class Driver(Protocol):
    """One connection type at work for one connection."""

    async def open(self, endpoint: Endpoint, listener: SessionListener) -> Session:
        """Open a session that is usable when this returns: logged in, registered, subscribed.

        Tries once. The caller sets the deadline and cancels; nothing is left open then or on an error.

        Raises:
            DriverError: it could not be opened.
        """

    async def peek(self, endpoint: Endpoint) -> None:
        """Look for a bare sign of life, without credentials: a TCP connect, or any answer over UDP.

        The caller sets the deadline and cancels; nothing is left open either way.

        Raises:
            OSError, UnicodeError, DriverError: there is none.
        """


@runtime_checkable
class InquiringDriver(Protocol):
    """What a driver has that can ask a peer for more than a peek sees, and still without credentials.

    Optional. A person who asks why a connection does not come up is told how far this came.
    """

    async def inquire(self, endpoint: Endpoint, listener: SessionListener) -> float:
        """Ask for an answer of the protocol itself and return the seconds that it took.

        The stages are reported as by `open`; a session that lives elsewhere is not disturbed. The caller sets
        the deadline and cancels; nothing is left open either way.

        Raises:
            DriverError: there is none.
        """


@runtime_checkable
class Promotable(Protocol):
    """What a session has that left something out as a spare."""

    async def promote(self) -> bool:
        """Make up for what was left out: have events sent, subscribe. Called once, when the spare takes over.

        The caller sets the deadline and cancels. Returns whether the peer has answered; where it has not, a
        heartbeat follows at once.

        Raises:
            DriverError: it cannot be used; the session is given up.
        """


@runtime_checkable
class StandbyDriver(Protocol):
    """What a driver has whose spare sessions leave something out until they take over.

    Optional: of any other driver a spare is an ordinary session. What a spare receives is dropped.
    """

    async def open_standby(self, endpoint: Endpoint, listener: SessionListener) -> Session:
        """Open a session like `open`, but as a spare; it is `Promotable` where that is needed."""


Opening = Callable[[Endpoint, SessionListener], Awaitable[Session]]
"""`open` or `open_standby` of a driver."""

DriverFactory = Callable[[ConnectionSettings, Memory], Driver]
"""What a driver module offers under the name `create`."""
