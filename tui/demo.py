"""The demo: the lab's servers, a story of what befalls them, and the dashboard on connections to them."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

from manager.embedded import EmbeddedClient
from manager.lab.faults import Fault
from manager.lab.lab import Lab
from manager.lab.story import DELAY, HOSTS, POLICY, Deed, Step, perform, place_of, play, story
from manager.lab.thread import LabThread
from tui.app import ExtraKey, TrunklineApp
from tui.preferences import Preferences
from tui.run import run_app

_KEYS: tuple[tuple[str, str, Fault | Deed, str], ...] = (
    ("1", "restart", Deed.RESTART, "restarts: back in 9 s"),
    ("2", "hang", Fault.HANG, "hangs: accepts and answers nothing, until 0"),
    ("3", "password", Fault.WRONG_PASSWORD, "refuses every password, until 0"),
    ("4", "flap", Deed.FLAP, "dropped every session"),
    ("5", "slow", Fault.SLOW, "answers late, until 0"),
)


class Narrator:
    """Remembers how far the story has come."""

    def __init__(self) -> None:
        self._last = "nothing has happened yet"

    def heard(self, step: Step) -> None:
        """Note a step; called in the lab's thread."""
        self._last = step.sentence

    async def tell(self, _connection: str | None) -> str:
        """Say what happened last."""
        return f"The story: {self._last}"


def run_demo(seed: int | None, *, theme: str | None = None) -> int:
    """Run the demo until the user quits; return the exit code.

    Args:
        seed: tells which story; None for one by chance, whose number the header names.
        theme: name of a theme; None for the one that suits the terminal.
    """
    if seed is None:
        seed = random.randrange(1000)  # noqa: S311 - a story, not a secret
    lab, narrator = Lab(HOSTS, policy=POLICY, delay=DELAY), Narrator()
    with LabThread(lab) as thread:
        client = EmbeddedClient(lab.connections())
        app = TrunklineApp(
            client,
            title=f"demo, seed {seed}",
            preferences=Preferences(theme=theme),
            keys=demo_keys(thread, narrator),
            expected=client.expected,
        )
        thread.begin(lambda running: play(running, story(seed), narrator.heard))
        return run_app(app, client)


def demo_keys(thread: LabThread, narrator: Narrator) -> list[ExtraKey]:
    """Return the keys by which a fault is provoked on the server of the selected connection."""
    keys = [ExtraKey(key, name, _provoke(thread, deed, words)) for key, name, deed, words in _KEYS]

    async def mend(_connection: str | None) -> str:
        thread.begin(_mend_all)
        return "Every server is well again; what is blocked or waits comes back by itself, or with r"

    return [*keys, ExtraKey("0", "mend", mend), ExtraKey("d", "story", narrator.tell)]


def _provoke(thread: LabThread, deed: Fault | Deed, words: str) -> Callable[[str | None], Awaitable[str]]:
    async def provoke(connection: str | None) -> str:
        if connection is None:
            return "Select a connection first: the fault befalls its server"
        place = place_of(connection)
        step = Step(0.0, place, deed, f"{place} {words}", cut=deed is Fault.WRONG_PASSWORD)
        thread.begin(lambda lab: perform(lab, step))
        return step.sentence

    return provoke


async def _mend_all(lab: Lab) -> None:
    lab.mend()
