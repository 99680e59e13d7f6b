"""The details of one connection: how it stands, what became of it, and what counts for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import ClassVar, Protocol

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.timer import Timer
from textual.widget import Widget

from manager.client import ManagerClient
from manager.effective import SettingRow
from manager.events import Changed, ConnectionEvent, Event, Reloaded
from manager.history import History
from manager.model import Phase, Status
from tui import phases
from tui.board import Board
from tui.details import attempts, effective, failures, latency, points, pool, standing, timeline
from tui.details.subject import Subject
from tui.line import Ink
from tui.operator import Operator
from tui.pace import URGENT, Pace
from tui.page import PageLine, Piece, Section, Writer
from tui.screens.covering import CoveringScreen, Teller
from tui.widgets.page import Page
from tui.widgets.title import TitleLine

CHART_EVERY = 5.0
"""Seconds between two drawings of the chart at least."""
_LOOK_EVERY = 0.25
"""Seconds between two looks at the history at least."""
_AGAIN_AFTER = 2.0
_MOVE_ON = 60.0
"""Seconds after which the bar and the chart move on where nothing happens."""
_ACTING = ("reconnect", "refresh", "skip", "acknowledge", "pause", "mute")


class Rows(Protocol):
    """The rows of the dashboard."""

    def order(self) -> Sequence[str]:
        """Return the names of the connections in their order."""

    def select(self, name: str) -> None:
        """Stand on the row of a connection."""


def _key(key: str, action: str, word: str, tooltip: str, *, show: bool = True, name: str = "") -> Binding:
    return Binding(key, action, word, tooltip=tooltip, show=show, id=f"details.{name or action}")


class DetailsScreen(CoveringScreen):
    """One page of one connection; it follows what happens to it."""

    AUTO_FOCUS = "#page"
    ORDER: ClassVar[Sequence[str]] = (
        "reconnect", "refresh", "skip", "acknowledge", "pause", "problem", "wire", "mute", "step", "section",
    )  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        _key("r", "reconnect", "reconnect", "close and open it now, come what may"),
        _key("u,U", "refresh", "refresh", "send it a heartbeat and a check now"),
        _key("s", "skip", "skip", "end its countdown now; the attempt keeps its number"),
        _key("a", "acknowledge", "ack", "say that its trouble is known; again not"),
        _key("p", "pause", "pause", "close it and keep it closed; again takes it up"),
        _key("m", "mute", "mute", "have nobody alarmed about its group for a time; again ends that"),
        _key("w", "wire", "wire", "the messages that it sent and received"),
        _key("J", "step(1)", "next", "the connection in the next row", name="next"),
        _key("K", "step(-1)", "previous", "the connection in the row before", show=False, name="previous"),
        _key("n", "problem(1)", "next problem", "the next connection with a problem", name="next_problem"),
        _key("N", "problem(-1)", "previous problem", "the one before with a problem", show=False,
             name="previous_problem"),
    ]  # fmt: skip

    def __init__(
        self,
        ink: Ink,
        teller: Teller,
        client: ManagerClient,
        board: Board,
        operator: Operator,
        *,
        rows: Rows,
        connection: str,
        show_wire: Callable[[str], None],
        read_only: bool = False,
    ) -> None:
        """Prepare; `show_wire` opens the messages of a connection."""
        super().__init__(ink, teller)
        self._client = client
        self._board = board
        self._operator = operator
        self._rows = rows
        self._show_wire = show_wire
        self._read_only = read_only
        self._connection = connection
        self._last: Status | None = None
        """The last status; it stays where the connection is gone."""
        self._trouble = ""
        self._history = History(connection=connection)
        self._settings: tuple[SettingRow, ...] = ()
        self._settings_wanted = True
        self._stale = asyncio.Event()
        self._pace = Pace(self, time.monotonic, self._draw, ink.tempo)
        self._chart: tuple[str, tuple[PageLine, ...]] = ("", ())
        self._chart_of: tuple[object, ...] = ()
        self._charted_at = float("-inf")
        self._chart_timer: Timer | None = None
        self._title = TitleLine(ink, self._title_pieces)
        self._page = Page(ink, self._write)

    @property
    def shown(self) -> str:
        """Name of the connection."""
        return self._connection

    def compose(self) -> ComposeResult:
        yield self._title
        yield self._page
        yield self.last_line

    def on_mount(self) -> None:
        self._stale.set()
        self.run_worker(self._follow(), name="history", exit_on_error=False)
        self.set_interval(_MOVE_ON, self._draw)

    # What happens

    def told(self, event: Event) -> None:
        """An event came in: what is remembered of the connection may be more."""
        if isinstance(event, Reloaded) or (
            isinstance(event, Changed) and event.connection == self._connection
        ):
            self._settings_wanted = True
            self._stale.set()
        if isinstance(event, ConnectionEvent) and event.connection == self._connection:
            self._stale.set()
            self._pace.request(URGENT)

    def changed(self) -> None:
        """Draw what is another."""
        self._draw()

    async def _follow(self) -> None:
        """Look at the history whenever it may be another."""
        while True:
            await self._stale.wait()
            self._stale.clear()
            name = self._connection
            try:
                history = await self._client.history(name)
                if self._settings_wanted:
                    settings = await self._client.settings(name)
                    if name == self._connection:
                        self._settings, self._settings_wanted = settings, False
                        self._ink.privacy.learn_settings(settings)
            except Exception as error:  # noqa: BLE001 - whatever the way to the manager raises is shown
                self._trouble = f"not known now: {str(error) or type(error).__name__}"
                if name in self._board.statuses and self.is_running:
                    self.set_timer(_AGAIN_AFTER, self._stale.set)
            else:
                self._trouble = ""
                if name == self._connection:
                    self._history = history
            self._draw()
            await asyncio.sleep(_LOOK_EVERY)

    # Drawing

    def _draw(self) -> None:
        if self.resting or not (self.is_mounted and self.is_running):
            return
        self._title.update()
        self._page.update()
        self.last_line.update()

    def _status(self) -> Status | None:
        self._last = self._board.statuses.get(self._connection, self._last)
        return self._last

    def _title_pieces(self) -> list[Piece]:
        status = self._status()
        if status is None:
            return [Piece(self._connection, "strong")]
        tone = phases.tone_of(status)
        pieces = [
            Piece(f"{self._ink.glyphs.phases[status.phase]} ", tone),
            Piece(self._connection, "strong"),
            Piece(f"  {status.phase.value}", tone),
            Piece(f"  {status.endpoint}", "muted"),
        ]
        gone = self._connection not in self._board.statuses
        trouble = "no longer managed" if gone else self._trouble
        return [*pieces, Piece(f"  {trouble}", "bad")] if trouble else pieces

    def _write(self, writer: Writer) -> Sequence[Section]:
        status = self._status()
        if status is None:
            writer.begin("Now")
            writer.sentence("no connection has this name", "muted")
            return writer.sections
        subject = Subject(
            status,
            self._history,
            self._settings,
            time.time(),
            self._operator.feedback_of(self._connection),
        )
        standing.write(writer, subject)
        points.write(writer, subject)
        standing.write_facts(writer, subject)
        pool.write(writer, subject)
        timeline.write(writer, subject)
        self._write_chart(writer, subject)
        failures.write(writer, subject)
        attempts.write(writer, subject)
        effective.write(writer, subject)
        return writer.sections

    def _write_chart(self, writer: Writer, subject: Subject) -> None:
        if not subject.history.samples:
            writer.begin("Latency")
            writer.sentence("no heartbeat in the last hour", "muted")
            return
        summary, lines = self._drawn_chart(writer.width - 2, subject)
        writer.begin("Latency", summary)
        for line in lines:
            writer.draw(Piece("", at=1), *line)

    def _drawn_chart(self, width: int, subject: Subject) -> tuple[str, tuple[PageLine, ...]]:
        """Return the chart and its summary; others only where they were not made just now."""
        ascii_only, samples = self._ink.glyphs.ascii_only, subject.history.samples
        place = (self._connection, width, ascii_only)
        of = (*place, len(samples), samples[-1], subject.now // _MOVE_ON)
        if of == self._chart_of:
            return self._chart
        left = self._charted_at + CHART_EVERY - time.monotonic()
        if left > 0 and place == self._chart_of[: len(place)]:
            if self._chart_timer is None:
                self._chart_timer = self.set_timer(left, self._chart_due)
            return self._chart
        self._chart_of, self._charted_at = of, time.monotonic()
        height = 12 if self.size.height >= 30 else 8
        lines = latency.chart(samples, subject.now, width, height, ascii_only=ascii_only)
        self._chart = latency.summary(samples), lines
        return self._chart

    def _chart_due(self) -> None:
        self._chart_timer = None
        self._draw()

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what would do something now."""
        if action in _ACTING:
            managed = any(action != "reconnect" or each.phase is not Phase.STOPPED for each in self._meant)
            return managed and not self._read_only
        if action in ("step", "problem"):
            return self._onward(parameters, problems=action == "problem") is not None
        return True

    def word_for(self, action: str) -> str | None:
        """Return what an action would do now; nothing where it would do nothing but say so."""
        return self._operator.word_for(action, self._meant)

    @property
    def _meant(self) -> list[Status]:
        """The connection, while it is managed."""
        status = self._board.statuses.get(self._connection)
        return [] if status is None else [status]

    def parts(self) -> list[tuple[str, list[Widget]]]:
        """Return the headings of help and the parts of the screen whose keys stand under them."""
        return [("Details", [self._page])]

    def action_back(self) -> None:
        self._rows.select(self._connection)
        super().action_back()

    def action_reconnect(self) -> None:
        self._operator.reconnect([self._connection])

    def action_refresh(self) -> None:
        self._operator.refresh(self._meant)

    def action_skip(self) -> None:
        self._operator.skip(self._meant)

    def action_acknowledge(self) -> None:
        self._operator.acknowledge(self._meant)

    def action_pause(self) -> None:
        self._operator.pause(self._meant)

    def action_mute(self) -> None:
        self._operator.mute(self._meant, self)

    def action_wire(self) -> None:
        self._show_wire(self._connection)

    def action_step(self, step: int) -> None:
        self._go_to(self._onward((step,), problems=False))

    def action_problem(self, step: int) -> None:
        self._go_to(self._onward((step,), problems=True))

    def _onward(self, parameters: tuple[object, ...], *, problems: bool) -> str | None:
        """Return the connection in the next row, or in the one before, where there is one."""
        step = parameters[0] if parameters and isinstance(parameters[0], int) else 1
        names = list(self._rows.order())
        here = names.index(self._connection) if self._connection in names else -1 if step > 0 else len(names)
        onward = names[here + 1 :] if step > 0 else names[:here][::-1]
        statuses = self._board.statuses
        wanted = (
            name for name in onward
            if name in statuses and (not problems or not phases.well(statuses[name]))
        )  # fmt: skip
        return next(wanted, None)

    def _go_to(self, name: str | None) -> None:
        if name is None:
            return
        self._connection, self._last = name, None
        self._history, self._settings, self._settings_wanted = History(connection=name), (), True
        self._trouble = ""
        self._stale.set()
        self._page.to_top()
        self._draw()
