"""The verdict lines: what is wrong, the worst first, as many as there is room for."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.cells import cell_len
from textual.strip import Strip
from textual.widget import Widget

from tui.board import Board
from tui.columns import NARROW
from tui.line import Ink, Line
from tui.verdicts import Verdict, calm, verdicts

_LONGEST_SUBJECT = 20


class VerdictLines(Widget):
    """One line a cause; the last says how many more there are."""

    def __init__(self, ink: Ink, board: Board, advice: Sequence[str]) -> None:
        super().__init__(id="verdicts")
        self._ink = ink
        self._board = board
        self._advice = advice
        """What to do where nothing is configured."""
        self._verdicts: list[Verdict] = []
        self._calm: list[str] = []
        self.trouble = ""
        """What is wrong between this screen and its manager."""

    def update(self) -> None:
        """Judge anew; repaint what says something else."""
        board, now = self._board, time.time()
        statuses = list(board.statuses.values())
        found = verdicts(statuses, board.budgets.values(), now, board.mutes.values())
        words = list(self._advice) if board.loaded and not statuses else [calm(statuses, now)]
        if (found, words) != (self._verdicts, self._calm):
            self._verdicts, self._calm = found, words
            self.refresh()

    def report(self, trouble: str) -> None:
        """Put a trouble above all verdicts, or take it away."""
        if trouble != self.trouble:
            self.trouble = trouble
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw a verdict."""
        width = self.size.width
        margin = 1 if width >= NARROW and self.app.size.width == width else 0
        line = Line(self._ink, width - 1).to(margin)
        self._write(line, y)
        return line.strip().extend_cell_length(width, self._ink.palette.style("text"))

    def _write(self, line: Line, y: int) -> None:
        if self.trouble:
            if y == 0:
                line.add(self.trouble, "bad")
                return
            y -= 1
        if not self._verdicts:
            line.add(self._calm[y] if y < len(self._calm) else "", "muted")
        elif y < len(self._verdicts):
            last = self.size.height - 1 - bool(self.trouble)
            hidden = len(self._verdicts) - last - 1 if y == last else 0
            self._write_verdict(line, self._verdicts[y], hidden)

    def _write_verdict(self, line: Line, verdict: Verdict, hidden: int) -> None:
        subjects = [self._ink.seen(shown.subject) for shown in self._verdicts[: self.size.height]]
        longest = min(max(map(cell_len, subjects)), _LONGEST_SUBJECT)
        if line.room < NARROW:
            longest = min(cell_len(self._ink.seen(verdict.subject)), 12)
        line.add(self._ink.glyphs.phases[verdict.phase], verdict.tone, 2)
        line.add(verdict.subject, verdict.tone, longest, bold=not verdict.quiet).add(
            " " if line.room < NARROW else "  "
        )
        more = f"  +{hidden} more" if hidden > 0 else ""
        line.add(verdict.sentence, "muted" if verdict.quiet else "text", line.room - len(more))
        line.add(more, "strong")
