"""One message of the protocol in full."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from manager.wire import WireMessage
from tui import wiretext
from tui.line import Ink
from tui.page import Section, Writer
from tui.widgets.page import Page


def _key(key: str, action: str, word: str, name: str) -> Binding:
    return Binding(key, action, word, show=False, id=f"message.{name}")


class MessagePane(Page, inherit_bindings=False):
    """Shows the message that is selected, its lines broken where they are too long."""

    BINDINGS: ClassVar[list[BindingType]] = [
        _key("up,k", "scroll(-1)", "up", "up"),
        _key("down,j", "scroll(1)", "down", "down"),
        _key("pageup,ctrl+u", "page(-1)", "a page up", "page_up"),
        _key("pagedown,ctrl+d,space", "page(1)", "a page down", "page_down"),
        _key("g,home", "edge(-1)", "its beginning", "first"),
        _key("G,end", "edge(1)", "its end", "last"),
    ]

    def __init__(
        self, ink: Ink, selected: Callable[[], WireMessage | None], words: Callable[[], str]
    ) -> None:
        """Prepare; `selected` gives the message, `words` what is filtered by."""
        super().__init__(ink, self._sections, id="message")
        self._ink = ink
        self._selected = selected
        self._words = words
        self._last: WireMessage | None = None

    def update(self) -> None:
        """Show the message that is selected now, from its beginning if it is another."""
        if self._selected() is not self._last:
            self._last = self._selected()
            self.to_top()
        super().update()

    def _sections(self, writer: Writer) -> Sequence[Section]:
        message = self._last
        if message is None:
            return ()
        writer.begin("Message", wiretext.heading(message))
        if self._ink.privacy.on:
            # Nobody can tell which of its words name somebody.
            writer.sentence("hidden with all names · H shows them", "muted", 1)
            return writer.sections
        for text in wiretext.lines(message):
            for part in wiretext.broken(self._ink.seen(text), max(writer.width - 2, 8)):
                pieces = wiretext.marked(part, self._words(), "text")
                if pieces:
                    pieces[0] = pieces[0]._replace(at=1)
                writer.draw(*pieces)
        return writer.sections
