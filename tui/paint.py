"""Draws the lines of the table: rows, headings and notes, laid out in columns."""

from __future__ import annotations

import math

from rich.cells import cell_len
from rich.style import Style
from textual.strip import Strip

from tui import rows
from tui.arrange import Heading
from tui.columns import Columns, columns_for
from tui.line import Ink, Line
from tui.phases import TONES
from tui.row import Row


def bar(left: float, width: int) -> tuple[str, str]:
    """Return the filled and the empty part of a bar of `width` cells of which the share `left` is left."""
    halves = math.ceil(left * width * 2)
    filled = "━" * (halves // 2) + "╸" * (halves % 2)
    return filled, "─" * (width - len(filled))


class RowPainter:
    """Draws lines of one width."""

    def __init__(self, ink: Ink) -> None:
        self._ink = ink
        self.columns: Columns = columns_for(80, 0, 0)
        self.width = 0

    def blank(self) -> Strip:
        """Draw nothing."""
        return Line(self._ink, self.width).strip()

    def note(self, text: str) -> Strip:
        """Draw a sentence above all rows."""
        return Line(self._ink, self.width).to(self.columns.margin).add(text, "accent").strip()

    def heading(self, heading: Heading) -> Strip:
        """Draw the heading of a section."""
        line = Line(self._ink, self.width).to(self.columns.margin)
        line.add(rows.title_of(heading.type), "strong").add(" ─", "rule")
        signs = [(phase, f" {self._ink.glyphs.phases[phase]} {number}") for phase, number in heading.counts]
        words = sum(cell_len(sign) + len(phase.value) + 2 for phase, sign in signs) <= line.room
        for phase, sign in signs:
            counted = f"{sign} {phase.value} " if words else f"{sign} "
            line.add(counted, "bad" if TONES[phase] == "bad" else "muted")
        return line.rule().strip()

    def row(self, row: Row, surface: Style | None, now: float) -> Strip:
        """Draw a row; `now` is this machine's monotonic time, for its countdown."""
        columns = self.columns
        line = Line(self._ink, self.width, surface)
        if columns.margin:
            sign = self._ink.glyphs.marked if row.marked else self._ink.glyphs.news if row.news else ""
            line.add(sign, "accent", columns.margin)
        elif row.marked:
            surface = self._ink.palette.surfaces.cursor_blurred if surface is None else surface
            line = Line(self._ink, self.width, surface)
        line.add(self._ink.glyphs.phases[row.phase], row.tone, 2).add(row.name, row.name_tone, columns.name)
        self._cells(line, row)
        line.to(columns.bar_at)
        if row.countdown is not None:
            full, empty = bar(row.countdown.left(now), columns.bar)
            line.add(full, row.tone).add(empty, "rule")
            line.add(row.countdown.seconds(now), "text", columns.seconds, "right")
        elif row.slotted and columns.bar:
            line.add(row.lead, "text" if row.tone != "muted" else "muted").add("  ")
        if row.countdown is None and not columns.bar and row.lead:
            return line.add(" · ".join(filter(None, (row.text, row.lead))), row.text_tone).strip()
        if row.slotted:
            line.to(columns.reason_at)
        told = (row.note if columns.measure else "", row.text)
        return line.add(" · ".join(filter(None, told)), row.text_tone).strip()

    def _cells(self, line: Line, row: Row) -> None:
        columns = self.columns
        if columns.phase:
            line.add("", width=columns.gap)
            line.add(row.word, "muted" if row.tone == "good" else row.tone, columns.phase)
        if columns.endpoint:
            line.add("", width=columns.gap).add(row.endpoint, "muted", columns.endpoint)
        cells = row.more or ("",) * len(columns.more)
        for (_, width), cell in zip(columns.more, cells, strict=False):
            line.add("", width=columns.gap).add(cell, "muted", width)
        if columns.measure:
            tone = "text" if row.name_tone == "strong" else "muted"
            line.add("", width=columns.gap).add(row.measure, tone, columns.measure, "right")
