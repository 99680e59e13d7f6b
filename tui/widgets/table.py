"""The table of connections: sections by type in one scroll, one cursor, one line a connection."""

from __future__ import annotations

import time
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from manager.events import ConnectionEvent, Event
from tui import phases
from tui.arrange import Fold, Heading, Note, Selectable, Single, arrange
from tui.cursor import Cursor
from tui.line import Ink
from tui.paint import RowPainter
from tui.row import Row
from tui.view import View
from tui.widgets.countdown import CountdownCells, Ticker
from tui.widgets.plainlines import PlainLines


class ConnectionTable(ScrollView, PlainLines, can_focus=True, inherit_bindings=False):
    """Draws the lines, holds the cursor and ticks the countdowns that can be seen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "previous row", show=False, id="rows.up"),
        Binding("down,j", "move(1)", "next row", show=False, id="rows.down"),
        Binding("pageup", "page(-1)", "a page up", show=False, id="rows.page_up"),
        Binding("pagedown", "page(1)", "a page down", show=False, id="rows.page_down"),
        Binding("g,home", "edge(-1)", "first row", show=False, id="rows.first"),
        Binding("G,end", "edge(1)", "last row", show=False, id="rows.last"),
        Binding("n", "problem(1)", "next", id="rows.next_problem", tooltip="the next problem"),
        Binding("N", "problem(-1)", "previous problem", show=False, id="rows.previous_problem"),
        Binding("enter", "open", "details", id="rows.open",
                tooltip="details of the connection; unfold a row of several"),
        Binding("right", "unfold", "unfold", show=False, id="rows.unfold",
                tooltip="unfold a row of several connections"),
        Binding("left", "fold", "fold", id="rows.fold", tooltip="fold a row away that was unfolded"),
        Binding("w", "wire", "wire", id="rows.wire",
                tooltip="the messages that the connection sent and received"),
    ]  # fmt: skip

    class CursorMoved(Message):
        """Another line is selected, or the selected one can do other things now."""

    class DetailsAsked(Message):
        """The operator wants to see more of a connection."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    class WireAsked(Message):
        """The operator wants to see the messages of a connection."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self, ink: Ink, view: View) -> None:
        super().__init__(id="rows")
        self._ink = ink
        self._view = view
        self._painter = RowPainter(ink)
        self._cursor = Cursor()
        self._rows: dict[int, Row | None] = {}
        """What the lines say that can be seen."""
        self._arranged: object = None
        """What the lines were arranged by."""
        self._fitted: object = None
        """What the columns were laid out by."""
        self._visible: set[str] = set()
        """Names of the connections that have a line in sight to themselves."""
        self._whole: object = None
        """What the rows of many connections were described by."""
        self._top, self._height = 0, 0
        """Which line somebody has at the top, and of how many; kept where another height cannot show it."""
        self._ticker = Ticker(
            CountdownCells(self, id="bars"), CountdownCells(self, id="seconds"), self.tick, ink.tempo
        )

    @property
    def windows(self) -> tuple[CountdownCells, CountdownCells]:
        """What lies over the ticking columns."""
        return self._ticker.bars, self._ticker.seconds

    @property
    def _width(self) -> int:
        return self.scrollable_content_region.width

    # What is shown

    def show(self) -> None:
        """Show the view as it is now; only lines that say something new are repainted."""
        if not self._width:
            return
        said, old_cursor_at = self._said(), self._cursor.at
        moved = self._lay_out()
        self.virtual_size = Size(self._width, len(self._cursor.lines))
        if moved:
            self._refresh_all()
        else:
            says = self._said()
            for index in said.keys() | says.keys():
                if said.get(index) != says.get(index):
                    self._refresh_index(index)
        if old_cursor_at != self._cursor.at:
            self._refresh_index(old_cursor_at)
            self._refresh_index(self._cursor.at)
            self._keep_cursor_in_sight()
        self.tick()

    def _lay_out(self) -> bool:
        """Put lines and columns where they belong; whether columns stand elsewhere than before."""
        self._arrange()
        self._forget_rows()
        return self._fit_columns()

    def _forget_rows(self) -> None:
        """Have the rows in sight described anew; those of many connections only when the whole is another."""
        view = self._view
        whole = (view.board.version, self._arranged, frozenset(view.marked), view.looked_at)
        kept = (
            {index: row for index, row in self._rows.items() if isinstance(self._cursor.lines[index], Fold)}
            if whole == self._whole
            else {}
        )
        self._whole, self._rows = whole, kept
        lines = (self._cursor.lines[index] for index in self._seen())
        self._visible = {line.status.name for line in lines if isinstance(line, Single)}

    def shows(self, event: Event) -> bool:
        """Whether a line in sight is about the connection of an event alone."""
        return isinstance(event, ConnectionEvent) and event.connection in self._visible

    def _said(self) -> dict[int, object]:
        """Return what the lines that can be seen say, as they were described last."""
        return {index: self._row(index) or self._cursor.lines[index] for index in self._seen()}

    def _arrange(self) -> None:
        """Put the connections on lines, unless nobody has moved."""
        view, board = self._view, self._view.board
        # An order by numbers may be another at every event; the usual one only when somebody has moved.
        order = board.position.seq if not view.ordering.troubles_first else board.arrangement
        by = (order, board.arrangement, view.filter, view.ordering, self._width, self.size.height,
              frozenset(self._cursor.unfolded), self.selected_name)  # fmt: skip
        if by == self._arranged:
            return
        self._arranged = by
        matching = view.filter.matching(board.statuses.values())
        lines = arrange(
            matching,
            self.size.height,
            unfolded=self._cursor.unfolded,
            keep=self.selected_name,
            note=view.note(len(matching)),
            ordering=view.ordering,
        )
        if self._cursor.put(lines):
            self._cursor_moved()

    def _seen(self) -> range:
        top = self.scroll_offset.y
        return range(top, min(top + self.size.height, len(self._cursor.lines)))

    def _row(self, index: int) -> Row | None:
        """Return what a line says now, described once between two calls of `show`."""
        if index not in self._rows:
            self._rows[index] = self._view.describe(self._cursor.lines[index], self._painter.columns)
        return self._rows[index]

    def _fit_columns(self) -> bool:
        """Lay the columns out; whether they stand elsewhere than before."""
        board, view, privacy = self._view.board, self._view, self._ink.privacy
        by = (board.arrangement, self._width, tuple(view.columns), privacy.on)
        if by == self._fitted:
            return False
        self._fitted = by
        columns = view.columns_in(self._width, self._ink)
        changed = columns != self._painter.columns or self._width != self._painter.width
        self._painter.columns, self._painter.width = columns, self._width
        return changed

    # The cursor

    @property
    def selected(self) -> Selectable | None:
        """The line under the cursor."""
        return self._cursor.line

    @property
    def selected_name(self) -> str | None:
        """Name of the connection under the cursor; None on a fold."""
        return self._cursor.name

    def _move_to(self, index: int) -> None:
        old = self._cursor.at
        self._cursor.stand(index)
        self._cursor_moved()
        self._refresh_index(old)
        self._refresh_index(index)
        self._keep_cursor_in_sight()
        self.show()

    def _cursor_moved(self) -> None:
        """Tell of it as the sender: what our parent sends, if by a call of ours, goes no further than it."""
        self.post_message(self.CursorMoved().set_sender(self))

    def _keep_cursor_in_sight(self) -> None:
        top, height = self.scroll_offset.y, self.size.height
        # The heading above the first row of a section is worth seeing with it.
        first = self._cursor.at - 1 if self._cursor.at == 1 else self._cursor.at
        if first < top:
            self.scroll_to(y=first, animate=False, force=True)
        elif self._cursor.at >= top + height:
            self.scroll_to(y=self._cursor.at - height + 1, animate=False, force=True)

    def action_move(self, step: int) -> None:
        self._move_on(self._cursor.onward(step))

    def action_problem(self, step: int) -> None:
        self._move_on(self._cursor.onward(step, self._is_problem))

    def action_page(self, step: int) -> None:
        self._move_on(self._cursor.nearest(self._cursor.at + step * max(self.size.height - 1, 1)))

    def action_edge(self, side: int) -> None:
        self._move_on(self._cursor.nearest(0 if side < 0 else len(self._cursor.lines) - 1))

    def _move_on(self, index: int | None) -> None:
        if index is not None:
            self._move_to(index)

    def _is_problem(self, line: Selectable) -> bool:
        """Whether somebody is needed there; those who share a row are all well, or none is."""
        first = line.statuses[0] if isinstance(line, Fold) else line.status
        return not phases.well(self._view.board.statuses.get(first.name, first))

    def word_for(self, action: str) -> str | None:
        """Return what an action would do now, where its usual word does not say it."""
        return "unfold" if action == "open" and isinstance(self.selected, Fold) else None

    def action_open(self) -> None:
        line = self.selected
        if isinstance(line, Fold):
            self.action_unfold()
        elif isinstance(line, Single):
            self.post_message(self.DetailsAsked(line.status.name))

    def action_wire(self) -> None:
        if isinstance(self.selected, Single):
            self.post_message(self.WireAsked(self.selected.status.name))

    def action_unfold(self) -> None:
        if self._cursor.unfold():
            self._folded()

    def action_fold(self) -> None:
        if self._cursor.fold():
            self._folded()

    def _folded(self) -> None:
        self.show()
        self._cursor_moved()

    def select(self, name: str) -> None:
        """Stand on a connection's row; one in a fold gets a row of its own."""
        self._cursor.seek(name)
        self.show()
        self._keep_cursor_in_sight()

    @property
    def in_sections(self) -> bool:
        """Whether connections of one type stand together, under a heading."""
        return any(isinstance(line, Heading) for line in self._cursor.lines)

    @property
    def under_cursor(self) -> list[str]:
        """Names of the connections on the line under the cursor."""
        return self._cursor.names

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what would do something now."""
        line = self.selected
        if action == "problem":
            step = parameters[0] if parameters and isinstance(parameters[0], int) else 1
            return self._cursor.onward(step, self._is_problem) is not None
        if action == "fold":
            return isinstance(line, Single) and line.folds_into is not None
        if action == "wire":
            return isinstance(line, Single)
        if action == "unfold":
            return isinstance(line, Fold)
        return action != "open" or line is not None

    # Ticking

    def pause(self, paused: bool) -> None:
        """Stop ticking while something lies above, or go on."""
        self._ticker.paused = paused
        self.tick()

    def tick(self) -> None:
        """Repaint the ticking cells that say something new."""
        top = self.scroll_offset.y
        rows = {index - top: row for index in self._seen() if (row := self._row(index)) is not None}
        self._ticker.tick(
            self._painter.columns,
            {y: row.countdown for y, row in rows.items() if row.countdown is not None},
        )

    # Drawing

    def _refresh_all(self) -> None:
        self.refresh()
        for window in self.windows:
            window.refresh()

    def _refresh_index(self, index: int) -> None:
        y = index - self.scroll_offset.y
        if 0 <= y < self.size.height:
            self.refresh(Region(0, y, self._width, 1))
            for window in self.windows:
                window.refresh_line(y)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if self.size.height == self._height:
            self._top = round(new_value)
        if round(old_value) != round(new_value):
            self._ticker.forget()
            self._refresh_all()
            self.tick()

    def on_resize(self) -> None:
        self.show()
        self.scroll_to(y=self._top, animate=False, force=True)
        self._keep_cursor_in_sight()
        self._height = self.size.height

    def on_focus(self) -> None:
        self._refresh_index(self._cursor.at)

    def on_blur(self) -> None:
        self._refresh_index(self._cursor.at)

    def render_line(self, y: int) -> Strip:
        """Draw a line of what can be seen."""
        if self._fitted is None:
            # The first picture is drawn before this widget is told its size.
            self._lay_out()
        return self.line_strip(self.scroll_offset.y + y)

    def line_strip(self, index: int) -> Strip:
        """Draw a line of the whole table."""
        painter = self._painter
        painter.width = self._width
        if index >= len(self._cursor.lines):
            return painter.blank()
        line, row = self._cursor.lines[index], self._row(index)
        if row is not None:
            surfaces = self._ink.palette.surfaces
            surface = surfaces.cursor if self.has_focus else surfaces.cursor_blurred
            return painter.row(row, surface if index == self._cursor.at else None, time.monotonic())
        if isinstance(line, Heading):
            return painter.heading(line)
        return painter.note(line.text if isinstance(line, Note) else "")

    def on_click(self, event: events.Click) -> None:
        """Select the row that was clicked; enter's work is done by a second click on it."""
        index = self.scroll_offset.y + event.y
        if index == self._cursor.at and event.chain > 1:
            self.action_open()
        elif self._cursor.can_stand(index):
            self._move_to(index)
