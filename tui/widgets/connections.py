"""The pane of connections: the table, and what an operator does to the row under the cursor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container

from manager.client import Command, ManagerClient, Pause, Reconnect, Refresh, Resume
from manager.model import Phase, Status
from tui.arrange import Single
from tui.board import Board
from tui.line import Ink
from tui.orders import Orders
from tui.widgets.countdown import CountdownCells
from tui.widgets.lastline import LastLine
from tui.widgets.table import ConnectionTable


class Connections(Container):
    """The table with its ticking windows above it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "r", "reconnect", "reconnect", id="rows.reconnect",
            tooltip="close and open the selected connection now, come what may",
        ),
        Binding(
            "p", "pause", "pause", id="rows.pause",
            tooltip="close the selected connection and keep it closed; again takes it up",
        ),
        Binding("slash", "filter", "filter", id="rows.filter", tooltip="show only rows that hold some words"),
        Binding("escape", "show_all", "show all", show=False, id="rows.show_all", tooltip="end the filter"),
    ]  # fmt: skip

    def __init__(
        self,
        ink: Ink,
        client: ManagerClient,
        board: Board,
        redraw: Callable[[], None],
        *,
        read_only: bool = False,
    ) -> None:
        """Prepare; `redraw` is called when rows have something else to say."""
        super().__init__(id="connections")
        self.table = ConnectionTable(ink)
        self._board = board
        self._read_only = read_only
        self._redraw = redraw
        self._words = ""
        self.orders = Orders(client, redraw, self.set_timer)

    def compose(self) -> ComposeResult:
        bars, seconds = CountdownCells(self.table, id="bars"), CountdownCells(self.table, id="seconds")
        self.table.attach(bars, seconds)
        yield self.table
        yield bars
        yield seconds

    def update(self) -> None:
        """Show the board as it is now."""
        self.table.show(self._board, self.orders.feedback, self._words)

    @property
    def selected(self) -> Status | None:
        """The connection under the cursor; None on a fold."""
        line = self.table.selected
        return self._board.statuses.get(line.status.name) if isinstance(line, Single) else None

    # What is done to connections

    def reconnect_all(self) -> None:
        """Close and open every connection that counts."""
        self.give(Reconnect(), self._counting(), "reconnecting")

    def refresh_all(self) -> None:
        """Send every connection that is up a heartbeat and a check."""
        names = [name for name in self._counting() if self._board.statuses[name].phase.connected]
        self.give(Refresh(), names, "asking")

    def give(self, command: Command, names: list[str], words: str) -> None:
        """Send a command about these connections; each row says what becomes of it."""
        self._order(self.orders.give(command, names, words))

    async def carry_out(self, command: Command, words: str) -> str:
        """Send a command about no connection in particular; return the sentence of its error, or nothing."""
        return await self.orders.give(command, [], words)

    def action_reconnect(self) -> None:
        if (selected := self.selected) is not None:
            self._order(self.orders.reconnect(selected.name))

    def action_pause(self) -> None:
        if (selected := self.selected) is None:
            return
        name = selected.name
        if selected.phase in (Phase.PAUSED, Phase.STOPPED):
            self.give(Resume(name=name), [name], "resuming")
        else:
            self.give(Pause(name=name), [name], "pausing")

    def action_filter(self) -> None:
        self.post_message(LastLine.Edit("rows", self._words, self._filter))

    def action_show_all(self) -> None:
        self._filter("")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Offer only what would do something now."""
        if action in ("reconnect", "pause"):
            selected = None if self._read_only else self.selected
            return selected is not None and (action == "pause" or selected.phase is not Phase.STOPPED)
        if action == "filter":
            return bool(self._board.statuses)
        return action != "show_all" or bool(self._words)

    def word_for(self, action: str) -> str | None:
        """Return what an action would do now, where its usual word does not say it."""
        if action == "pause" and (selected := self.selected) is not None:
            return "resume" if selected.phase is Phase.PAUSED else "pause"
        return None

    def _filter(self, words: str) -> None:
        self._words = words.lower()
        self._redraw()

    def _counting(self) -> list[str]:
        return [name for name, status in self._board.statuses.items() if status.phase.counts]

    def _order(self, order: Awaitable[object]) -> None:
        self.run_worker(order, group="orders", exit_on_error=False)
