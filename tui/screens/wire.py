"""The wire view: what one connection sent and received, secrets masked."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.widget import Widget

from manager.client import ManagerClient
from manager.events import ConnectionEvent, Event
from manager.model import Position
from manager.wire import WireMessage
from tui import clipboard, formats, phases, statefile, wiretext
from tui.board import Board
from tui.line import Ink
from tui.pace import CALM, Pace
from tui.page import Piece
from tui.sanitise import clean
from tui.screens.covering import CoveringScreen, Teller
from tui.widgets.lastline import SEEKS, LastLine
from tui.widgets.message import MessagePane
from tui.widgets.messages import LadderHeading, MessageList
from tui.widgets.title import TitleLine
from tui.wirelog import Entry, WireLog

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME = 60
_AGAIN_AFTER = 2.0
_AT_ONCE = 200
"""Messages read in a row before the screen gets its turn."""


def _key(key: str, action: str, word: str, tooltip: str, *, show: bool = True, name: str = "") -> Binding:
    return Binding(key, action, word, tooltip=tooltip, show=show, id=f"wire.{name or action}")


class WireScreen(CoveringScreen):
    """The messages of one connection, and the selected one in full."""

    AUTO_FOCUS = "#messages"
    ORDER: ClassVar[Sequence[str]] = (
        "follow", "pause", "filter", "switch_pane", "copy", "save", "ladder",
    )  # fmt: skip
    HORIZONTAL_BREAKPOINTS = [(0, "-small"), (100, "-wide")]  # noqa: RUF012 - as Textual declares it
    BINDINGS: ClassVar[list[BindingType]] = [
        _key("p", "pause", "pause", "show nothing new until it is pressed again; what comes is counted"),
        _key("f", "follow", "follow", "keep to the newest message, or stay"),
        _key("slash", "filter", "filter", "show only messages that hold some words"),
        _key("l", "ladder", "ladder", "draw arrows between us and the peer, or a list"),
        _key("s", "save", "save", "save the messages that are shown to a file that is named"),
        _key("y", "copy", "copy", "copy the selected message, into a file too"),
        _key("tab,shift+tab", "switch_pane", "message", "give the keys to the message, or back"),
        _key("J", "scroll_message(1)", "message down", "scroll the message", show=False, name="message_down"),
        _key("K", "scroll_message(-1)", "message up", "scroll the message", show=False, name="message_up"),
    ]

    def __init__(
        self, ink: Ink, teller: Teller, client: ManagerClient, board: Board, connection: str
    ) -> None:
        super().__init__(ink, teller)
        self._client = client
        self._board = board
        self._connection = connection
        self._trouble = ""
        self._log = WireLog()
        self._pending: list[Entry] = []
        self._pace = Pace(self, time.monotonic, self._flush, ink.tempo)
        self._title = TitleLine(ink, self._title_pieces)
        self._messages = MessageList(ink, self._log)
        self._heading = LadderHeading(ink, self._messages)
        self._message = MessagePane(ink, lambda: self._messages.selected, lambda: self._log.words)
        status = board.statuses.get(connection)
        self._messages.ladder = status is not None and status.type == "sip"

    def compose(self) -> ComposeResult:
        yield self._title
        with Container(id="wire"):
            with Vertical(id="message-list"):
                yield self._heading
                yield self._messages
            with Vertical(id="message-pane"):
                yield self._message
        yield self.last_line

    def on_mount(self) -> None:
        self.run_worker(self._read(), name="wire", exit_on_error=False)

    # What comes in

    async def _read(self) -> None:
        """Read for as long as the screen is there; whatever the client raises becomes a sentence."""
        since: Position | None = None
        while True:
            try:
                async for entry in self._client.wire(self._connection, since):
                    self._trouble = ""
                    since = entry.position if isinstance(entry, WireMessage) else since
                    self._pending.append(entry)
                    self._pace.request(CALM)
                    if len(self._pending) >= _AT_ONCE:
                        await asyncio.sleep(0)
                        self._flush()
                trouble = "nothing more follows: it is no longer managed"
            except Exception as error:  # noqa: BLE001 - whatever the way to the manager raises is shown
                trouble = f"not known now: {str(error) or type(error).__name__}"
            self._trouble = trouble
            self.changed()
            await asyncio.sleep(_AGAIN_AFTER)

    def _flush(self) -> None:
        pending, self._pending = self._pending, []
        gone = self._log.append(pending)
        self._draw(gone)

    def told(self, event: Event) -> None:
        """An event came in: the title may be another."""
        if isinstance(event, ConnectionEvent) and event.connection == self._connection:
            self._pace.request(CALM)

    def changed(self) -> None:
        """Draw what is another."""
        self._draw(0)
        self._heading.display = self._messages.ladder
        if self.is_mounted and not self.resting:
            self._messages.refresh()

    def _draw(self, gone: int) -> None:
        if not self.is_mounted:
            return
        self._messages.update(gone)
        if self.resting:
            return
        self._heading.update()
        self._message.update()
        self._title.update()
        self.last_line.update()

    def _title_pieces(self) -> Sequence[Piece]:
        status, log = self._board.statuses.get(self._connection), self._log
        pieces = [Piece(self._connection, "strong")]
        if status is not None:
            tone = phases.tone_of(status)
            glyph = self._ink.glyphs.phases[status.phase]
            pieces = [Piece(f"{glyph} ", tone), *pieces, Piece(f"  {status.phase.value}", tone)]
        if log.paused:
            news = f", {formats.count(log.waiting)} new" if log.waiting else ""
            state, tone = f"paused{news} · p goes on", "warn"
        elif self._messages.following:
            state, tone = "following", "muted"
        else:
            state, tone = "held · f follows", "warn"
        told = formats.plural(log.kept, "message")
        if log.words:
            told = f"“{log.words}” · {formats.count(sum(1 for _ in log.messages()))} of {told}"
        if log.dropped:
            told += f", {formats.count(log.dropped)} older ones let go"
        pieces += [Piece("  ─ ", "rule"), Piece(f"{state} · ", tone), Piece(told, "muted")]
        return [*pieces, Piece(f"  {self._trouble}", "bad")] if self._trouble else pieces

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Offer only what would do something now."""
        if action in ("copy", "switch_pane", "scroll_message"):
            return self._messages.selected is not None or self._in_message
        if action in ("save", "filter", "follow"):
            return self._log.kept > 0
        return True

    def word_for(self, action: str) -> str | None:
        """Return what an action would do now, where its usual word does not say it."""
        if action == "back":
            return "show all" if self._log.words else None
        if action == "switch_pane":
            return "messages" if self._in_message else "message"
        return {
            "pause": "go on" if self._log.paused else "pause",
            "follow": "hold" if self._messages.following else "follow",
            "ladder": "list" if self._messages.ladder else "ladder",
        }.get(action)

    def parts(self) -> list[tuple[str, list[Widget]]]:
        """Return the headings of help and the parts of the screen whose keys stand under them."""
        return [("Messages", [self._messages]), ("The message", [self._message])]

    @property
    def _in_message(self) -> bool:
        return self.focused is self._message

    def on_message_list_moved(self) -> None:
        self._draw(0)

    def action_back(self) -> None:
        if self._log.words:
            self._filter("")
        else:
            super().action_back()

    def action_pause(self) -> None:
        self._draw(self._log.pause(not self._log.paused))

    def action_follow(self) -> None:
        self._messages.follow(not self._messages.following)

    def action_ladder(self) -> None:
        self._messages.ladder = not self._messages.ladder
        self.changed()

    def action_filter(self) -> None:
        self.post_message(LastLine.Edit("messages", self._log.words, self._filter, sign=SEEKS))

    def _filter(self, words: str) -> None:
        self._log.filter(words)
        self._messages.following = True
        self.changed()

    def action_switch_pane(self) -> None:
        (self._messages if self._in_message else self._message).focus()

    def action_scroll_message(self, lines: int) -> None:
        self._message.action_scroll(lines)

    def action_save(self) -> None:
        if self._hidden():
            return
        messages = list(self._log.messages())
        number = formats.plural(len(messages), "message")
        head = f"# {number} of {self._connection}, secrets masked; → was sent, ← was received"
        lines = [clean(head), "", *wiretext.written(messages)]
        self.run_worker(self._save(lines, number), group="copies")

    async def _save(self, lines: Sequence[str], number: str) -> None:
        subject = f"wire-{_NOT_IN_NAMES.sub('_', self._connection)[:_LONGEST_NAME]}"
        try:
            path = await asyncio.to_thread(statefile.write_new, subject, ".txt", lines, time.time())
        except statefile.NotWrittenError as error:
            self.last_line.say(f"not saved: {error} ({statefile.folder()}) · {error.hint}")
        else:
            self.last_line.say(self._named(f"saved {number} as ", path))

    def action_copy(self) -> None:
        message = self._messages.selected
        if message is None or self._hidden():
            return
        lines = [clean(line) for line in wiretext.lines(message)]
        self.run_worker(self._copy(lines), group="copies")

    async def _copy(self, lines: Sequence[str]) -> None:
        text = "\n".join(lines)
        offered = "too much to offer it to the terminal"
        if clipboard.fits(text):
            self.app.copy_to_clipboard(text)
            offered = "offered to the terminal too"
        try:
            path = await asyncio.to_thread(statefile.write_over, "copied.txt", lines)
        except statefile.NotWrittenError as error:
            self.last_line.say(f"in no file: {error} · {offered}")
        else:
            self.last_line.say(self._named("copied into ", path, f" · {offered}"))

    def _named(self, opening: str, path: Path, rest: str = "") -> str:
        """Return a sentence with a path, of which the end is left where there is no room for all."""
        room = self.size.width - len(opening) - len(rest) - 2
        return f"{opening}{statefile.shown(path, max(room, 14))}{rest}"

    def _hidden(self) -> bool:
        """Whether messages may not be given away because names are hidden; then it is said."""
        if self._ink.privacy.on:
            self.last_line.say("not while names are hidden: a message may hold any · H shows them")
        return self._ink.privacy.on
