"""What the tests of the screen share: an app over a fake manager, read as the text that is on it."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len
from textual.app import App
from textual.pilot import Pilot

SIZES = [(120, 40), (80, 24), (40, 20)]


@pytest.fixture(autouse=True)
def _a_plain_terminal(monkeypatch: pytest.MonkeyPatch, tmp_path) -> Iterator[None]:
    """The same terminal and clock everywhere, and a configuration folder of its own."""
    for name in ("NO_COLOR", "LC_ALL", "LC_CTYPE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(autouse=True)
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the app speak to the fake manager itself, or through a socket where that is wanted."""
    if not (request.config.getoption("--over-socket") or getattr(request.module, "OVER_SOCKET", False)):
        yield
        return
    from tests.tui.over_socket import Detour  # noqa: PLC0415 - few tests take it

    with tempfile.TemporaryDirectory(prefix="tl-") as folder:
        Detour(Path(folder)).install(monkeypatch)
        yield


def screen_text(app: App) -> list[str]:
    """Return what is on the screen, a string a line."""
    width, height = app.size
    update = app.screen._compositor.render_strips(app.size)
    assert len(update) == height
    lines = [strip.text for strip in update]
    assert all(cell_len(line) <= width for line in lines)
    return lines


def line_with(app: App, words: str) -> str:
    """Return the one line of the screen that holds these words."""
    found = [line for line in screen_text(app) if words in line]
    assert len(found) == 1, f"{words!r} is in {len(found)} lines of\n" + "\n".join(screen_text(app))
    return found[0]


def row_of(app: App, name: str) -> str:
    """Return the row of the table that begins with this name."""
    found = [line for line in screen_text(app) if line[3:].startswith(name) or line[2:].startswith(name)]
    assert len(found) == 1, f"{name!r} begins {len(found)} rows of\n" + "\n".join(screen_text(app))
    return found[0]


async def seen(pilot: Pilot, condition: Callable[[], bool], within: float = 60.0) -> None:
    """Wait until the screen has come to something."""
    deadline = time.monotonic() + within
    while True:
        await pilot.pause()
        if condition():
            return
        assert time.monotonic() < deadline, "\n".join(screen_text(pilot.app))
        await asyncio.sleep(0.01)


async def text_seen(pilot: Pilot, words: str) -> None:
    """Wait until these words are on the screen."""
    await seen(pilot, lambda: any(words in line for line in screen_text(pilot.app)))


async def text_gone(pilot: Pilot, words: str) -> None:
    """Wait until these words are on the screen no more."""
    await seen(pilot, lambda: not any(words in line for line in screen_text(pilot.app)))
