"""Runs the benchmarks that are named, or all, and writes their rows into RESULTS.md."""

from __future__ import annotations

import compileall
import importlib
import json
import logging
import os
import platform
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench.table import Row, table
from tests.real.debian import NotHereError

FOLDER = Path(__file__).parent
NAMES = (
    "recovery",
    "siblings",
    "hung",
    "logins",
    "freeze",
    "held",
    "registrations",
    "ring",
    "imports",
    "dashboard",
    "busy",
    "crowd",
    "served",
)
LIBRARIES = ("websockets", "panoramisk", "tenacity", "msgspec", "pyee", "aiosipua")


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(NAMES)}")
        return 2
    # As pip does it to what it installs, and so to what this is compared with.
    for package in ("manager", "tui", "bench"):
        compileall.compile_dir(FOLDER.parent / package, quiet=1)
    # What is provoked on purpose need not be told.
    logging.getLogger().addHandler(logging.NullHandler())
    kept_file = FOLDER / ".rows.json"
    kept: dict[str, list[dict[str, str]]] = json.loads(kept_file.read_text()) if kept_file.exists() else {}
    for name in names or NAMES:
        print(f"{name} …", flush=True)
        started = time.monotonic()
        try:
            rows = importlib.import_module(f"bench.{name}").run()
        except NotHereError as error:
            rows = [Row(name, "not measured here", "", "", "", f"no: {error}")]
        kept[name] = [row.asdict() for row in rows]
        print(table(rows), f"\n{name}: {time.monotonic() - started:.0f} s\n", flush=True)
        kept_file.write_text(json.dumps(kept))
        rows = [Row(**row) for each in NAMES for row in kept.get(each, ())]
        (FOLDER / "RESULTS.md").write_text(f"{heading()}\n{table(rows)}\n")
    return 0


def heading() -> str:
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    python = f"Python {platform.python_version()}"
    libraries = ", ".join(f"{name} {found}" for name in LIBRARIES if (found := _version(name)))
    return (
        f"# Results of `make bench`\n\n{datetime.now(UTC):%Y-%m-%d} · {machine} · {python} · {libraries}\n\n"
        "Medians of several runs, both sides in the same run. "
        "Absolute times are this machine's; compare the sides.\n"
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except ImportError:
        return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
