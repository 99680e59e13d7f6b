"""The groups that nobody is to be alarmed about for a time; each mute ends by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from manager.engine.clock import Clock
from manager.model import MuteStatus

LONGEST = 7 * 24 * 3600.0
"""Seconds for which a group can be muted at most: what is forgotten must not stay silent."""


class Mutes:
    """Holds the mutes and ends them when the wall clock says what was promised."""

    def __init__(
        self, clock: Clock, muted: Callable[[MuteStatus], None], unmuted: Callable[[str, bool], None]
    ) -> None:
        """Prepare.

        Args:
            clock: where the time is read.
            muted: called when a group is muted, anew or for another time.
            unmuted: called with a group that is muted no more, and whether its time was over.
        """
        self._clock = clock
        self._muted = muted
        self._unmuted = unmuted
        self._mutes: dict[str, MuteStatus] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def statuses(self) -> tuple[MuteStatus, ...]:
        """Return every mute."""
        return tuple(self._mutes.values())

    def mute(self, group: str, seconds: float) -> None:
        """Mute a group from now on.

        Raises:
            ValueError: for nothing, or for more than 7 days.
        """
        if not 0 < seconds <= LONGEST:
            raise ValueError("a group can be muted for 7 days at most")
        now = self._clock.wall()
        mute = self._mutes[group] = MuteStatus(group=group, since=now, until=now + seconds)
        self._plan(mute)
        self._muted(mute)

    def unmute(self, group: str, *, expired: bool = False) -> bool:
        """End the mute of a group; return whether there was one."""
        if self._mutes.pop(group, None) is None:
            return False
        self._timers.pop(group).cancel()
        self._unmuted(group, expired)
        return True

    def clock_jumped(self) -> None:
        """Keep to the promised times by the wall clock as it is now."""
        for mute in self._mutes.values():
            self._plan(mute)

    def stop(self) -> None:
        """Plan nothing any more."""
        for timer in self._timers.values():
            timer.cancel()

    def _plan(self, mute: MuteStatus) -> None:
        if (timer := self._timers.pop(mute.group, None)) is not None:
            timer.cancel()
        left = max(0.0, mute.until - self._clock.wall())
        self._timers[mute.group] = asyncio.get_running_loop().call_later(left, self._expire, mute.group)

    def _expire(self, group: str) -> None:
        self.unmute(group, expired=True)
