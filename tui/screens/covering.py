"""A screen that covers the dashboard, which rests meanwhile, and tells what the dashboard is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget

from manager.events import Event
from tui.line import Ink
from tui.widgets.footer import keys_here
from tui.widgets.lastline import LastLine


class Teller(Protocol):
    """Who tells what happens."""

    watchers: list[CoveringScreen]


class CoveringScreen(Screen[None], inherit_bindings=False):
    """Has the last line with its keys, help, and a way back."""

    ORDER: ClassVar[Sequence[str]] = ()
    """Actions in the order in which their keys are wanted in the last line."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("H", "app.privacy", "hide", show=False, id="privacy"),
        Binding("T", "app.themes", "theme", show=False, id="themes"),
        Binding("question_mark", "help", "help", id="help"),
        Binding("escape,q", "back", "back", id="covering.back", tooltip="back to where you came from"),
    ]

    def __init__(self, ink: Ink, teller: Teller) -> None:
        super().__init__()
        self._ink = ink
        self._teller = teller
        self.resting = False
        """Whether something lies above, so that nothing is drawn."""
        self.last_line = LastLine(ink, self._keys)

    # What happens (called by the dashboard)

    def told(self, event: Event) -> None:
        """An event is in the board."""

    def changed(self) -> None:
        """Any of the statuses, what became of a command, or how names are shown may be another."""

    def on_mount(self) -> None:
        self._teller.watchers.append(self)

    def on_unmount(self) -> None:
        self._teller.watchers.remove(self)

    def on_resize(self) -> None:
        self.call_after_refresh(self.last_line.update)

    def on_screen_suspend(self) -> None:
        self.resting = True

    def on_screen_resume(self) -> None:
        self.resting = False
        self.changed()

    # The last line

    def _keys(self) -> list[tuple[str, str]]:
        """Return the keys that do something here and now, the most wanted first."""
        return keys_here(self, self.ORDER)

    def on_last_line_say(self, message: LastLine.Say) -> None:
        self.last_line.say(message.sentence)

    def on_last_line_ask(self, message: LastLine.Ask) -> None:
        self.last_line.ask(message)

    def on_last_line_edit(self, message: LastLine.Edit) -> None:
        self.last_line.edit(message)

    def on_last_line_enter(self, message: LastLine.Enter) -> None:
        self.last_line.edit(message)

    def on_descendant_focus(self) -> None:
        self.last_line.update()

    def on_key(self) -> None:
        self.last_line.say("")

    # Keys

    def parts(self) -> list[tuple[str, list[Widget]]]:
        """Return the headings of help and the parts of the screen whose keys stand under them."""
        raise NotImplementedError

    def action_back(self) -> None:
        self.app.pop_screen()

    def action_help(self) -> None:
        from tui.screens.help import HelpScreen, keys_of  # noqa: PLC0415 - imported when it is asked for

        sections = [(title, keys_of(self.app, *widgets)) for title, widgets in self.parts()]
        here = ("Here", keys_of(self.app, self))
        typing = ("While typing", keys_of(self.app, self.last_line.typing))
        self.app.push_screen(HelpScreen(self._ink, [*sections, here, typing]))
