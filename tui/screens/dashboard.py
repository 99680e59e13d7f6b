"""The dashboard: health and verdicts, connections, the event log, and the keys in the last line."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

import platformdirs
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.geometry import Size
from textual.screen import Screen

from manager.client import ManagerClient, Reload
from manager.errors import TrunklineError
from manager.events import Event
from tui import clipboard, consequences, formats
from tui.board import Board, Change
from tui.columns import WIDE
from tui.extrakey import ExtraKey
from tui.follower import Follower
from tui.line import Ink
from tui.pace import CALM, URGENT, Pace
from tui.reporter import Reporter
from tui.sentences import log_line
from tui.widgets.connections import Connections
from tui.widgets.footer import keys_here
from tui.widgets.health import Counts, HealthGauge
from tui.widgets.lastline import LastLine
from tui.widgets.logpane import LogPane
from tui.widgets.panes import TALL, Panes
from tui.widgets.table import ConnectionTable
from tui.widgets.verdicts import VerdictLines

if TYPE_CHECKING:
    from tui.screens.covering import CoveringScreen
    from tui.screens.help import KeySection

# ruff: noqa: PLC0415 - a screen that lies over this one is imported when it is asked for: the first frame needs none

_ROWS_ORDER = (
    "reconnect", "refresh_all", "open", "fold", "problem", "filter", "switch_pane", "extra", "skip",
    "acknowledge", "pause", "mute", "follow", "reconnect_all", "wire", "events", "health",
)  # fmt: skip
_LOG_ORDER = (
    "follow", "search", "step", "switch_pane", "copy", "select", "next_level", "only_connection",
    "only_matches", "show_all", "only_event", "save", "next_times", "enlarge", "extra",
)  # fmt: skip
"""What an operator presses at night comes first, and its key has the same place on every night."""


def _key(key: str, action: str, description: str, help_text: str, *, show: bool = True) -> Binding:
    return Binding(key, action, description, tooltip=help_text, show=show, id=action.removeprefix("app."))


class Dashboard(Screen[None], inherit_bindings=False):
    """The one screen that stays."""

    AUTO_FOCUS = "#rows"
    BINDINGS: ClassVar[list[BindingType]] = [
        _key(
            "R", "reconnect_all", "reconnect all",
            "close and open all connections; asks first when any are up",
        ),
        _key("u", "refresh_all", "refresh", "send every connection a heartbeat and a check now"),
        _key("ctrl+r", "reload", "reload", "read the settings anew, take up what is different", show=False),
        _key("f", "follow", "follow", "have the log follow the newest line, or hold still"),
        _key("tab,shift+tab", "switch_pane", "log", "give the keys to the log, or back to the rows"),
        _key(
            "i", "report", "report", "write down the selected connection's last outage, or the last of all",
            show=False,
        ),
        _key("h", "health", "health", "what cost the health of all each of its points"),
        _key("T", "app.themes", "theme", "choose a theme", show=False),
        _key("H", "app.privacy", "hide", "hide names and addresses; again shows them", show=False),
        _key("ctrl+l", "app.redraw", "redraw", "draw everything anew, whatever stands there", show=False),
        _key("question_mark", "help", "help", "this page"),
        _key(
            "q,ctrl+c", "quit", "quit",
            "close every connection and end; asks first, and just leaves a manager that runs elsewhere",
        ),
    ]  # fmt: skip

    def __init__(
        self,
        client: ManagerClient,
        ink: Ink,
        *,
        title: str,
        keys: Sequence[ExtraKey],
        begin: Callable[[], None],
        read_only: bool = False,
    ) -> None:
        super().__init__()
        self._begin = begin
        self._ink = ink
        self._read_only = read_only
        self.board = Board()
        self._client = client
        self._reporter = Reporter(self.board, ink)
        self._extra = {key.key: key for key in keys}
        for key in keys:
            self._bindings.bind(key.key, f"extra({key.key!r})", key.description)
        self.watchers: list[CoveringScreen] = []
        """Screens that cover this one and are told what it is told."""
        self._resting = False
        self._judged: object = None
        """What the header speaks of."""
        self._rows_pace = Pace(self, time.monotonic, self._draw_board, ink.tempo)
        self._follower = Follower(client, self)
        self._connections = Connections(ink, client, self.board, self._rows_changed, read_only=read_only)
        self._log = LogPane(ink)
        self._panes = Panes(self._connections, self._log)
        self._gauge = HealthGauge(ink, self.board)
        marks = [title, "" if client.embedded else "attached", "read-only" if read_only else ""]
        self._counts = Counts(ink, self.board, marks)
        self._verdicts = VerdictLines(ink, self.board, _advice())
        self._last_line = LastLine(ink, self._keys)

    def compose(self) -> ComposeResult:
        self._fit(self.app.size)
        with Horizontal(id="header"):
            yield self._gauge
            with Vertical(id="judgement"):
                yield self._counts
                yield self._verdicts
        yield self._panes
        yield self._last_line

    def on_mount(self) -> None:
        self._verdicts.update()
        self.call_after_refresh(self._follow)

    def _follow(self) -> None:
        """Have the manager begin, and follow it; what it loads would hold up the first frame."""
        self._begin()
        self.run_worker(self._follower.run(), name="events", exit_on_error=False)

    # What comes from the manager (called by the follower)

    def loaded(self) -> None:
        """A snapshot is in the board."""
        self._rows_changed()

    def _rows_changed(self) -> None:
        self._rows_pace.request(0)
        for watcher in self.watchers:
            watcher.changed()

    def told(self, event: Event, *, fresh: bool) -> None:
        """An event came in; a fresh one is newer than the snapshot."""
        self._reporter.told(event)
        self._log.tell(log_line(event))
        if not fresh:
            return
        change = self.board.apply(event)
        for watcher in self.watchers:
            watcher.told(event)
        if change is Change.URGENT:
            self._rows_pace.request(URGENT)
        elif change is Change.CALM or (change is Change.ROW and self._connections.table.shows(event)):
            self._rows_pace.request(CALM)

    def troubled(self, sentence: str) -> None:
        """Say what is wrong with the manager; nothing for all is well again."""
        self._verdicts.report(sentence)

    # Drawing

    def _draw_board(self) -> None:
        if self._resting or not self.is_mounted:
            return
        self._ink.privacy.learn(self.board.statuses.values())
        self._connections.update()
        judged = (self.board.version, self._ink.tempo.slow)
        if self._judged != judged:
            self._judged = judged
            self._gauge.update()
            self._counts.update()
            self._verdicts.update()
        self._last_line.update()

    def on_screen_suspend(self) -> None:
        """Something lies above: what cannot be seen is not drawn."""
        self._resting = True
        self._connections.table.pause(True)
        self._log.rest(True)

    def on_screen_resume(self) -> None:
        self._resting = False
        if self.is_mounted:
            self._connections.table.pause(False)
            self._rows_pace.request(0)
            self._log.rest(False)

    def on_resize(self, event: events.Resize) -> None:
        self._fit(event.size)
        self.call_after_refresh(self._draw_board)

    def _fit(self, size: Size) -> None:
        self.set_class(size.width >= WIDE, "-wide")
        self.set_class(size.height >= TALL, "-tall")
        self._panes.fit(size)

    # The last line

    def _keys(self) -> list[tuple[str, str]]:
        """Return the keys that do something here and now, and what, the most wanted first."""
        return keys_here(self, _LOG_ORDER if self._panes.in_log else _ROWS_ORDER)

    def word_for(self, action: str) -> str | None:
        """Return what an action would do now, where its usual word does not say it."""
        if action == "switch_pane":
            return "rows" if self._panes.in_log else "log"
        if action == "quit":
            return None if self._client.embedded else "leave"
        if action == "follow":
            return "hold" if self._log.log_lines.view.following else "follow"
        return None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Offer only what would do something now."""
        if self._read_only and action in ("reconnect_all", "refresh_all", "reload"):
            return False
        if action in ("reconnect_all", "refresh_all"):
            return any(status.phase.counts for status in self.board.statuses.values())
        if action == "switch_pane":
            return bool(self.board.statuses) or self._log.log_lines.total > 0
        if action == "follow":
            return self._log.log_lines.total > 0
        return True

    def on_last_line_say(self, message: LastLine.Say) -> None:
        self._last_line.say(message.sentence)

    def on_last_line_ask(self, message: LastLine.Ask) -> None:
        self._last_line.ask(message)

    def on_last_line_edit(self, message: LastLine.Edit) -> None:
        self._last_line.edit(message)

    def on_last_line_enter(self, message: LastLine.Enter) -> None:
        self._last_line.edit(message)

    def on_connections_events_asked(self, message: Connections.EventsAsked) -> None:
        self._log.log_lines.only_connections(message.names)

    def on_connection_table_details_asked(self, message: ConnectionTable.DetailsAsked) -> None:
        from tui.screens.details import DetailsScreen

        self.app.push_screen(
            DetailsScreen(
                self._ink,
                self,
                self._client,
                self.board,
                self._connections.operator,
                rows=self._connections,
                connection=message.name,
                show_wire=self._show_wire,
                read_only=self._read_only,
            )
        )

    def on_connection_table_wire_asked(self, message: ConnectionTable.WireAsked) -> None:
        self._show_wire(message.name)

    def _show_wire(self, name: str) -> None:
        from tui.screens.wire import WireScreen

        self.app.push_screen(WireScreen(self._ink, self, self._client, self.board, name))

    def on_connection_table_cursor_moved(self) -> None:
        self._last_line.update()

    def on_event_log_changed(self) -> None:
        self._last_line.update()

    def on_event_log_enlarge_asked(self) -> None:
        self._last_line.update()

    def on_descendant_focus(self) -> None:
        self._last_line.update()

    def on_key(self) -> None:
        self._last_line.say("")
        self._connections.key_pressed()

    # Keys

    def action_reconnect_all(self) -> None:
        counting = [status for status in self.board.statuses.values() if status.phase.counts]
        cost = consequences.of_reopening(counting)
        if not cost:
            self._connections.operator.reconnect_all()
            return
        sentence = f"R again closes and opens all: {cost} · any other key does not"
        do = self._connections.operator.reconnect_all
        self._last_line.ask(LastLine.Ask(sentence, ("R", "upper_r", "y"), do))

    def action_refresh_all(self) -> None:
        self._connections.operator.refresh_all()

    async def action_reload(self) -> None:
        self.run_worker(self._reload(), group="orders", exit_on_error=False)

    async def _reload(self) -> None:
        sentence = await self._connections.carry_out(Reload(), "reading the settings")
        self._last_line.say(sentence or "the settings were read anew")

    async def action_report(self) -> None:
        self.run_worker(self._report(), group="report", exclusive=True, exit_on_error=False)

    async def _report(self) -> None:
        try:
            written = await self._reporter.write(self._connections.selected, time.time())
        except TrunklineError as error:
            self._last_line.say(" · ".join(filter(None, (f"no report: {error.summary}", error.hint))))
            return
        offered = "too long to offer it to the terminal"
        if clipboard.fits(written.text):
            self.app.copy_to_clipboard(written.text)
            offered = "offered to the terminal too"
        self._last_line.say(f"{written.path.name} holds the report, {offered} · in {written.path.parent}")

    def action_follow(self) -> None:
        self._log.log_lines.action_toggle_follow()

    def action_switch_pane(self) -> None:
        self._panes.switch()

    def action_health(self) -> None:
        from tui.screens.health import HealthScreen

        self.app.push_screen(HealthScreen(self._ink, self, self.board))

    def action_help(self) -> None:
        from tui.screens.help import HelpScreen

        self.app.push_screen(HelpScreen(self._ink, self._key_sections()))

    def action_quit(self) -> None:
        open_now = self.board.up
        if not self._client.embedded or not self.board.loaded or not self.board.statuses:
            self.app.exit()
            return
        what = f"closes {formats.plural(open_now, 'connection')}" if open_now else "ends all attempts"
        sentence = f"q again quits: {what} · any other key stays"
        self._last_line.ask(LastLine.Ask(sentence, ("q", "y", "ctrl+c"), self.app.exit))

    def action_extra(self, key: str) -> None:
        selected = self._connections.selected
        self.run_worker(self._press(self._extra[key], selected.name if selected else None))

    async def _press(self, key: ExtraKey, name: str | None) -> None:
        self._last_line.say(await key.press(name))

    # Help

    def _key_sections(self) -> list[KeySection]:
        from tui.screens.help import keys_of

        panes = [
            ("Connections", keys_of(self.app, self._connections, self._connections.table)),
            ("Event log", keys_of(self.app, self._log.log_lines)),
        ]
        if self._panes.in_log:
            panes.reverse()
        return [
            *panes,
            ("Everywhere", keys_of(self.app, self, self.app)),
            ("While typing", keys_of(self.app, self._last_line.typing)),
        ]


def _advice() -> list[str]:
    file = platformdirs.user_config_path("trunkline") / "config.toml"
    return [
        "No connection is configured.",
        f"Put some into {file}",
        "or see what it looks like: trunkline demo",
    ]
