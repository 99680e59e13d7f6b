"""trunkline as its user starts it, with settings for a real Asterisk."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.real.asterisk import Asterisk

ROOT = Path(__file__).parents[2]
SETTINGS = """
[connections.pbx-ami]
type = "ami"
endpoints = ["ami://127.0.0.1:{ports.ami}"]
username = "monitor"
password = "secret-of-monitor"
[connections.desk-tcp]
type = "sip"
endpoints = ["sip:127.0.0.1:{ports.tcp};transport=tcp"]
aor = "sip:6001@127.0.0.1"
username = "6001"
password = "secret-of-6001"
"""


def program(settings: Path, *verb: str) -> list[str]:
    return [sys.executable, "-m", "tui", *verb, "--config", str(settings)]


def environment(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}


def manager_sessions(asterisk: Asterisk) -> int:
    """Return how many are logged in to the manager interface now."""
    return asterisk.cli("manager show connected").count("127.0.0.1")


def logins(asterisk: Asterisk) -> int:
    return asterisk.log.count("Manager 'monitor' logged on")
