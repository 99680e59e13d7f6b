"""The table of connections: sections by type in one scroll, one cursor, one line a connection."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping
from typing import ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.timer import Timer

from tui import rows
from tui.arrange import Fold, Heading, Note, Selectable, Single, TableLine, arrange
from tui.board import Board
from tui.columns import Columns, columns_for
from tui.line import Ink, Line
from tui.phases import TONES
from tui.row import Countdown, Feedback, Row, fold_row, row_of
from tui.widgets.countdown import CountdownCells

_NEXT_TICK = 0.1
"""Seconds between two ticks at least; rows whose seconds change within it change together."""


def bar(left: float, width: int) -> tuple[str, str]:
    """Return the filled and the empty part of a bar of `width` cells of which the share `left` is left."""
    halves = math.ceil(left * width * 2)
    filled = "━" * (halves // 2) + "╸" * (halves % 2)
    return filled, "─" * (width - len(filled))


class ConnectionTable(ScrollView, can_focus=True, inherit_bindings=False):
    """Draws the lines, holds the cursor and ticks the countdowns that can be seen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "previous row", show=False, id="rows.up"),
        Binding("down,j", "move(1)", "next row", show=False, id="rows.down"),
        Binding("pageup", "page(-1)", "a page up", show=False, id="rows.page_up"),
        Binding("pagedown", "page(1)", "a page down", show=False, id="rows.page_down"),
        Binding("g,home", "edge(-1)", "first row", show=False, id="rows.first"),
        Binding("G,end", "edge(1)", "last row", show=False, id="rows.last"),
        Binding("enter", "fold", "unfold or fold", id="rows.fold"),
    ]  # fmt: skip

    class CursorMoved(Message):
        """Another line is selected, or the selected one can do other things now."""

    def __init__(self, ink: Ink) -> None:
        super().__init__(id="rows")
        self._ink = ink
        self._lines: list[TableLine] = []
        self._rows: list[Row | None] = []
        self._columns: Columns = columns_for(80, 0, 0)
        self._cursor: str | None = None
        self._cursor_at = 0
        self._unfolded: set[str] = set()
        self._windows: tuple[CountdownCells, CountdownCells] | None = None
        self._shown: dict[int, tuple[int, str]] = {}
        self._timer: Timer | None = None
        self._paused = False
        self._source: tuple[Board, Mapping[str, Feedback], str] | None = None

    def attach(self, bars: CountdownCells, seconds: CountdownCells) -> None:
        """Tell which windows show the ticking columns."""
        self._windows = (bars, seconds)

    @property
    def _width(self) -> int:
        return self.scrollable_content_region.width

    # What is shown

    def show(self, board: Board, feedback: Mapping[str, Feedback], words: str) -> None:
        """Show the connections that match `words`; only lines that say something new are repainted."""
        self._source = (board, feedback, words)
        if not self._width:
            return
        statuses = board.matching(words)
        lines = arrange(
            statuses,
            self.size.height,
            unfolded=self._unfolded,
            keep=self.selected_name,
            note=_note(words, len(statuses), len(board.statuses)),
        )
        now = time.time()
        described = [self._describe(line, board, feedback, now) for line in lines]
        columns = self._fit_columns(board)
        same_shape = len(lines) == len(self._lines) and columns == self._columns
        before = list(zip(self._lines, self._rows, strict=True))
        self._lines, self._rows, self._columns = lines, described, columns
        self.virtual_size = Size(self._width, len(lines))
        old_cursor_at, self._cursor_at = self._cursor_at, self._find_cursor()
        if not same_shape:
            self._place_windows()
            self._refresh_all()
        else:
            for index, old in enumerate(before):
                if _differs(old, (lines[index], described[index])):
                    self._refresh_index(index)
        if old_cursor_at != self._cursor_at:
            self._refresh_index(old_cursor_at)
            self._refresh_index(self._cursor_at)
            self._keep_cursor_in_sight()
        self.tick()

    def _describe(
        self, line: TableLine, board: Board, feedback: Mapping[str, Feedback], now: float
    ) -> Row | None:
        if isinstance(line, Single):
            name = line.status.name
            return row_of(line.status, board.clock_offset, now, board.latency(name), feedback.get(name))
        if isinstance(line, Fold):
            return fold_row(line.statuses, line.where, board.clock_offset)
        return None

    def _fit_columns(self, board: Board) -> Columns:
        statuses = board.statuses.values()
        hosts = Counter(status.group for status in statuses)
        names = [status.name for status in statuses]
        names += [f"{number} on {host}" for host, number in hosts.items() if number > 1]
        longest_name = max((cell_len(self._ink.seen(name)) for name in names), default=0)
        longest_endpoint = max((cell_len(self._ink.seen(status.endpoint)) for status in statuses), default=0)
        return columns_for(self._width, longest_name, longest_endpoint)

    def _place_windows(self) -> None:
        if self._windows is None:
            return
        bars, seconds = self._windows
        bars.place(self._columns.bar_at, self._columns.bar)
        seconds.place(self._columns.seconds_at, self._columns.seconds)

    # The cursor

    @property
    def selected(self) -> Selectable | None:
        """The line under the cursor."""
        if not self._lines:
            return None
        line = self._lines[min(self._cursor_at, len(self._lines) - 1)]
        return line if isinstance(line, Single | Fold) else None

    @property
    def selected_name(self) -> str | None:
        """Name of the connection under the cursor; None on a fold."""
        name = (self._cursor or "").removeprefix("connection:")
        return name if name and name != self._cursor else None

    def _find_cursor(self) -> int:
        """Return where the remembered line is now; where it is gone, what took its place is remembered."""
        places = [index for index, line in enumerate(self._lines) if isinstance(line, Single | Fold)]
        if not places:
            return 0
        for index in places:
            line = self._lines[index]
            if isinstance(line, Single | Fold) and line.key == self._cursor:
                return index
        nearest = min(places, key=lambda index: abs(index - self._cursor_at))
        self._select(nearest)
        return nearest

    def _select(self, index: int) -> None:
        line = self._lines[index]
        if isinstance(line, Single | Fold):
            self._cursor = line.key
            self.post_message(self.CursorMoved())

    def _move_to(self, index: int) -> None:
        old, self._cursor_at = self._cursor_at, index
        self._select(index)
        self._refresh_index(old)
        self._refresh_index(index)
        self._keep_cursor_in_sight()
        if self._source is not None:
            self.show(*self._source)

    def _keep_cursor_in_sight(self) -> None:
        top, height = self.scroll_offset.y, self.size.height
        # The heading above the first row of a section is worth seeing with it.
        first = self._cursor_at - 1 if self._cursor_at == 1 else self._cursor_at
        if first < top:
            self.scroll_to(y=first, animate=False, force=True)
        elif self._cursor_at >= top + height:
            self.scroll_to(y=self._cursor_at - height + 1, animate=False, force=True)

    def action_move(self, step: int) -> None:
        places = [index for index, line in enumerate(self._lines) if isinstance(line, Single | Fold)]
        onward = [index for index in places if (index - self._cursor_at) * step > 0]
        if onward:
            self._move_to(min(onward, key=lambda index: abs(index - self._cursor_at)))

    def action_page(self, step: int) -> None:
        self._move_near(self._cursor_at + step * max(self.size.height - 1, 1))

    def action_edge(self, side: int) -> None:
        self._move_near(0 if side < 0 else len(self._lines) - 1)

    def _move_near(self, target: int) -> None:
        places = [index for index, line in enumerate(self._lines) if isinstance(line, Single | Fold)]
        if places:
            self._move_to(min(places, key=lambda index: abs(index - target)))

    @property
    def fold_word(self) -> str | None:
        """What enter would do to the selected line: `unfold`, `fold` or nothing."""
        line = self.selected
        if isinstance(line, Fold):
            return "unfold"
        return "fold" if isinstance(line, Single) and line.folds_into else None

    def word_for(self, action: str) -> str | None:
        """Return what an action would do now, where its usual word does not say it."""
        return self.fold_word if action == "fold" else None

    def action_fold(self) -> None:
        line = self.selected
        if isinstance(line, Fold):
            self._unfolded.add(line.key)
            self._cursor = f"connection:{line.statuses[0].name}"
        elif isinstance(line, Single) and line.folds_into:
            self._unfolded.discard(line.folds_into)
            self._cursor = line.folds_into
        if self._source is not None:
            self.show(*self._source)
            self.post_message(self.CursorMoved())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Offer enter only where it does something."""
        return action != "fold" or self.fold_word is not None

    # Ticking

    def pause(self, paused: bool) -> None:
        """Stop ticking while something lies above, or go on."""
        self._paused = paused
        self.tick()

    def tick(self) -> None:
        """Repaint the ticking cells that say something new, and come back when the next one will."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        if self._paused:
            return
        now = time.monotonic()
        top = self.scroll_offset.y
        changes = []
        seen = {}
        for index in range(top, min(top + self.size.height, len(self._rows))):
            row = self._rows[index]
            if row is None or row.countdown is None:
                continue
            seen[index] = self._ticking(row.countdown, now)
            self._refresh_ticking(index, self._shown.get(index), seen[index])
            change = row.countdown.next_change(now)
            if change is not None:
                changes.append(change)
        self._shown = seen
        if changes:
            self._timer = self.set_timer(max(min(changes), _NEXT_TICK), self.tick)

    def _ticking(self, countdown: Countdown, now: float) -> tuple[int, str]:
        return math.ceil(countdown.left(now) * self._columns.bar * 2), countdown.seconds(now)

    def _refresh_ticking(self, index: int, old: tuple[int, str] | None, new: tuple[int, str]) -> None:
        if self._windows is None or old == new:
            return
        bars, seconds = self._windows
        y = index - self.scroll_offset.y
        if old is None or old[0] != new[0]:
            bars.refresh_line(y)
        if old is None or old[1] != new[1]:
            seconds.refresh_line(y)

    # Drawing

    def _refresh_all(self) -> None:
        self.refresh()
        for window in self._windows or ():
            window.refresh()

    def _refresh_index(self, index: int) -> None:
        y = index - self.scroll_offset.y
        if 0 <= y < self.size.height:
            self.refresh(Region(0, y, self._width, 1))
            for window in self._windows or ():
                window.refresh_line(y)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self._shown = {}
            self._refresh_all()
            self.tick()

    def on_resize(self) -> None:
        if self._source is not None:
            self._lines, self._rows = [], []
            self.show(*self._source)
            self._keep_cursor_in_sight()

    def on_focus(self) -> None:
        self._refresh_index(self._cursor_at)

    def on_blur(self) -> None:
        self._refresh_index(self._cursor_at)

    def render_line(self, y: int) -> Strip:
        """Draw a line of what can be seen."""
        return self.line_strip(self.scroll_offset.y + y)

    def line_strip(self, index: int) -> Strip:
        """Draw a line of the whole table."""
        width = self._width
        if index >= len(self._lines):
            return Line(self._ink, width).strip()
        line, row = self._lines[index], self._rows[index]
        if row is not None:
            return self._row_strip(row, selected=index == self._cursor_at, width=width)
        if isinstance(line, Heading):
            return self._heading_strip(line, width)
        text = line.text if isinstance(line, Note) else ""
        return Line(self._ink, width).to(self._columns.margin).add(text, "accent").strip()

    def _heading_strip(self, heading: Heading, width: int) -> Strip:
        line = Line(self._ink, width).to(self._columns.margin)
        line.add(rows.title_of(heading.type), "strong").add(" ─", "rule")
        for phase, number in heading.counts:
            glyph = self._ink.glyphs.phases[phase]
            line.add(f" {glyph} {number} {phase.value} ", "bad" if TONES[phase] == "bad" else "muted")
        return line.rule().strip()

    def _row_strip(self, row: Row, *, selected: bool, width: int) -> Strip:
        surfaces, columns = self._ink.palette.surfaces, self._columns
        surface = (surfaces.cursor if self.has_focus else surfaces.cursor_blurred) if selected else None
        line = Line(self._ink, width, surface).to(columns.margin)
        line.add(self._ink.glyphs.phases[row.phase], row.tone, 2).add(row.name, row.name_tone, columns.name)
        if columns.phase:
            line.add("", width=columns.gap).add(
                row.word, "muted" if row.tone == "good" else row.tone, columns.phase
            )
        if columns.endpoint:
            line.add("", width=columns.gap).add(row.endpoint, "muted", columns.endpoint)
        if columns.measure:
            measure_tone = "text" if row.name_tone == "strong" else "muted"
            line.add("", width=columns.gap).add(row.measure, measure_tone, columns.measure, "right")
        line.to(columns.bar_at)
        if row.countdown is not None:
            now = time.monotonic()
            full, empty = bar(row.countdown.left(now), columns.bar)
            line.add(full, row.tone).add(empty, "rule")
            line.add(row.countdown.seconds(now), "text", columns.seconds, "right")
        elif row.slotted and columns.bar:
            line.add(row.lead, "text" if row.tone != "muted" else "muted").add("  ")
        if row.countdown is None and not columns.bar and row.lead:
            return line.add(" · ".join(filter(None, (row.text, row.lead))), row.text_tone).strip()
        if row.slotted:
            line.to(columns.reason_at)
        return line.add(row.text, row.text_tone).strip()


def _note(words: str, matching: int, whole: int) -> str:
    if not words:
        return ""
    if not matching:
        return f"nothing matches “{words}” · esc shows all {whole}"
    return f"{matching} of {whole} match “{words}” · esc shows all"


def _differs(old: tuple[TableLine, Row | None], new: tuple[TableLine, Row | None]) -> bool:
    if old[1] is None and new[1] is None:
        return old[0] != new[0]
    return old[1] != new[1]
