"""What an operator does to connections, from the rows or from the details of one."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence

from textual.widget import Widget

from manager.client import (
    Acknowledge,
    Command,
    ManagerClient,
    Mute,
    Pause,
    Reconnect,
    Refresh,
    Resume,
    Skip,
)
from manager.model import Phase, Status
from tui import phases, span
from tui.board import Board
from tui.orders import Later, Orders
from tui.row import Feedback
from tui.widgets.lastline import LastLine

RESTING = (Phase.PAUSED, Phase.STOPPED)
_COUNTING_DOWN = (Phase.WAITING, Phase.PARKED)


class Operator:
    """Gives commands, each about the connections for which it would do something."""

    def __init__(
        self,
        client: ManagerClient,
        board: Board,
        changed: Callable[[], None],
        later: Later,
        run: Callable[[Awaitable[object]], object],
    ) -> None:
        """Prepare.

        Args:
            client: who carries commands out.
            board: how the connections stand.
            changed: called when a feedback has come or gone.
            later: calls something after so many seconds.
            run: waits for what becomes of a command.
        """
        self._board = board
        self._run = run
        self.orders = Orders(client, changed, later)

    def feedback_of(self, name: str) -> Feedback | None:
        """Return what became of the last command about a connection; None once it has been shown."""
        return self.orders.feedback.get(name)

    def give(self, command: Command, names: Sequence[str], words: str) -> None:
        """Send a command about these connections; each row says what becomes of it."""
        self._run(self.orders.give(command, names, words))

    def reconnect_all(self) -> None:
        """Close and open every connection that counts."""
        self.give(Reconnect(), self._counting(), "reconnecting")

    def refresh_all(self) -> None:
        """Send every connection that is up a heartbeat and a check."""
        names = [name for name in self._counting() if self._board.statuses[name].phase.connected]
        self.give(Refresh(), names, "asking")

    def _counting(self) -> list[str]:
        return [name for name, status in self._board.statuses.items() if status.phase.counts]

    def reconnect(self, names: Sequence[str]) -> None:
        """Close and open connections; a second time goes past an empty login budget."""
        for name in names:
            self._run(self.orders.reconnect(name))

    def refresh(self, meant: Sequence[Status]) -> None:
        """Send connections a heartbeat and a check."""
        for status in [each for each in meant if each.phase.connected] or meant:
            self.give(Refresh(name=status.name), [status.name], "asking")

    def pause(self, meant: Sequence[Status]) -> None:
        """Close connections and keep them closed, or take them up again where all are closed."""
        if names := running(meant):
            for name in names:
                self.give(Pause(name=name), [name], "pausing")
            return
        for status in meant:
            self.give(Resume(name=status.name), [status.name], "resuming")

    def skip(self, meant: Sequence[Status]) -> None:
        """End countdowns; where none has one, the manager says why not."""
        for status in [each for each in meant if counts_down(each)] or meant:
            self.give(Skip(name=status.name), [status.name], "skipping the countdown")

    def acknowledge(self, meant: Sequence[Status]) -> None:
        """Say that troubles are known; where all are, that they no longer are."""
        troubled = [status for status in meant if phases.troubled(status)]
        withdraw = bool(troubled) and not unknown(meant)
        words = "taking the acknowledgement back" if withdraw else "acknowledging"
        for status in (troubled if withdraw else unknown(meant)) or meant:
            self.give(Acknowledge(name=status.name, withdraw=withdraw), [status.name], words)

    def mute(self, meant: Sequence[Status], asker: Widget) -> None:
        """End the mute of the groups of connections, or ask in the last line of `asker` for how long."""
        groups = list(dict.fromkeys(status.group for status in meant))
        if all(group in self._board.mutes for group in groups):
            self._mute(groups, 0.0)
            return
        which = groups[0] if len(groups) == 1 else f"{len(groups)} groups"

        def entered(words: str) -> None:
            try:
                seconds = span.seconds_of(words, time.time())
            except span.SpanError as error:
                asker.post_message(LastLine.Say(f"not muted: {error}"))
            else:
                self._mute(groups, seconds)

        asker.post_message(LastLine.Enter(f"mute {which} for", entered, hint=span.EXAMPLE, does="mutes"))

    def _mute(self, groups: Sequence[str], seconds: float) -> None:
        for group in groups:
            names = [status.name for status in self._board.statuses.values() if status.group == group]
            self.give(Mute(group=group, seconds=seconds), names, "muting" if seconds else "ending the mute")

    def word_for(self, action: str, meant: Sequence[Status]) -> str | None:
        """Return what an action would do now: nothing where it would do nothing but say so."""
        if action == "skip" and not any(map(counts_down, meant)):
            return ""
        if action == "acknowledge" and not unknown(meant):
            return ""
        if action == "pause" and meant and not running(meant):
            return "resume"
        if action == "mute" and meant and all(status.group in self._board.mutes for status in meant):
            return "unmute"
        return None


def running(meant: Sequence[Status]) -> list[str]:
    """Return the names of those that could be paused."""
    return [status.name for status in meant if status.phase not in RESTING]


def counts_down(status: Status) -> bool:
    """Whether it waits for an attempt that could come now."""
    return status.phase in _COUNTING_DOWN


def unknown(meant: Sequence[Status]) -> list[Status]:
    """Return those with a trouble that nobody has acknowledged."""
    return [status for status in meant if phases.troubled(status) and status.acknowledged is None]
