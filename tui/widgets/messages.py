"""The messages of a connection, one a line: a list, or a ladder between us and the peer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from manager.events import Gap
from manager.wire import WireMessage
from tui import formats, wiretext
from tui.columns import NARROW
from tui.line import Ink, Line
from tui.page import Piece
from tui.widgets.oneline import OneLine
from tui.wirelog import Entry, WireLog

_FULL_TIME = 12
_SHORT_TIME = 8


def _key(key: str, action: str, word: str, name: str) -> Binding:
    return Binding(key, action, word, show=False, id=f"wire.{name}")


class MessageList(ScrollView, can_focus=True, inherit_bindings=False):
    """Holds the cursor; follows the newest message, or stays."""

    BINDINGS: ClassVar[list[BindingType]] = [
        _key("up,k", "move(-1)", "previous message", "up"),
        _key("down,j", "move(1)", "next message", "down"),
        _key("pageup,ctrl+u", "page(-1)", "a page up", "page_up"),
        _key("pagedown,ctrl+d,space", "page(1)", "a page down", "page_down"),
        _key("g,home", "edge(-1)", "the oldest message", "first"),
        _key("G,end", "edge(1)", "the newest message", "last"),
    ]

    class Moved(Message):
        """Another message is selected, or it follows, or no longer."""

    def __init__(self, ink: Ink, log: WireLog) -> None:
        super().__init__(id="messages")
        self._ink = ink
        self._log = log
        self._at = 0
        self.following = True
        self.ladder = False
        """Whether each message is an arrow between two columns."""

    @property
    def width(self) -> int:
        """Cells that a line has."""
        return self.scrollable_content_region.width

    @property
    def selected(self) -> WireMessage | None:
        """The message under the cursor; None on a gap."""
        shown = self._log.shown
        entry = shown[self._at] if self._at < len(shown) else None
        return entry if isinstance(entry, WireMessage) else None

    def update(self, gone: int = 0) -> None:
        """Show the log as it is now, after `gone` lines at its beginning have gone."""
        before = self._said()
        self._at = max(0, self._at - gone)
        last = max(0, len(self._log.shown) - 1)
        self._at = last if self.following else min(self._at, last)
        self.virtual_size = Size(self.width, len(self._log.shown))
        if gone and not self.following:
            self._stand_at(self.scroll_offset.y - gone)
        self._keep_in_sight()
        for y, (said, says) in enumerate(zip(before, self._said(), strict=False)):
            if said != says:
                self.refresh(Region(0, y, self.size.width, 1))

    def follow(self, following: bool) -> None:
        """Keep to the newest message, or stay."""
        self.following = following
        self.update()
        self.post_message(self.Moved())

    def _said(self) -> list[tuple[int, bool]]:
        top, shown = self.scroll_offset.y, self._log.shown
        return [
            (id(shown[index]) if index < len(shown) else 0, index == self._at)
            for index in range(top, top + self.size.height)
        ]

    def _keep_in_sight(self) -> None:
        top, height = self.scroll_offset.y, self.size.height
        if self._at < top:
            self._stand_at(self._at)
        elif self._at >= top + height:
            self._stand_at(self._at - height + 1)

    def _stand_at(self, y: int) -> None:
        self.scroll_to(y=max(y, 0), animate=False, force=True)

    def _move_to(self, index: int) -> None:
        last = max(0, len(self._log.shown) - 1)
        before = self._said()
        self._at = min(max(index, 0), last)
        self.following = self._at == last
        self._keep_in_sight()
        for y, (said, says) in enumerate(zip(before, self._said(), strict=False)):
            if said != says:
                self.refresh(Region(0, y, self.size.width, 1))
        self.post_message(self.Moved())

    def action_move(self, step: int) -> None:
        self._move_to(self._at + step)

    def action_page(self, pages: int) -> None:
        self._move_to(self._at + pages * max(self.size.height - 1, 1))

    def action_edge(self, side: int) -> None:
        self._move_to(side * len(self._log.shown))

    def on_resize(self) -> None:
        self.update()
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Select the message that was clicked."""
        index = self.scroll_offset.y + event.y
        if index < len(self._log.shown):
            self._move_to(index)

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    # Drawing

    def render_line(self, y: int) -> Strip:
        """Draw a line of what can be seen."""
        index, shown = self.scroll_offset.y + y, self._log.shown
        surface = None
        if index == self._at and index < len(shown):
            surfaces = self._ink.palette.surfaces
            surface = surfaces.cursor if self.has_focus else surfaces.cursor_blurred
        line = Line(self._ink, self.width, surface)
        if index < len(shown):
            for piece in self._pieces(shown[index], index):
                line.to(piece.at).add(piece.text, piece.tone, piece.width, marked=piece.marked)
        elif not index:
            line.to(1).add(self._nothing(), "muted")
        return line.strip()

    def _nothing(self) -> str:
        if self._log.words:
            return f"nothing matches “{self._log.words}” · esc shows all"
        return "nothing was sent or received yet"

    def _pieces(self, entry: Entry, index: int) -> Iterator[Piece]:
        if isinstance(entry, Gap):
            yield Piece(f"… {formats.plural(entry.missed, 'message')} before this no longer held", "warn", 1)
            return
        narrow = self.width < NARROW
        time = formats.clock(entry.time) if narrow else wiretext.instant(entry)
        yield Piece(time, "muted", 0 if narrow else 1)
        yield Piece(" ")
        if self.ladder:
            yield from self._arrow(entry)
        else:
            yield Piece(f"{wiretext.direction(entry)} ", "accent" if entry.sent else "good")
            yield from wiretext.marked(self._ink.seen(entry.summary), self._log.words, "text")
        earlier = self._log.shown[index - 1] if index else None
        if not isinstance(earlier, WireMessage) or earlier.generation != entry.generation:
            yield Piece(f"  session {entry.generation}", "muted")

    @property
    def ladder_at(self) -> int:
        """Where the column of ours stands."""
        return _SHORT_TIME + 1 if self.width < NARROW else _FULL_TIME + 3

    @property
    def ladder_width(self) -> int:
        """Cells between the two columns."""
        beside = 3 if self.width < NARROW else 14
        return max(min(self.width - self.ladder_at - beside, 46), 12)

    def _arrow(self, message: WireMessage) -> Iterator[Piece]:
        label = self._ink.seen(wiretext.label(message))
        before, text, behind = wiretext.arrow(label, self.ladder_width, sent=message.sent)
        tone = "accent" if message.sent else "good"
        yield Piece("│", "rule", self.ladder_at)
        yield Piece(before, tone)
        yield from wiretext.marked(text, self._log.words, "text")
        yield Piece(behind, tone)
        yield Piece("│", "rule")


class LadderHeading(OneLine):
    """Names the two columns of the ladder."""

    def __init__(self, ink: Ink, messages: MessageList) -> None:
        super().__init__(id="ladder-heading")
        self._ink = ink
        self._messages = messages

    def draw(self) -> Strip:
        """Draw the names above their columns."""
        messages = self._messages
        line = Line(self._ink, self.size.width)
        if messages.ladder:
            selected = messages.selected
            peer = selected.endpoint if selected is not None else "the peer"
            line.to(messages.ladder_at).add("us", "strong")
            line.to(
                messages.ladder_at + messages.ladder_width + 2 - min(len(peer), messages.ladder_width - 4)
            )
            line.add(peer, "strong")
        return line.strip()
