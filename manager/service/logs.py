"""Where a service writes its log: stderr, which is the journal under systemd, or a file that rotates."""

from __future__ import annotations

import json
import logging
import logging.handlers
import os
import sys
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path

from manager.text import harmless

MAX_BYTES = 4 * 2**20
KEPT = 4
"""Older files beside the current one."""

_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


def write_logs(file: Path | None, *, as_json: bool) -> None:
    """Have everything from INFO on written to a file, or to stderr where none is given.

    Raises:
        OSError: the file cannot be written.
    """
    handler: logging.Handler
    if file is not None:
        handler = _OwnFile(file, maxBytes=MAX_BYTES, backupCount=KEPT, encoding="utf-8")
    else:
        handler = logging.StreamHandler(sys.stderr)
    journal = file is None and "JOURNAL_STREAM" in os.environ
    handler.setFormatter(_Json() if as_json else _Journal() if journal else _Plain())
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)


class _OwnFile(logging.handlers.RotatingFileHandler):
    """A file that only its user may read, as is each that takes its place when it is full."""

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        return os.fdopen(descriptor, "a", encoding=self.encoding)


class _Plain(logging.Formatter):
    """`2026-11-03T12:00:00Z warning manager.store: …`, one line each but for tracebacks."""

    def format(self, record: logging.LogRecord) -> str:
        text = f"{_utc(record)} {record.levelname.lower()} {record.name}: {super().format(record)}"
        return "\n".join(map(harmless, text.splitlines()))


class _Journal(logging.Formatter):
    """As sd-daemon(3) has it: the journal knows the time, and the level stands in front of each line."""

    def format(self, record: logging.LogRecord) -> str:
        priority = _PRIORITIES.get(record.levelno, 6)
        text = f"{record.name}: {super().format(record)}"
        return "\n".join(f"<{priority}>{harmless(line)}" for line in text.splitlines())


class _Json(logging.Formatter):
    """`{"time": …, "level": …, "logger": …, "message": …}`."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": _utc(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": super().format(record),
        }
        return json.dumps(fields)


def _utc(record: logging.LogRecord) -> str:
    return (
        datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )
