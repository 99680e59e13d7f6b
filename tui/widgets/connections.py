"""The pane of connections: the table, and what an operator does to the rows that are selected."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.message import Message

from manager.client import Command, ManagerClient
from manager.model import Phase, Status
from tui import columns, consequences, formats
from tui.arrange import Single, in_order
from tui.board import Board
from tui.line import Ink
from tui.matching import EXAMPLE, Filter
from tui.operator import Operator, running
from tui.ordering import KEYS, OrderingError, read_ordering
from tui.view import View
from tui.widgets.lastline import SEEKS, LastLine
from tui.widgets.table import ConnectionTable

ABSENCE = 60.0
"""Seconds without a key after which somebody who presses one has been away; changes since then are news."""
_ACTING = ("reconnect", "pause", "skip", "refresh", "acknowledge", "mute")


def _key(key: str, action: str, word: str, tooltip: str, *, show: bool = False) -> Binding:
    return Binding(key, action, word, tooltip=tooltip, show=show, id=f"rows.{action}")


class Connections(Container):
    """The table with its ticking windows above it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        _key("r", "reconnect", "reconnect", "close and open what is selected now, come what may", show=True),
        _key(
            "p", "pause", "pause", "close what is selected and keep it closed; again takes it up", show=True
        ),
        _key(
            "s",
            "skip",
            "skip",
            "end the countdown of what is selected now; its attempt keeps its number",
            show=True,
        ),
        _key(
            "a",
            "acknowledge",
            "ack",
            "say that the trouble of what is selected is known; again not",
            show=True,
        ),
        _key(
            "m", "mute", "mute", "have nobody alarmed about the group for a time; again ends that", show=True
        ),
        _key("U", "refresh", "refresh", "send what is selected a heartbeat and a check now"),
        _key("space", "mark", "mark", "select the row for the next command, and go on; again takes it out"),
        _key("asterisk", "mark_all", "mark all", "select every row that the filter shows; again none"),
        _key("slash", "filter", "filter", "show only rows that hold some words", show=True),
        _key(
            "o", "order", "order", f"order rows by one or several of: {', '.join(KEYS)}; -name turns it round"
        ),
        _key("c", "columns", "columns", f"choose columns: {', '.join(columns.OFFERED)}"),
        _key("e", "events", "events", "show only what is selected in the log, or all again", show=True),
        _key("full_stop", "seen", "seen", "take the marks of what has changed off: it has been looked at"),
        _key("escape", "show_all", "show all", "end the filter, or take the marks off"),
    ]

    class EventsAsked(Message):
        """The operator wants to see the events of these connections alone."""

        def __init__(self, names: frozenset[str]) -> None:
            super().__init__()
            self.names = names

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
        self._board = board
        self._read_only = read_only
        self._redraw = redraw
        self.operator = Operator(client, board, redraw, self.set_timer, self._run)
        self._view = View(board, self.operator.orders.feedback)
        self.table = ConnectionTable(ink, self._view)
        self._last_key_at = time.time()

    def compose(self) -> ComposeResult:
        yield self.table
        yield from self.table.windows

    def update(self) -> None:
        """Show the board as it is now."""
        self._view.marked.intersection_update(self._board.statuses)
        self.table.show()

    @property
    def selected(self) -> Status | None:
        """The connection under the cursor; None on a fold."""
        line = self.table.selected
        return self._board.statuses.get(line.status.name) if isinstance(line, Single) else None

    @property
    def meant(self) -> list[Status]:
        """The connections that a command is for: those that are marked, else the row under the cursor."""
        marked = self._view.marked
        names = (
            [name for name in self._board.statuses if name in marked] if marked else self.table.under_cursor
        )
        return [status for name in names if (status := self._board.statuses.get(name)) is not None]

    def key_pressed(self) -> None:
        """Note that somebody is there; what has changed while nobody was is news."""
        now = time.time()
        if now - self._last_key_at >= ABSENCE:
            self._view.looked_at = self._last_key_at
            self._redraw()
        self._last_key_at = now

    # What is done to connections

    def order(self) -> Sequence[str]:
        """Return the names of the connections that the filter shows, in the order of the rows."""
        matching = self._view.filter.matching(self._board.statuses.values())
        ordered = in_order(matching, self._view.ordering, in_sections=self.table.in_sections)
        return [status.name for status in ordered]

    def select(self, name: str) -> None:
        """Stand on the row of a connection."""
        self.table.select(name)

    async def carry_out(self, command: Command, words: str) -> str:
        """Send a command about no connection in particular; return the sentence of its error, or nothing."""
        return await self.operator.orders.give(command, [], words)

    def action_reconnect(self) -> None:
        meant = [status for status in self.meant if status.phase is not Phase.STOPPED]
        names = [status.name for status in meant]
        cost = consequences.of_reopening(meant) if len(meant) > 1 else ""
        question = f"r again closes and opens these: {cost}" if cost else ""
        self._ask_or_do(question, "r", lambda: self.operator.reconnect(names))

    def action_pause(self) -> None:
        meant = self.meant
        number = len(running(meant))
        question = f"p again closes {formats.plural(number, 'connection')}" if number > 1 else ""
        self._ask_or_do(question, "p", lambda: self.operator.pause(meant))

    def _ask_or_do(self, question: str, key: str, do: Callable[[], None]) -> None:
        if not question:
            do()
            return
        self.post_message(LastLine.Ask(f"{question} · any other key does not", (key, "y"), do))

    def action_skip(self) -> None:
        self.operator.skip(self.meant)

    def action_refresh(self) -> None:
        self.operator.refresh(self.meant)

    def action_acknowledge(self) -> None:
        self.operator.acknowledge(self.meant)

    def action_mute(self) -> None:
        self.operator.mute(self.meant, self)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Offer only what would do something now."""
        if self._read_only and action in _ACTING:
            return False
        if action == "reconnect":
            return any(status.phase is not Phase.STOPPED for status in self.meant)
        if action in ("pause", "mark", "events", "skip", "refresh", "acknowledge", "mute"):
            return bool(self.meant)
        if action == "show_all":
            return bool(self._view.filter or self._view.marked)
        if action == "seen":
            return any(self._view.is_news(name) for name in self._board.changed_at)
        return bool(self._board.statuses)

    def word_for(self, action: str) -> str | None:
        """Return what an action would do now; nothing where it would do nothing but say so."""
        meant = self.meant
        word = self.operator.word_for(action, meant)
        if action in ("reconnect", "pause") and len(meant) > 1:
            return f"{word or action} {formats.count(len(meant))}"
        return word

    # How connections are shown

    def action_mark(self) -> None:
        names = set(self.table.under_cursor)
        if names <= self._view.marked:
            self._view.marked -= names
        else:
            self._view.marked |= names
        self.table.action_move(1)
        self._redraw()

    def action_mark_all(self) -> None:
        names = {status.name for status in self._view.filter.matching(self._board.statuses.values())}
        self._view.marked = set() if names <= self._view.marked else names
        self._redraw()

    def action_seen(self) -> None:
        self._view.looked_at = time.time()
        self._redraw()

    def action_events(self) -> None:
        self.post_message(self.EventsAsked(frozenset(status.name for status in self.meant)))

    def action_filter(self) -> None:
        self.post_message(
            LastLine.Edit("rows", self._view.filter.words, self._filter, sign=SEEKS, hint=EXAMPLE)
        )

    def action_show_all(self) -> None:
        if self._view.filter:
            self._filter("")
        else:
            self._view.marked = set()
            self._redraw()

    def action_order(self) -> None:
        hint = " ".join(KEYS)
        self.post_message(LastLine.Edit("order", self._view.ordering.words, self._order_by, hint=hint))

    def action_columns(self) -> None:
        hint = " ".join(columns.OFFERED)
        words = " ".join(self._view.columns)
        self.post_message(LastLine.Edit("columns", words, self._show_columns, hint=hint))

    def _filter(self, words: str) -> None:
        self._view.filter = Filter(words)
        self._redraw()

    def _order_by(self, words: str) -> None:
        try:
            self._view.ordering = read_ordering(words)
        except OrderingError:
            # A word that is still being typed; the hint beside it names them all.
            return
        self._redraw()

    def _show_columns(self, words: str) -> None:
        known = [word for word in dict.fromkeys(words.lower().split()) if word in columns.OFFERED]
        self._view.columns = tuple(known) or columns.USUAL
        self._redraw()

    def _run(self, order: Awaitable[object]) -> None:
        self.run_worker(order, group="orders", exit_on_error=False)
