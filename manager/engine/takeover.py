"""The takeover: the spare is the session in use from one turn of the loop to the next.

It happens while the life of the lost session, or of an attempt that failed, is still ending. The next turn
of that connection's life opens nothing and goes on with the session that has taken over (`claim`).
"""

from __future__ import annotations

from manager.engine.clock import Clock
from manager.engine.current import Current
from manager.engine.deadline import was_cancelled
from manager.engine.held import Held
from manager.engine.homing import Homing
from manager.engine.pool import Pool
from manager.engine.spare import Spare
from manager.model import Failure


class Takeover:
    """Puts the spare of one connection in use; never where it has none (`spare` is None)."""

    __slots__ = ("_clock", "_current", "_homing", "_pool", "_spare", "_taken")

    def __init__(
        self, spare: Spare | None, pool: Pool, current: Current, homing: Homing, clock: Clock
    ) -> None:
        self._spare = spare
        self._pool = pool
        self._current = current
        self._homing = homing
        self._clock = clock
        self._taken: Held | None = None
        """The spare that has taken over, until the next turn goes on with it."""

    @property
    def pending(self) -> bool:
        """Whether a spare has taken over that no turn goes on with yet."""
        return self._taken is not None

    def happens(self, failure: Failure | None, *, withheld: bool = False) -> bool:
        """Put the spare in use, if it is ready; return whether it was.

        Args:
            failure: why the session has ended or could not be opened; None where it is left for the spare.
            withheld: whether the login budget was the reason, for which the endpoint is not to blame.
        """
        held = None if self._spare is None or was_cancelled() else self._spare.take(failure)
        if held is None:
            return False
        if failure is not None:
            self._homing.session_over()
            if withheld:
                self._pool.withheld()
            else:
                self._pool.failed(failure, self._clock.monotonic())
        self._taken = held
        self._current.take_over(held, failure)
        return True

    def claim(self) -> Held | None:
        """Hand over the spare that has taken over, to hold and to close it; None where none has."""
        taken, self._taken = self._taken, None
        return taken

    async def end(self) -> None:
        """Close the spare, and the one that has taken over and was not gone on with."""
        if self._spare is None:
            return
        self._spare.leave()
        taken = self.claim()
        try:
            if taken is not None:
                self._current.session = self._current.vigil = None
                await taken.close(graceful=True)
        finally:
            await self._spare.ended()
