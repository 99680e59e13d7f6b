"""An open spare session and the watch over it, which goes on while its owner changes."""

from __future__ import annotations

import asyncio
from typing import NoReturn

from manager.drivers.base import Session
from manager.engine.deadline import close_in_time, obey_cancellation
from manager.engine.listener import GenerationListener
from manager.engine.pool import Use
from manager.engine.vigil import LifeOver, Vigil
from manager.model import Failure


class Held:
    """A session in somebody's hand; who holds it closes it."""

    __slots__ = ("_watch", "listener", "session", "taken", "use", "vigil")

    def __init__(
        self, session: Session, vigil: Vigil, use: Use, listener: GenerationListener, *, name: str
    ) -> None:
        self.session = session
        self.vigil = vigil
        self.use = use
        self.listener = listener
        self.taken = False
        """Whether it has taken over, and is no longer the spare's to close."""
        self._watch = asyncio.create_task(_end_of(vigil), name=f"watch of {name}")

    @property
    def ready(self) -> bool:
        """Whether the session is well as far as anybody knows."""
        return self.vigil.watching and not self.vigil.failures and not self._watch.done()

    async def hold(self) -> NoReturn:
        """Wait until the session is over.

        Raises:
            LifeOver: it is, and why.
        """
        await asyncio.wait([self._watch])
        obey_cancellation()
        raise LifeOver(self._watch.result())

    async def close(self, *, graceful: bool) -> None:
        """End the watch, then the session."""
        self.vigil.release()
        self._watch.cancel()
        try:
            await asyncio.wait([self._watch])
            await self.vigil.end_probes()
        except asyncio.CancelledError:
            graceful = False
            raise
        finally:
            if self._watch.done() and not self._watch.cancelled():
                self._watch.exception()
            await close_in_time(self.session, graceful=graceful)


async def _end_of(vigil: Vigil) -> Failure | None:
    """Return why a session is over; no exception, which would keep the frames of a dead session."""
    try:
        await vigil.hold()
    except LifeOver as over:
        return over.failure
