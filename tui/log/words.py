"""What is shown of the log, in words."""

from __future__ import annotations

from tui import formats
from tui.log.entry import Level
from tui.log.view import LogView

LEVELS = {Level.PROBLEM: "problems", Level.CHANGE: "changes", Level.DETAIL: "all"}


def state(view: LogView) -> str:
    """Return whether the log follows; one that is held whose lines have gone stands at the oldest."""
    if view.following:
        return "following"
    return "held at the oldest, the rest was dropped" if view.overrun else "held"


def news(view: LogView) -> str:
    """Return how many lines have come since the log was held: `5 new`."""
    return f"{formats.count(view.unseen)} new" if view.unseen else ""


def narrowed(view: LogView) -> list[str]:
    """Return what is filtered by besides the level: `only desk-6001`."""
    wanted = view.filter
    told = []
    if len(wanted.subjects) == 1:
        told.append(f"only {next(iter(wanted.subjects))}")
    elif wanted.subjects:
        told.append(f"only {formats.plural(len(wanted.subjects), 'connection')}")
    if wanted.word:
        told.append(f"only {wanted.word}")
    if wanted.words:
        told.append(f"only “{' '.join(wanted.words)}”")
    return told


def search(view: LogView) -> str:
    """Return what is searched for and which match one is on: `“refused” 3 of 17`."""
    if not view.search:
        return ""
    at, number = view.hits
    if view.working:
        found = "…"
    elif not number:
        found = "no match"
    elif at:
        found = f"{formats.count(at)} of {formats.count(number)}"
    else:
        found = formats.plural(number, "match", "matches")
    return f"“{' '.join(view.search)}” {found}"


def count(view: LogView) -> str:
    """Return how many lines there are: `1,204`, or `12 of 1,204` where some do not pass the filter."""
    number = formats.count(len(view.lines))
    return f"{number} of {formats.count(view.store.held(view.filter.level))}" if narrowed(view) else number


def dropped(view: LogView) -> str:
    """Return how many lines have gone because the log was full: `212 dropped`."""
    number = view.store.dropped(view.filter.level)
    return f"{formats.count(number)} dropped" if number else ""


def whole(view: LogView) -> str:
    """Return all that a reader of a saved log needs to know of what is missing in it."""
    return " · ".join(filter(None, (LEVELS[view.filter.level], *narrowed(view), count(view), dropped(view))))
