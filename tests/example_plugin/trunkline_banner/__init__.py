"""A connection type of its own: the server says a line, and answers each `PING` with `PONG`.

    [connections.queue]
    type = "banner"
    endpoints = ["banner://queue.example.com"]
    greeting = "READY"

An example of what trunkline asks of a connection type: these three names, a driver and a session.
"""

from __future__ import annotations

from typing import Any, ClassVar

from manager.config.section import Section
from manager.drivers.base import Driver, Memory
from manager.settings import ConnectionSettings

SCHEMES = {"banner": 7000}


class BannerSettings(ConnectionSettings, frozen=True, kw_only=True):
    """A connection to a server that greets."""

    type: ClassVar[str] = "banner"
    greeting: str
    """What its first line begins with."""


def read(section: Section, common: dict[str, Any]) -> BannerSettings:
    """Read the table of a connection."""
    return BannerSettings(**common, greeting=section.text("greeting", "what the banner begins with"))


def create(settings: BannerSettings, memory: Memory) -> Driver:
    """Return the driver of a connection."""
    from trunkline_banner.driver import BannerDriver  # noqa: PLC0415 - not needed to read a file

    return BannerDriver(settings)
