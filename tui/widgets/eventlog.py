"""The event log: follows, scrolls back without jumping, filters, and holds so many lines and no more."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui import formats
from tui.columns import NARROW, WIDE
from tui.line import Ink, Line
from tui.sentences import LogLine
from tui.widgets.lastline import LastLine
from tui.widgets.oneline import OneLine

LIMIT = 100_000
"""Lines that are kept; older ones go."""


class EventLog(ScrollView, can_focus=True, inherit_bindings=False):
    """The lines, the newest last."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll(-1)", "back", show=False, id="log.up"),
        Binding("down,j", "scroll(1)", "on", show=False, id="log.down"),
        Binding("pageup", "page(-1)", "a page back", show=False, id="log.page_up"),
        Binding("pagedown", "page(1)", "a page on", show=False, id="log.page_down"),
        Binding("g,home", "edge(-1)", "the oldest", show=False, id="log.first"),
        Binding("G,end", "edge(1)", "the newest", show=False, id="log.last"),
        Binding("slash", "filter", "filter", id="log.filter", tooltip="show only lines that hold some words"),
        Binding("escape", "show_all", "show all", show=False, id="log.show_all", tooltip="end the filter"),
    ]  # fmt: skip

    class Changed(Message):
        """The heading has something new to say."""

    def __init__(self, ink: Ink, limit: int = LIMIT) -> None:
        super().__init__(id="log")
        self._ink = ink
        self._lines: deque[LogLine] = deque(maxlen=limit)
        self._matching: deque[LogLine] = self._lines
        self.total = 0
        """How many lines there have been."""
        self.words = ""
        """What is filtered by."""
        self.following = True
        self.unseen = 0
        """Lines that came while it did not follow."""

    @property
    def matching(self) -> int:
        """How many lines match the filter."""
        return len(self._matching)

    def append(self, lines: Iterable[LogLine]) -> None:
        """Add lines; the view moves only if it follows."""
        arrived = list(lines)
        fresh = [line for line in arrived if line.matches(self.words)] if self.words else arrived
        dropped = 0
        if self._matching is self._lines:
            dropped = max(0, len(self._lines) + len(arrived) - (self._lines.maxlen or 0))
        else:
            self._matching.extend(fresh)
        self._lines.extend(arrived)
        self.total += len(arrived)
        if not self.following:
            self.unseen += len(fresh)
            self._fit()
            if dropped:
                self.scroll_to(y=max(0, self.scroll_offset.y - dropped), animate=False, force=True)
                self.refresh()
        elif fresh:
            self._fit()
            self._to_end()
        self.post_message(self.Changed())

    def filter(self, words: str) -> None:
        """Show only lines that hold `words`; all for none."""
        self.words = words.lower()
        if self.words:
            self._matching = deque(
                (line for line in self._lines if line.matches(self.words)), self._lines.maxlen
            )
        else:
            self._matching = self._lines
        self._fit()
        self.follow(True)
        self.refresh()

    def follow(self, following: bool) -> None:
        """Keep to the newest line, or stay."""
        self.following = following
        if following:
            self.unseen = 0
            self._to_end()
        self.post_message(self.Changed())

    def _fit(self) -> None:
        self.virtual_size = Size(self.size.width, len(self._matching))

    def _to_end(self) -> None:
        self.scroll_to(y=max(0, len(self._matching) - self.size.height), animate=False, force=True)
        self.refresh()

    def _scroll_by(self, lines: int) -> None:
        last = max(0, len(self._matching) - self.size.height)
        target = min(last, max(0, self.scroll_offset.y + lines))
        self.following = target == last
        if self.following:
            self.unseen = 0
        self.scroll_to(y=target, animate=False, force=True)
        self.post_message(self.Changed())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Offer only what would do something now."""
        return bool(self.words) if action == "show_all" else action != "filter" or self.total > 0

    def action_filter(self) -> None:
        self.post_message(LastLine.Edit("log", self.words, self.filter))

    def action_show_all(self) -> None:
        self.filter("")

    def action_scroll(self, lines: int) -> None:
        self._scroll_by(lines)

    def action_page(self, pages: int) -> None:
        self._scroll_by(pages * max(self.size.height - 1, 1))

    def action_edge(self, side: int) -> None:
        self._scroll_by(side * len(self._matching))

    def on_resize(self) -> None:
        self._fit()
        if self.following:
            self._to_end()

    def render_line(self, y: int) -> Strip:
        """Draw a line of what can be seen."""
        index, width = self.scroll_offset.y + y, self.size.width
        line = Line(self._ink, width)
        if index >= len(self._matching):
            return line.strip()
        entry = self._matching[index]
        if width < NARROW:
            line.add(formats.clock(entry.time), "muted").add(" ").add(entry.subject, "text", 12).add(" ")
            return line.add(entry.text or entry.word, entry.tone).strip()
        line.to(1).add(formats.clock(entry.time), "muted").add(" ")
        line.add(entry.subject, "text", 20 if width >= WIDE else 16).add(" ")
        line.add(entry.word, entry.tone, 11).add(" ")
        return line.add(entry.text, "text").strip()


class LogHeading(OneLine):
    """Says whether the log follows, what it is filtered by, and how many lines there are."""

    def __init__(self, ink: Ink, log: EventLog) -> None:
        super().__init__(id="log-heading")
        self._ink = ink
        self._log = log

    def draw(self) -> Strip:
        """Draw the heading."""
        log, width = self._log, self.size.width
        if log.following:
            state = "following"
        else:
            news = f", {formats.count(log.unseen)} new" if log.unseen else ""
            state = f"held{news} · f follows"
        which = f"“{log.words}” · {formats.count(log.matching)} of " if log.words else "all · "
        line = Line(self._ink, width).to(1 if width >= NARROW else 0)
        line.add("Events", "accent" if log.has_focus else "strong").add(" ─ ", "rule")
        line.add(f"{state} · {which}{formats.count(log.total)}", "muted" if log.following else "warn")
        return line.rule().strip()


class LogPane(Vertical):
    """The log under its heading."""

    def __init__(self, ink: Ink) -> None:
        super().__init__(id="log-pane")
        self.log_lines = EventLog(ink)
        self._heading = LogHeading(ink, self.log_lines)

    def compose(self) -> ComposeResult:
        yield self._heading
        yield self.log_lines

    def on_event_log_changed(self) -> None:
        self._heading.update()

    def on_descendant_focus(self) -> None:
        self._heading.update()

    def on_descendant_blur(self) -> None:
        self._heading.update()
