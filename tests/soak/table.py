"""What was found, a line for each day or minute."""

from __future__ import annotations

from tests.soak.gauges import Stock

_COLUMNS = ("tasks", "timers", "files", "threads", "MiB", "objects", "blocks", "sessions", "events", "CPU s")
_WIDTH = 11


def heading(unit: str) -> str:
    return f"{unit:>8}" + "".join(f"{column:>{_WIDTH}}" for column in _COLUMNS)


def line(number: int, stock: Stock, *, sessions: int, events: int, cpu: float) -> str:
    """Write one line; `sessions` were opened and `events` happened so far, `cpu` seconds were spent."""
    memory = f"{stock.resident / 2**20:.1f}"
    counts = (stock.tasks, stock.timers, stock.files, stock.threads, memory, stock.objects, stock.blocks)
    values = (*counts, sessions, events, f"{cpu:.0f}")
    return f"{number:>8}" + "".join(f"{value!s:>{_WIDTH}}" for value in values)
