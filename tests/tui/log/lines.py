"""Lines to put into a log."""

from __future__ import annotations

from tui.log.entry import Level, LogLine
from tui.log.store import LogStore
from tui.log.view import LogView


def line(text: str = "", level: Level = Level.CHANGE, *, subject: str = "desk", word: str = "up") -> LogLine:
    return LogLine(1_795_740_000.0, subject, word, "text", text, level)


def filled(number: int, limit: int = 100_000) -> LogStore:
    """Return a store of changes whose texts count from 1."""
    store = LogStore(limit)
    for count in range(1, number + 1):
        store.add(line(str(count)))
    return store


def viewed(store: LogStore, height: int = 5) -> LogView:
    view = LogView(store)
    view.resize(height)
    while view.advance():
        pass
    return view


def texts(view: LogView) -> list[str]:
    """Return what can be seen."""
    return [entry.text for entry in view.window]
