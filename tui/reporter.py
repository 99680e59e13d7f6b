"""Writes the report of an outage: which one, from what is known, into a file."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from manager.errors import TrunklineError
from manager.events import Event
from manager.model import Status
from tui import statefile
from tui.board import Board
from tui.line import Ink
from tui.outages import Outages


class Written(msgspec.Struct, frozen=True):
    """A report, and where it stands."""

    text: str
    path: Path


class Reporter:
    """Follows the outages of a board."""

    def __init__(self, board: Board, ink: Ink) -> None:
        self._board = board
        self._ink = ink
        self._outages = Outages()

    def told(self, event: Event) -> None:
        """Take an event in, also one that is older than the board."""
        self._outages.told(event)

    async def write(self, selected: Status | None, now: float) -> Written:
        """Write the report of the selected connection's last outage, or of the last one of all.

        Names are hidden in it where they are hidden on the screen.

        Raises:
            TrunklineError: there was none, or the file cannot be written.
        """
        from tui import incident  # noqa: PLC0415 - imported when a report is asked for

        statuses = self._board.statuses
        self._outages.settle(statuses, now)
        outage = self._outages.find(*(selected.name, selected.group) if selected else ())
        if outage is None:
            raise TrunklineError("no connection was lost, as far as this dashboard has seen")
        self._ink.privacy.learn(loss.status for loss in outage.losses.values())
        lines = incident.report(
            outage,
            whole=sum(status.group == outage.group for status in statuses.values()),
            deeds=self._outages.deeds,
            budgets=self._outages.budgets,
            now=now,
            mask=self._ink.shared,
        ).splitlines()
        path = await asyncio.to_thread(statefile.write_new, "incident", ".md", lines, now)
        return Written("\n".join([*lines, ""]), path)
