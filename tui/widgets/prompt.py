"""What is asked in the last line: a question with yes or no, and words."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from tui.line import Ink, Line
from tui.sanitise import clean
from tui.widgets.oneline import OneLine

_LONGEST = 200


class Question(OneLine, can_focus=True):
    """Asks before something is done; the key that asked, or y, confirms, any other changes nothing."""

    class Answered(Message):
        """The operator has decided."""

        def __init__(self, yes: bool) -> None:
            super().__init__()
            self.yes = yes

    def __init__(self, ink: Ink, show: Callable[[], None]) -> None:
        """Prepare; `show` is called when the line says something else."""
        super().__init__(id="question")
        self._ink = ink
        self._show = show
        self._sentence = ""
        self._keys: tuple[str, ...] = ()
        self._open = False

    def allow_focus(self) -> bool:
        """Take the keys only while something is asked."""
        return self._open

    def ask(self, sentence: str, keys: tuple[str, ...]) -> None:
        """Show the question; the answer is yes by one of `keys`."""
        self._sentence, self._keys = sentence, keys
        self._open = True
        self._show()
        self.screen.set_focus(self)

    def check_consume_key(self, key: str, character: str | None) -> bool:  # noqa: ARG002 - Textual's signature
        """Every key is an answer, but one: what is typed on before the keys go elsewhere is a command."""
        return self._open

    def on_key(self, event: events.Key) -> None:
        if not self._open:
            return
        event.stop()
        event.prevent_default()
        self._open = False
        self.post_message(self.Answered(event.key in self._keys))

    def draw(self) -> Strip:
        """Draw the line."""
        line = Line(self._ink, self.size.width, self._ink.palette.surfaces.cursor)
        return line.to(1).add(self._sentence, "strong").strip()


class FilterLine(OneLine, can_focus=True):
    """Takes the words to filter by; each letter filters at once."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "keep", "keep", id="filter.keep"),
        Binding("escape", "clear", "show all", id="filter.clear"),
    ]

    class Changed(Message):
        """There are other words to filter by."""

        def __init__(self, words: str) -> None:
            super().__init__()
            self.words = words

    class Closed(Message):
        """The words stand."""

    def __init__(self, ink: Ink, show: Callable[[], None]) -> None:
        """Prepare; `show` is called when the line says something else."""
        super().__init__(id="filter")
        self._ink = ink
        self._show = show
        self._label = ""
        self._sign = ""
        self._words = ""
        self._hint = ""
        self._ways = ""
        self._open = False

    def allow_focus(self) -> bool:
        """Take the keys only while words are typed."""
        return self._open

    def open(self, label: str, sign: str, words: str, hint: str, ways: str) -> None:
        """Begin with the words that stand now.

        Args:
            label: what they are for.
            sign: what stands between the two.
            words: those that stand now.
            hint: what may be typed.
            ways: how it ends.
        """
        self._label, self._sign, self._words, self._hint, self._ways = label, sign, words, hint, ways
        self._open = True
        self._show()
        self.screen.set_focus(self)

    def check_consume_key(self, key: str, character: str | None) -> bool:  # noqa: ARG002 - Textual's signature
        """Letters are words, not commands."""
        return self._open and character is not None and character.isprintable()

    def on_key(self, event: events.Key) -> None:
        if not self._open:
            return
        if event.is_printable and event.character is not None:
            self._set(self._words + event.character)
        elif event.key == "backspace":
            self._set(self._words[:-1])
        elif event.key == "ctrl+u":
            self._set("")
        else:
            return
        event.stop()

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        self._set(self._words + clean(event.text.strip()))

    def action_keep(self) -> None:
        self._open = False
        self.post_message(self.Closed())

    def action_clear(self) -> None:
        self._set("")
        self.action_keep()

    def _set(self, words: str) -> None:
        self._words = words[:_LONGEST]
        self._show()
        self.post_message(self.Changed(self._words))

    def draw(self) -> Strip:
        """Draw the line."""
        surfaces = self._ink.palette.surfaces
        line = Line(self._ink, self.size.width, surfaces.footer).to(1)
        line.add(f"{self._label}{self._sign}", "accent")
        ways = f"  {self._ways}"
        tail = self._words
        while cell_len(tail) > max(line.room - len(ways), 4):
            tail = tail[1:]
        line.add(tail, "text").add("▏" if not self._ink.glyphs.ascii_only else "_", "accent")
        line.add(ways, "muted")
        if self._hint:
            line.add(f" · {self._hint}", "muted")
        return line.strip()
