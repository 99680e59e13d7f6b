"""Every screen and every action once over real sockets: dashboard, manager and the servers of the lab."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator

import pytest
from textual.pilot import Pilot

from manager.client import Reconnect, Resume
from manager.embedded import EmbeddedClient
from manager.lab.faults import Fault
from manager.lab.lab import Host, Lab
from manager.lab.thread import LabThread
from manager.model import Phase
from manager.settings import Policy
from tests.tui.conftest import row_of, screen_text, seen, text_gone, text_seen
from tui import keymap
from tui.app import TrunklineApp

HOST = Host("lab", sip=("lab-6001", "lab-6002"), websocket=("lab-websocket",), ami=("lab-ami",))
SIP, PHONE, WEBSOCKET, AMI = NAMES = (*HOST.sip, *HOST.websocket, *HOST.ami)
PATIENT = Policy(
    base_delay=600.0,
    max_delay=600.0,
    heartbeat_interval=600.0,
    health_interval=600.0,
    stable_after=0.0,
    peek=False,
    sibling_wake=False,
)
"""By itself, a connection would ask for nothing, and one that is lost would wait, for ten minutes."""

ACTIONS: dict[str, tuple[str, ...]] = {
    "rows": (
        "rows.reconnect", "rows.refresh", "rows.pause", "reconnect_all", "refresh_all", "reload", "rows.mark",
        "rows.mark_all", "rows.filter", "rows.show_all", "rows.order", "rows.columns", "rows.events",
        "filter.keep", "filter.clear", "rows.unfold", "rows.fold",
    ),
    "outage": (
        "rows.reconnect", "rows.skip", "rows.acknowledge", "rows.mute", "rows.seen", "rows.next_problem",
        "rows.previous_problem", "report", "health", "costs.back", "filter.keep",
    ),
    "details": (
        "rows.open", "details.reconnect", "details.refresh", "details.skip", "details.acknowledge",
        "details.pause", "details.mute", "details.wire", "details.next", "details.previous",
        "details.next_problem", "details.previous_problem", "page.next_section", "page.previous_section",
        "covering.back", "filter.keep",
    ),
    "wire": (
        "rows.wire", "wire.pause", "wire.follow", "wire.filter", "wire.ladder", "wire.save", "wire.copy",
        "wire.switch_pane", "wire.message_down", "wire.message_up", "filter.keep", "covering.back",
    ),
    "log": (
        "switch_pane", "follow", "log.toggle_follow", "log.search", "log.next", "log.previous",
        "log.show_all", "log.only_matches", "log.copy", "log.select", "log.only_connection", "log.next_level",
        "log.only_event", "log.save", "log.next_times", "log.enlarge", "filter.keep",
    ),
    "others": (
        "help", "help.back", "themes", "themes.keep", "themes.back", "privacy", "redraw", "command_palette",
        "quit",
    ),
}  # fmt: skip
"""The actions that each test below takes, by their names in the keymap."""
MOVES = ("up", "down", "page_up", "page_down", "first", "last", "left", "right")


def test_every_action_has_a_twin_here():
    taken = {action for actions in ACTIONS.values() for action in actions}
    assert taken == {name for name in keymap.defaults() if name.rpartition(".")[2] not in MOVES}


class Site:
    """The lab's servers and a manager that is connected to them."""

    def __init__(self, lab: Lab, thread: LabThread, client: EmbeddedClient) -> None:
        self.client = client
        self.sip, self.websocket, self.ami = lab.servers
        self.lab = lab
        self._thread = thread

    async def do(self, deed: Callable[[Lab], object]) -> None:
        """Do something to the servers, in their own thread."""
        done = threading.Event()

        async def work(lab: Lab) -> None:
            deed(lab)
            done.set()

        self._thread.begin(work)
        await asyncio.to_thread(done.wait, 60)

    async def fault(self, fault: Fault | None) -> None:
        def provoke(lab: Lab) -> None:
            for server in lab.servers:
                server.fault = fault

        await self.do(provoke)

    async def well(self) -> None:
        """Have everything up, whatever a test before has left behind."""
        await self.fault(None)
        statuses = (await self.client.snapshot()).statuses
        for status in statuses:
            if status.phase in (Phase.PAUSED, Phase.WAITING):
                wanted = Resume if status.phase is Phase.PAUSED else Reconnect
                await self.client.command(wanted(name=status.name))
        while not all(status.phase is Phase.UP for status in (await self.client.snapshot()).statuses):
            await asyncio.sleep(0.01)

    @property
    def logins(self) -> list[int]:
        return [server.logins for server in self.lab.servers]

    @property
    def asked(self) -> tuple[int, int]:
        """How often SIP and AMI were asked for a sign of life."""
        return list(self.sip.requests).count("OPTIONS"), list(self.ami.actions).count("Ping")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    lab = Lab((HOST,), policy=PATIENT)
    with LabThread(lab) as thread:
        settings = lab.connections()
        with EmbeddedClient(settings, load=lambda: settings) as client:
            yield Site(lab, thread, client)


class Keys:
    """Presses the keys of actions and remembers which."""

    def __init__(self, pilot: Pilot) -> None:
        self.app = pilot.app
        self.pressed: set[str] = set()
        self._pilot = pilot

    async def press(self, action: str, *then: str) -> None:
        """Press the key of an action, and others after it."""
        self.pressed.add(action)
        await self._pilot.press(keymap.defaults()[action][0], *then)

    async def sees(self, *words: str) -> None:
        for each in words:
            await text_seen(self._pilot, each)

    async def until(self, condition: Callable[[], bool]) -> None:
        await seen(self._pilot, condition)

    async def resize(self, columns: int, lines: int) -> None:
        await self._pilot.resize_terminal(columns, lines)

    async def gone(self, words: str) -> None:
        await text_gone(self._pilot, words)

    async def stand_on(self, name: str) -> None:
        self.app.screen.query_one("#rows").select(name)
        await self.until(lambda: self.app.screen.query_one("#rows").selected_name == name)

    async def stand_on_first(self) -> None:
        await self._pilot.press("g")

    def is_about(self, name: str) -> bool:
        """Whether the screen is about a connection."""
        return name in screen_text(self.app)[0]

    async def tells(self, name: str, words: str) -> None:
        """Wait until a row says something."""
        await self.until(lambda: words in row_of(self.app, name))


Story = Callable[[Site, Keys], Awaitable[None]]


async def take(site: Site, screen: str, story: Story) -> None:
    """Tell a story on the dashboard, all connections being up; afterwards they are again."""
    await site.well()
    app = TrunklineApp(site.client)
    async with app.run_test(size=(140, 40)) as pilot:
        keys = Keys(pilot)
        await keys.sees("Events ─", "4 up")
        await story(site, keys)
    assert keys.pressed == set(ACTIONS[screen])


async def test_what_is_done_to_rows_is_done_to_the_servers(site):
    async def story(site: Site, keys: Keys) -> None:
        assert "registered until" in row_of(keys.app, SIP)
        assert "Asterisk 22" in row_of(keys.app, AMI)
        for name, server in zip(NAMES, (site.sip, site.sip, site.websocket, site.ami), strict=True):
            before = server.logins
            await keys.stand_on(name)
            await keys.press("rows.reconnect")
            await keys.tells(name, "closed and up again after")
            assert server.logins > before
        asked = site.asked
        await keys.press("rows.refresh")
        await keys.until(lambda: site.asked == (asked[0], asked[1] + 1))
        await keys.press("refresh_all")
        await keys.until(lambda: site.asked == (asked[0] + 2, asked[1] + 2))
        await keys.press("rows.pause")
        await keys.until(lambda: "paused" in row_of(keys.app, AMI) and not site.ami.sessions)
        await keys.press("rows.pause")
        await keys.until(lambda: site.ami.sessions == 1)
        await keys.sees("4 up")
        before = site.logins
        await keys.press("reconnect_all")
        await keys.sees("R again closes and opens all: 4 of 4 are up")
        await keys.press("reconnect_all")
        await keys.until(lambda: all(now > was for now, was in zip(site.logins, before, strict=True)))
        await keys.sees("4 up")
        await keys.press("reload")
        await keys.sees("settings: nothing has changed")
        await keys.press("rows.filter", *"group:lab websocket")
        await keys.sees("1 of 4 match")
        await keys.press("filter.keep")
        await keys.press("rows.mark")
        await keys.press("rows.show_all")
        await keys.press("rows.events")
        await keys.sees("only lab-websocket")
        await keys.press("rows.mark_all")
        await keys.sees("r reconnect 4")
        await keys.press("rows.order", *"-name", "enter")
        await keys.press("rows.columns", *" drops", "enter")
        await keys.press("rows.columns")
        await keys.press("filter.clear")
        await keys.resize(140, 10)
        await keys.sees("enter unfolds")
        await keys.stand_on_first()
        await keys.press("rows.unfold")
        await keys.gone("enter unfolds")
        await keys.press("rows.fold")
        await keys.sees("enter unfolds")

    await take(site, "rows", story)


async def test_an_outage_is_worked_off_on_the_rows_and_told_in_a_report(site, tmp_path):
    async def story(site: Site, keys: Keys) -> None:
        await site.fault(Fault.REFUSE)
        for name in NAMES:
            await keys.stand_on(name)
            await keys.press("rows.reconnect")
        await keys.sees("4 waiting", "refuses all 4 (SIP, WebSocket, AMI)")
        await keys.press("health")
        await keys.sees("0 % critical", "its own 0 of 100")
        await keys.press("costs.back")
        await keys.stand_on(SIP)
        await keys.press("rows.next_problem")
        assert keys.app.screen.query_one("#rows").selected_name == PHONE
        await keys.press("rows.previous_problem")
        await keys.tells(SIP, "2/15")
        await keys.press("rows.skip")
        await keys.tells(SIP, "3/15")
        await keys.press("rows.acknowledge")
        await keys.sees("noted")
        await keys.press("rows.mute", *"2 h")
        await keys.press("filter.keep")
        await keys.sees("lab muted until")
        await keys.press("rows.mute")
        await keys.gone("lab muted until")
        await site.fault(None)
        for name in NAMES:
            await keys.stand_on(name)
            await keys.press("rows.skip")
            await keys.tells(name, "up after")
        await keys.sees("4 up")
        keys.app.screen._connections._view.looked_at = 1.0
        await keys.press("rows.seen")
        await keys.press("report")
        await keys.sees("holds the report")
        (report,) = (tmp_path / "state" / "trunkline").glob("incident-*.md")
        for words in (
            "# Outage of lab",
            f"skip asked for: {SIP}, 2 times",
            f"acknowledged: {SIP}",
            "muted: lab",
        ):
            assert words in report.read_text()

    await take(site, "outage", story)


async def test_the_details_act_on_a_real_connection_and_tell_its_history(site):
    async def story(site: Site, keys: Keys) -> None:
        await keys.stand_on(SIP)
        await keys.press("rows.open")
        await keys.sees("up since", "Endpoints", SIP)
        logins = site.sip.logins
        await keys.press("details.reconnect")
        await keys.sees("closed and up again after")
        assert site.sip.logins > logins
        asked = site.asked[0]
        await keys.press("details.refresh")
        await keys.until(lambda: site.asked[0] == asked + 1)
        await keys.press("details.pause")
        await keys.sees("paused since")
        await keys.until(lambda: not site.sip.registrar.bindings("6001"))
        await keys.press("details.pause")
        await keys.sees("up since")
        assert len(site.sip.registrar.bindings("6001")) == 1
        await keys.press("details.mute", *"2 h")
        await keys.press("filter.keep")
        await keys.sees("lab is muted", "m unmute")
        await keys.press("details.mute")
        await keys.sees("lab is no longer muted")
        await site.fault(Fault.REFUSE)
        await keys.press("details.reconnect")
        await keys.sees("waiting since", "what to do")
        await keys.press("details.acknowledge")
        await keys.gone("a ack")
        await keys.press("details.skip")
        await keys.sees("attempt 3/15 at")
        await keys.press("details.next")
        await keys.until(lambda: keys.is_about(WEBSOCKET))
        await keys.press("details.previous")
        await keys.until(lambda: keys.is_about(SIP))
        await keys.press("details.next_problem")
        await keys.until(lambda: keys.is_about(WEBSOCKET))
        await keys.press("details.previous_problem")
        await keys.until(lambda: keys.is_about(SIP))
        await keys.press("page.next_section")
        await keys.sees("waiting: ")
        await keys.press("page.previous_section")
        await site.fault(None)
        await keys.press("details.skip")
        await keys.sees("up since")
        await keys.press("details.wire")
        await keys.sees("REGISTER")
        await keys.press("covering.back", "escape")
        await keys.sees("Events ─")

    await take(site, "details", story)


async def test_the_wire_view_shows_what_really_went_over_it_without_a_secret(site, tmp_path):
    secrets = [secret.reveal() for secret in site.lab._secrets.values()]

    async def story(site: Site, keys: Keys) -> None:
        await keys.stand_on(SIP)
        await keys.press("rows.wire")
        await keys.sees("REGISTER", "401 Unauthorized", "200 OK", "following")
        await keys.press("wire.ladder")
        await keys.sees("→ REGISTER")
        await keys.press("wire.pause")
        await keys.sees("paused")
        await site.client.command(Reconnect(name=SIP))
        await keys.sees(" new · p goes on")
        await keys.press("wire.pause")
        await keys.gone("p goes on")
        await keys.press("wire.filter", *"Authorization")
        await keys.press("filter.keep")
        await keys.sees("***")
        await keys.press("wire.switch_pane")
        await keys.press("wire.switch_pane")
        await keys.press("wire.message_down")
        await keys.press("wire.message_up")
        await keys.press("wire.follow")
        await keys.sees("f follows")
        await keys.press("wire.copy")
        await keys.sees("copied into")
        await keys.press("wire.save")
        await keys.sees("saved ")
        assert not any(secret in line for line in screen_text(keys.app) for secret in secrets)
        saved = list((tmp_path / "state" / "trunkline").glob("*.txt"))
        assert len(saved) == 2
        assert not any(secret in path.read_text() for path in saved for secret in secrets)
        await keys.press("covering.back", "escape")

    await take(site, "wire", story)


async def test_the_log_is_read_by_its_keys_over_what_really_happened(site, tmp_path):
    async def story(site: Site, keys: Keys) -> None:
        await keys.stand_on(AMI)
        await site.client.command(Reconnect(name=AMI))
        await keys.press("follow")
        await keys.sees("held")
        await keys.press("switch_pane")
        await keys.press("log.toggle_follow")
        await keys.sees("following")
        await keys.press("log.search", *"Asterisk")
        await keys.press("filter.keep")
        await keys.sees("“asterisk” ")
        for action in ("log.next", "log.previous", "log.only_matches", "log.only_matches", "log.show_all"):
            await keys.press(action)
        await keys.gone("“asterisk” ")
        await keys.press("log.only_connection")
        await keys.sees("only lab-ami")
        await keys.press("log.only_event")
        await keys.sees("only up")
        await keys.press("log.show_all")
        for said in ("problems", "all", "changes"):
            await keys.press("log.next_level")
            await keys.sees(f" · {said}")
        for said in ("UTC", "local", "ago"):
            await keys.press("log.next_times")
            await keys.sees(f"t {said}")
        await keys.press("log.enlarge")
        await keys.gone("SIP ─")
        await keys.press("log.enlarge")
        await keys.press("log.select", "k")
        await keys.press("log.copy")
        await keys.sees("copied 2 lines")
        await keys.press("log.save")
        await keys.sees("saved ")
        assert len(list((tmp_path / "state" / "trunkline").glob("*"))) == 2

    await take(site, "log", story)


async def test_names_of_real_connections_are_hidden_and_the_other_screens_lead_back(site):
    async def story(site: Site, keys: Keys) -> None:
        await keys.press("privacy")
        await keys.gone("lab")
        for words in (*NAMES, "127.0.0.1"):
            assert not any(words in line for line in screen_text(keys.app))
        await keys.press("privacy")
        await keys.sees(SIP)
        await keys.press("redraw")
        await keys.press("help")
        await keys.sees("keys and signs")
        await keys.press("help.back")
        await keys.press("themes")
        await keys.press("themes.back")
        await keys.press("themes")
        await keys.press("themes.keep")
        asked = site.asked
        await keys.press("command_palette", *"every connection a heartbeat")
        await keys.sees("send every connection a heartbeat and a check now")
        await keys.until(lambda: len(keys.app.screen.query_one("CommandList").options) == 1)
        await keys._pilot.press("enter")
        await keys.until(lambda: site.asked == (asked[0] + 2, asked[1] + 1))
        await keys.press("quit")
        await keys.sees("q again quits: closes 4 connections")
        await keys.press("quit")
        await keys.until(lambda: keys.app._exit)

    await take(site, "others", story)
