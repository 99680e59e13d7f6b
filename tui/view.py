"""What of a board is shown and how, and what each line of it says."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace
from rich.cells import cell_len

from tui.arrange import Fold, Single, TableLine
from tui.board import Board
from tui.columns import USUAL, Columns, columns_for
from tui.line import Ink
from tui.matching import Filter
from tui.ordering import Ordering
from tui.row import Feedback, Row, fold_row, more_cells, row_of


class View(msgspec.Struct):
    """What somebody chose to see of the connections."""

    board: Board
    feedback: Mapping[str, Feedback]
    filter: Filter = msgspec.field(default_factory=Filter)
    ordering: Ordering = msgspec.field(default_factory=Ordering)
    columns: Sequence[str] = USUAL
    marked: set[str] = msgspec.field(default_factory=set)
    """Names of the connections that the next command is meant for."""
    looked_at: float = math.inf
    """Wall time from which on a change of phase is news."""

    def is_news(self, name: str) -> bool:
        """Whether a connection is in another phase than when somebody last looked."""
        return self.board.changed_at.get(name, 0.0) > self.looked_at

    def note(self, matching: int) -> str:
        """Return what to say above all rows of a filter that so many connections match; nothing for none."""
        words, whole = self.filter.words, len(self.board.statuses)
        if not words:
            return ""
        if not matching:
            return f"nothing matches “{words}” · esc shows all {whole}"
        return f"{matching} of {whole} match “{words}” · esc shows all"

    def columns_in(self, width: int, ink: Ink) -> Columns:
        """Lay the columns out in `width` cells, by the longest of all names and endpoints."""
        statuses = self.board.statuses.values()
        hosts = Counter(status.group for status in statuses)
        names = [status.name for status in statuses]
        names += [f"{number} on {host}" for host, number in hosts.items() if number > 1]
        endpoints = {status.endpoint for status in statuses}
        longest_name = max((cell_len(ink.seen(name)) for name in names), default=0)
        longest_endpoint = max((cell_len(ink.seen(endpoint)) for endpoint in endpoints), default=0)
        return columns_for(width, longest_name, longest_endpoint, self.columns)

    def describe(self, line: TableLine, columns: Columns) -> Row | None:
        """Return what a line says now; None for one that is about no connection."""
        board, now = self.board, time.time()
        if isinstance(line, Single):
            name = line.status.name
            status = board.statuses.get(name, line.status)
            row = row_of(status, board.clock_offset, now, board.latency(name), self.feedback.get(name))
            wanted = [column for column, _ in columns.more]
            more = more_cells(status, wanted, now) if wanted else ()
            return replace(row, more=more, marked=name in self.marked, news=self.is_news(name))
        if isinstance(line, Fold):
            statuses = [board.statuses.get(status.name, status) for status in line.statuses]
            names = [status.name for status in statuses]
            row = fold_row(statuses, line.where, board.clock_offset)
            return replace(row, marked=self.marked.issuperset(names), news=any(map(self.is_news, names)))
        return None
