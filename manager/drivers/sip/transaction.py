"""Transactions: what is sent again, when, for how long (RFC 3261 §17). No IO; times are passed in."""

from __future__ import annotations

import enum

T1 = 0.5
"""Estimate of the round trip."""
T2 = 4.0
"""Longest interval between retransmissions."""
T4 = 5.0
"""How long a message may stay in the network."""
TIMEOUT = 64 * T1
"""Timers F, H and J: how long a transaction lives without its counterpart."""


class State(enum.Enum):
    """Where a transaction stands; `TRYING` and `PROCEEDING` are a client's, `CONFIRMED` is an INVITE's."""

    TRYING = "trying"
    PROCEEDING = "proceeding"
    COMPLETED = "completed"
    CONFIRMED = "confirmed"
    TERMINATED = "terminated"


class ClientTransaction:
    """A request that is no INVITE, on its way to its final response (§17.1.2).

    Timer E sends it again over UDP, timer F gives it up, timer K keeps it a while for late copies of the
    response.
    """

    __slots__ = ("_forgets", "_gives_up", "_interval", "_reliable", "_resends", "request", "state")

    def __init__(self, request: bytes, *, reliable: bool, now: float) -> None:
        self.request = request
        self.state = State.TRYING
        self._reliable = reliable
        self._gives_up = now + TIMEOUT
        self._interval = T1
        self._resends: float | None = None if reliable else now + T1
        self._forgets: float | None = None

    @property
    def deadline(self) -> float | None:
        """When `timed` wants to be called; None once it is terminated."""
        if self.state is State.TERMINATED:
            return None
        if self._forgets is not None:
            return self._forgets
        return self._gives_up if self._resends is None else min(self._resends, self._gives_up)

    @property
    def timed_out(self) -> bool:
        """Whether it ended without a final response."""
        return self.state is State.TERMINATED and self._forgets is None

    def timed(self, now: float) -> bytes | None:
        """Let time pass; return the request if it is to be sent again."""
        if self._forgets is not None:
            if now >= self._forgets:
                self.state = State.TERMINATED
            return None
        if now >= self._gives_up:
            self.state = State.TERMINATED
            return None
        if self._resends is None or now < self._resends:
            return None
        self._interval = T2 if self.state is State.PROCEEDING else min(2 * self._interval, T2)
        self._resends = now + self._interval
        return self.request

    def received(self, status: int, now: float) -> bool:
        """Take a response; return whether it is the first final one."""
        if self.state not in (State.TRYING, State.PROCEEDING):
            return False
        if status < 200:
            self.state = State.PROCEEDING
            return False
        self._forgets = now if self._reliable else now + T4
        self.state = State.TERMINATED if self._reliable else State.COMPLETED
        return True


class ServerTransaction:
    """A request that has had its final response, kept so that copies of it get the same (§17.2).

    An INVITE's response is sent again over UDP (timer G) until its ACK comes or timer H strikes.
    """

    __slots__ = ("_forgets", "_interval", "_reliable", "_resends", "invite", "response", "state")

    def __init__(self, response: bytes, *, invite: bool, reliable: bool, now: float) -> None:
        self.response = response
        self.invite = invite
        self.state = State.COMPLETED
        self._reliable = reliable
        self._interval = T1
        self._resends: float | None = now + T1 if invite and not reliable else None
        self._forgets = now + (TIMEOUT if invite or not reliable else 0.0)

    @property
    def deadline(self) -> float | None:
        """When `timed` wants to be called; None once it is terminated."""
        if self.state is State.TERMINATED:
            return None
        return self._forgets if self._resends is None else min(self._resends, self._forgets)

    def timed(self, now: float) -> bytes | None:
        """Let time pass; return the response if it is to be sent again."""
        if now >= self._forgets:
            self.state = State.TERMINATED
            return None
        if self._resends is None or now < self._resends:
            return None
        self._interval = min(2 * self._interval, T2)
        self._resends = now + self._interval
        return self.response

    def repeated(self) -> bytes | None:
        """Take a copy of the request; return the response that it gets."""
        return self.response if self.state is State.COMPLETED else None

    def acknowledged(self, now: float) -> None:
        """Take the ACK of an INVITE's response; copies of it are absorbed for a while (timer I)."""
        if self.state is State.COMPLETED and self.invite:
            self.state = State.CONFIRMED
            self._resends = None
            self._forgets = now if self._reliable else now + T4
