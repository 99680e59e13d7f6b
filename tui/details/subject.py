"""What is known of the connection whose details are shown."""

from __future__ import annotations

import msgspec

from manager.effective import SettingRow
from manager.history import History
from manager.model import Status
from tui.row import Feedback


class Subject(msgspec.Struct, frozen=True):
    """One connection at one instant."""

    status: Status
    history: History
    settings: tuple[SettingRow, ...]
    now: float
    """Wall time."""
    feedback: Feedback | None = None
    """What became of an operator's command."""
