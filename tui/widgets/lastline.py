"""The last line of the screen: the keys, or for a moment a sentence, a question, or words being typed."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message
from textual.widget import Widget

from tui.line import Ink
from tui.widgets.footer import KeyLine, Keys
from tui.widgets.oneline import OneLine
from tui.widgets.prompt import FilterLine, Question

SEEKS = " /"
SHOWN_FOR = 6.0
"""Seconds for which a sentence stands, unless a key is pressed sooner."""


class LastLine(Container):
    """Lends itself to who posts one of its messages, and gives the keys back to the pane that had them."""

    class Say(Message):
        """A sentence to show for a while."""

        def __init__(self, sentence: str) -> None:
            super().__init__()
            self.sentence = sentence

    class Ask(Message):
        """Something to ask before it is done."""

        def __init__(self, sentence: str, keys: tuple[str, ...], then: Callable[[], None]) -> None:
            """Any of `keys` has `then` called; every other key changes nothing."""
            super().__init__()
            self.sentence = sentence
            self.keys = keys
            self.then = then

    class Edit(Message):
        """Words to be typed."""

        def __init__(
            self,
            label: str,
            words: str,
            changed: Callable[[str], None],
            *,
            sign: str = ": ",
            hint: str = "",
            ways: str = "enter keeps · esc clears",
        ) -> None:
            """Begin with `words`; `changed` is called at every letter; `hint` says what may be typed.

            `sign` stands between the label and the words: `SEEKS` where something is looked for.
            """
            super().__init__()
            self.label = label
            self.words = words
            self.changed = changed
            self.sign = sign
            self.hint = hint
            self.ways = ways

    class Enter(Edit):
        """Words to be typed that count only as a whole."""

        def __init__(self, label: str, entered: Callable[[str], None], *, hint: str, does: str) -> None:
            """`entered` is called with the words once enter `does` it, and not at all after esc."""
            super().__init__(label, "", _ignore, hint=hint, ways=f"enter {does} · esc does not")
            self.entered = entered

    def __init__(self, ink: Ink, keys: Callable[[], Keys]) -> None:
        super().__init__(id="last-line")
        self._keys = KeyLine(ink, keys)
        self._question = Question(ink, self._keys.update)
        self.typing = FilterLine(ink, self._keys.update)
        self._return_to: Widget | None = None
        self._then: Callable[[], None] = _nothing
        self._changed: Callable[[str], None] = _ignore
        self._entered: Callable[[str], None] = _ignore
        self._words = ""
        """What has been typed so far."""

    def compose(self) -> ComposeResult:
        yield self._question
        yield self.typing
        yield self._keys

    def update(self) -> None:
        """Show the keys that do something now."""
        self._keys.update()

    def say(self, sentence: str) -> None:
        """Show a sentence for a while, or until a key is pressed; the keys again for an empty one."""
        self._keys.say(sentence)
        if sentence and self.is_running:
            self.set_timer(SHOWN_FOR, lambda: self._keys.say("") if self._keys.notice == sentence else None)

    def ask(self, question: Ask) -> None:
        """Ask; the next key is the answer."""
        self._lend(self._question)
        self._then = question.then
        self._question.ask(question.sentence, question.keys)

    def edit(self, words: Edit) -> None:
        """Let words be typed."""
        self._lend(self.typing)
        self._changed, self._words = words.changed, words.words
        self._entered = words.entered if isinstance(words, LastLine.Enter) else _ignore
        self.typing.open(words.label, words.sign, words.words, words.hint, words.ways)

    def on_question_answered(self, message: Question.Answered) -> None:
        message.stop()
        self._take_back()
        if message.yes:
            self._then()

    def on_filter_line_changed(self, message: FilterLine.Changed) -> None:
        message.stop()
        self._words = message.words
        self._changed(message.words)

    def on_filter_line_closed(self, message: FilterLine.Closed) -> None:
        message.stop()
        self._take_back()
        if self._words.strip():
            self._entered(self._words)

    def _lend(self, prompt: OneLine) -> None:
        if self._keys.instead is None:
            self._return_to = self.screen.focused
        self._keys.instead = prompt

    def _take_back(self) -> None:
        self._keys.instead = None
        self._keys.update()
        self.screen.set_focus(self._return_to)


def _nothing() -> None:
    """Follow a question that nobody has asked."""


def _ignore(_words: str) -> None:
    """Take words that nobody has asked for."""
