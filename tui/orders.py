"""An operator's commands: sent one by one, and what becomes of each told in the row it is about."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from manager.client import Command, ManagerClient, Reconnect, Skip
from manager.model import Result
from tui import formats
from tui.row import Feedback

SHOWN_FOR = 6.0
"""Seconds that a result stands in its row."""
OVERRIDE_FOR = 20.0
"""Seconds within which a second `r` goes past an empty login budget."""

Later = Callable[[float, Callable[[], None]], object]


class Orders:
    """Sends commands and holds what is to be shown of them, by connection."""

    def __init__(self, client: ManagerClient, changed: Callable[[], None], later: Later) -> None:
        """Prepare.

        Args:
            client: who carries commands out.
            changed: called when a feedback has come or gone.
            later: calls something after so many seconds.
        """
        self.feedback: dict[str, Feedback] = {}
        self._client = client
        self._changed = changed
        self._later = later
        self._withheld: set[str] = set()

    async def reconnect(self, name: str) -> None:
        """Reconnect one; the second time, past an empty login budget that stood in the way of the first."""
        override = name in self._withheld
        self._withheld.discard(name)
        words = "reconnecting past the login budget" if override else "reconnecting"
        await self.give(Reconnect(name=name, override=override), [name], words)

    async def give(self, command: Command, names: Iterable[str], words: str) -> str:
        """Send a command about connections; return the sentence of its error, empty if there was none."""
        under_way = Feedback(f"{words}…", "accent")
        names = list(names)
        for name in names:
            self.feedback[name] = under_way
        self._changed()
        try:
            outcome = await self._client.command(command)
        except Exception as error:  # noqa: BLE001 - whatever the way to the manager raises is shown, not fatal
            sentence = f"not done: {str(error) or type(error).__name__}"
            self._tell({name: Feedback(sentence, "bad") for name in names}, under_way, SHOWN_FOR)
            return sentence
        skipped = isinstance(command, Skip)
        told = {result.connection: self._feedback_of(result, skipped=skipped) for result in outcome}
        for name in names:
            if self.feedback.get(name) is under_way and name not in told:
                del self.feedback[name]
        self._tell(told, under_way, OVERRIDE_FOR if self._withheld & told.keys() else SHOWN_FOR)
        return ""

    def _feedback_of(self, result: Result, *, skipped: bool) -> Feedback:
        if result.next_login is None:
            return Feedback(result.text, "good" if result.ok else "bad", result.status.phase)
        self._withheld.add(result.connection)
        self._later(OVERRIDE_FOR, lambda: self._withheld.discard(result.connection))
        instant = formats.clock(result.next_login)
        if skipped:
            # Beside a countdown there is room for no more.
            return Feedback(f"no login before {instant} · r overrides", "bad")
        return Feedback(f"login budget used up until {instant} · r again overrides", "bad")

    def _tell(self, told: dict[str, Feedback], under_way: Feedback, seconds: float) -> None:
        for name, feedback in told.items():
            # A younger command about the same connection has the word.
            if self.feedback.get(name) is under_way or name not in self.feedback:
                self.feedback[name] = feedback
        self._changed()
        self._later(seconds, lambda: self._forget(told))

    def _forget(self, told: dict[str, Feedback]) -> None:
        for name, feedback in told.items():
            if self.feedback.get(name) is feedback:
                del self.feedback[name]
        self._changed()
