"""The event log: its lines, the cursor in them, and the keys by which one reads, filters and copies them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.timer import Timer

from tui import clipboard, formats, statefile
from tui.columns import NARROW
from tui.line import Ink
from tui.log import files
from tui.log.entry import Entry, Level
from tui.log.marks import pattern_of
from tui.log.sieve import Filter
from tui.log.times import STEP, Times, iso
from tui.log.view import LogView
from tui.log.words import whole
from tui.logline import Look, draw, text_at
from tui.widgets.lastline import SEEKS, LastLine
from tui.widgets.plainlines import PlainLines

_SHIFT = 16
"""Cells by which a text too long for its line is moved at a time."""
_AT_ONCE = 500
"""Entries that are put into words before the screen gets its turn."""
_WHEEL = 3
"""Lines by which the wheel of a mouse moves."""


def _key(key: str, action: str, description: str, help_text: str, *, show: bool = True) -> Binding:
    return Binding(key, action, description, tooltip=help_text, show=show, id=f"log.{action}")


def _move(key: str, action: str, description: str, name: str) -> Binding:
    return Binding(key, action, description, show=False, id=f"log.{name}")


class EventLog(PlainLines, can_focus=True, inherit_bindings=False):
    """The lines, the newest last."""

    BINDINGS: ClassVar[list[BindingType]] = [
        _key("p", "toggle_follow", "follow", "the same as f: follow, or hold still", show=False),
        _key("slash", "search", "search", "go to lines that hold all of some words"),
        Binding("n", "step(1)", "next", tooltip="to the next match", id="log.next"),
        Binding("N", "step(-1)", "previous", tooltip="to the match before", show=False, id="log.previous"),
        _key("escape", "show_all", "show all", "end the selection, then the search and every filter"),
        _key("o", "only_matches", "only matches", "show only the lines that match, or those around them too"),
        _key("y", "copy", "copy", "copy the line or the selected lines, into a file too"),
        _key("v,space", "select", "select", "select lines from here to where the cursor goes, or none"),
        _key("c", "only_connection", "connection", "show only what is about this line's connection, or all"),
        _key("l", "next_level", "level", "show changes, problems alone, or all, heartbeats too"),
        _key("e", "only_event", "event", "show only lines that tell of the same as this one, or all"),
        _key("s", "save", "save", "save the lines that are shown to a file that is named"),
        _key("t", "next_times", "time", "tell local times, how long ago it was, or UTC"),
        _key("z", "enlarge", "enlarge", "give the log the rows' place too, or its share again"),
        _move("up,k", "move(-1)", "back", "up"),
        _move("down,j", "move(1)", "on", "down"),
        _move("pageup,ctrl+u", "page(-1)", "a page back", "page_up"),
        _move("pagedown,ctrl+d", "page(1)", "a page on", "page_down"),
        _move("g,home", "edge(-1)", "the oldest", "first"),
        _move("G,end", "edge(1)", "the newest; follows", "last"),
        _move("left", "shift(-1)", "the beginning of long lines", "left"),
        _move("right", "shift(1)", "the rest of long lines", "right"),
    ]  # fmt: skip

    class Changed(Message):
        """Something else is shown, or to be said of it."""

    class EnlargeAsked(Message):
        """The operator wants the log larger, or as it was."""

    def __init__(self, ink: Ink, view: LogView) -> None:
        super().__init__(id="log")
        self.view = view
        self.times = Times.LOCAL
        self.large = False
        self.leaps = False
        """Whether it makes room for many lines at a time: in a high log one that moves all costs dearly."""
        self._ink = ink
        self._strips: list[Strip] = []
        self._drawn_with: tuple[object, ...] = ()
        self._shift = 0
        """How far texts were moved by hand."""
        self._further = 0
        """How far those that match were moved to show that they do."""
        self._sought: tuple[Entry, tuple[str, ...], int] | None = None
        """The match that was brought into sight last, its words, and how many cells texts had then."""
        self._timer: Timer | None = None

    @property
    def total(self) -> int:
        """How many lines there have been."""
        return self.view.store.last

    # Drawing

    def update(self) -> None:
        """Repaint the lines that say something else than they do on the screen."""
        width, height = self.size
        if not width:
            return
        before, self._strips = self._strips, self._draw(width, height)
        self._drawn_with = self._tools
        if len(before) != height:
            self.refresh()
            return
        for y, (old, new) in enumerate(zip(before, self._strips, strict=True)):
            if old != new:
                self.refresh(Region(0, y, width, 1))

    def _draw(self, width: int, height: int) -> list[Strip]:
        view = self.view
        look = Look(self.times, time.time(), view.search, self._shift, self._further)
        selected = view.selected if view.selecting else range(0)
        cursor = view.at if self.has_focus or not view.following else -1
        strips = []
        for index in range(view.top, view.top + height):
            entry = view.lines[index] if index < len(view.lines) else None
            surface = self._surface(at_cursor=index == cursor, selected=index in selected)
            strips.append(draw(self._ink, width, entry, look, surface).strip())
        return strips

    def _surface(self, *, at_cursor: bool, selected: bool) -> str:
        if at_cursor:
            return "cursor" if self.has_focus else "cursor_blurred"
        return "cursor_blurred" if selected else ""

    def render_line(self, y: int) -> Strip:
        """Draw a line of what can be seen."""
        if self._drawn_with != self._tools:
            self._strips, self._drawn_with = self._draw(*self.size), self._tools
        return self._strips[y]

    @property
    def _tools(self) -> tuple[object, ...]:
        """What the lines depend on besides the view; with anything else they are drawn anew."""
        return self.size, self._ink.palette, self._ink.privacy.on

    def on_resize(self) -> None:
        height = self.size.height
        self.view.resize(height, leap=height // 3 if self.leaps else 0)
        self._bring_into_sight()
        self.update()

    def watch_has_focus(self, has_focus: bool) -> None:
        """Show the cursor, or show that the keys are elsewhere."""
        super().watch_has_focus(has_focus)
        self.update()

    def rest(self, resting: bool) -> None:
        """Let ages grow no older while something lies above."""
        self._age(running=not resting)

    def _age(self, *, running: bool = True) -> None:
        """Redraw ages that have grown, now and every `STEP` seconds."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        if running and self.times is Times.AGO and self.is_running:
            self.update()
            self._timer = self.set_timer(STEP, self._age)

    def _bring_into_sight(self) -> None:
        """Move texts to where the words that were searched for can be seen in the match under the cursor."""
        entry, words = self.view.current, self.view.search
        if not words and self._sought is not None:
            self._sought, self._further = None, 0
        if entry is None:
            return
        room = self.size.width - text_at(self.size.width, self.times, entry.kind)
        if (entry, words, room) == self._sought or not self.view.hits[0]:
            return
        self._sought, self._shift, self._further = (entry, words, room), 0, 0
        ends = [match.end() for match in pattern_of(words).finditer(entry.text)]
        if ends and ends[0] > room:
            self._further = ends[0] - room + 1

    # Keys

    def word_for(self, action: str) -> str | None:
        """Return what an action would do now, where its usual word does not say it."""
        view = self.view
        wanted = view.filter
        if action == "next_level":
            after = {Level.CHANGE: "problems", Level.PROBLEM: "all", Level.DETAIL: "changes"}
            return after[wanted.level]
        return {
            "toggle_follow": "hold" if view.following else "follow",
            "only_matches": "lines around" if wanted.words else "only matches",
            "copy": f"copy {formats.count(len(view.selected))}" if view.selecting else "copy",
            "select": "unselect" if view.selecting else "select",
            "only_connection": "all connections" if wanted.subjects else "connection",
            "only_event": "all events" if wanted.word else "event",
            "next_times": self.times.next.value,
            "enlarge": "shrink" if self.large else "enlarge",
            "show_all": "unselect" if view.selecting else "show all",
        }.get(action)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Offer only what would do something now."""
        view, entry = self.view, self.view.current
        if action in ("copy", "select", "save", "next_times", "only_event"):
            return entry is not None or (action == "only_event" and bool(view.filter.word))
        if action == "only_connection":
            return bool(view.filter.subjects or (entry and entry.subject))
        if action == "step":
            return view.hits[1] > 0 and view.hits != (1, 1)
        if action == "only_matches":
            return bool(view.search)
        if action == "show_all":
            return view.selecting or bool(view.search) or view.filter != Filter()
        if action in ("toggle_follow", "search", "next_level", "enlarge"):
            return view.store.last > 0
        return True

    def _act(self, act: Callable[[], object]) -> None:
        act()
        self.changed()

    def changed(self) -> None:
        """Show what has changed in the view, and tell of it.

        As the sender: what our parent sends, also by calling this, goes no further than our parent.
        """
        self._bring_into_sight()
        self.update()
        self.post_message(self.Changed().set_sender(self))

    def action_move(self, lines: int) -> None:
        self._act(lambda: self.view.move(lines))

    def action_page(self, pages: int) -> None:
        self._act(lambda: self.view.page(pages))

    def action_edge(self, side: int) -> None:
        self._act(lambda: self.view.edge(side))

    def action_shift(self, side: int) -> None:
        self._shift = max(-self._further, self._shift + side * _SHIFT)
        self.update()

    def action_toggle_follow(self) -> None:
        self._act(lambda: self.view.follow(not self.view.following))

    def action_search(self) -> None:
        self.view.begin_search()
        self.post_message(LastLine.Edit("search", " ".join(self.view.search), self._seek, sign=SEEKS))

    def action_step(self, direction: int) -> None:
        around = self.view.step(direction)
        self.changed()
        if around:
            self._tell(f"on from the {'oldest' if direction > 0 else 'newest'} again")

    def action_only_matches(self) -> None:
        self._act(self.view.only_hits)

    def action_only_connection(self) -> None:
        entry, subjects = self.view.current, self.view.filter.subjects
        if subjects or entry is not None:
            self.only_connections(subjects or frozenset({entry.subject if entry else ""}))

    def only_connections(self, names: frozenset[str]) -> None:
        """Show only what is about these; all again where that is so already."""
        self._act(lambda: self.view.only_subjects(names))

    def action_next_level(self) -> None:
        self._act(self.view.next_level)

    def action_only_event(self) -> None:
        entry, word = self.view.current, self.view.filter.word
        if word or entry is not None:
            self._act(lambda: self.view.only_word(word or (entry.kind.word if entry else "")))

    def action_next_times(self) -> None:
        self.times = self.times.next
        self._age()
        self.changed()

    def action_enlarge(self) -> None:
        self.post_message(self.EnlargeAsked())

    def action_select(self) -> None:
        self._act(self.view.select)

    def action_show_all(self) -> None:
        self._shift = 0
        self._act(self.view.select if self.view.selecting else self.view.clear)

    def _seek(self, text: str) -> None:
        self._act(lambda: self.view.seek(text))

    def on_mouse_scroll_up(self) -> None:
        self.action_move(-_WHEEL)

    def on_mouse_scroll_down(self) -> None:
        self.action_move(_WHEEL)

    def on_click(self, event: events.Click) -> None:
        self.action_move(self.view.top + event.y - self.view.at)

    # Copies

    def action_copy(self) -> None:
        selected = self.view.selected
        entries = self.view.lines[selected.start : selected.stop]
        if self.view.selecting:
            self._act(self.view.select)
        self.run_worker(self._copy(entries), group="copies")

    async def _copy(self, entries: list[Entry]) -> None:
        lines = await self._texts(entries)
        text, number = "\n".join(lines), formats.plural(len(lines), "line")
        fits = clipboard.fits(text)
        if fits:
            self.app.copy_to_clipboard(text)
        offered = "offered to the terminal too" if fits else "too many to offer them to the terminal"
        try:
            path = await asyncio.to_thread(files.copy, lines)
        except statefile.NotWrittenError as error:
            self._tell(f"in no file: {error} · {number} {offered}")
            return
        opening = f"copied {number} into " if self.app.size.width >= NARROW else f"{number} in "
        self._tell(f"{self._named(opening, path)} · {offered}")

    def action_save(self) -> None:
        now = time.time()
        heading = f"trunkline, saved {iso(now, utc=self.times is Times.UTC)} · {whole(self.view)}"
        self.run_worker(self._save(list(self.view.lines), heading, now), group="copies")

    async def _save(self, entries: list[Entry], heading: str, now: float) -> None:
        number = formats.plural(len(entries), "line")
        lines = await self._texts(entries)
        try:
            path = await asyncio.to_thread(files.save, lines, self._ink.shared(heading), now)
        except statefile.NotWrittenError as error:
            self._tell(f"not saved: {error} ({statefile.folder()}) · {error.hint}")
            return
        opening = f"saved {number} as " if self.app.size.width >= NARROW else "saved "
        self._tell(self._named(opening, path))

    async def _texts(self, entries: list[Entry]) -> list[str]:
        """Return entries as lines for a file, without names where they are hidden on the screen."""
        lines: list[str] = []
        for start in range(0, len(entries), _AT_ONCE):
            some = files.texts(entries[start : start + _AT_ONCE], utc=self.times is Times.UTC)
            lines += map(self._ink.shared, some)
            await asyncio.sleep(0)
        return lines

    def _tell(self, sentence: str) -> None:
        self.post_message(LastLine.Say(sentence))

    def _named(self, opening: str, path: Path) -> str:
        """Return an opening and a path, whose end is what is left of it where there is no room for all."""
        return opening + statefile.shown(path, self.app.size.width - len(opening) - 2)
