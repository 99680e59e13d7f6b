"""A terminal that is not read for two minutes, literally. It is left alone while the other tests run."""

from __future__ import annotations

import signal
import time
from itertools import pairwise

from tests.real.connections import until
from tests.real.unread import INTERVAL, UnreadDashboard

LEFT_ALONE = 120.0
"""Seconds without a read."""


async def test_a_terminal_unread_for_two_minutes_delays_no_heartbeat_and_a_signal_ends_it_within_five_seconds(
    unread: UnreadDashboard, record_property
) -> None:
    await until(lambda: time.monotonic() - unread.began >= LEFT_ALONE, LEFT_ALONE + 10)
    full = unread.unread
    pings = [instant for instant in unread.actions.pings if instant >= unread.began]
    latest = max(later - earlier for earlier, later in pairwise(pings))
    assert latest <= INTERVAL + 1
    assert len(pings) >= LEFT_ALONE / (INTERVAL + 1)
    assert unread.actions[-1] != "Logoff"
    seconds, code = await unread.terminate()
    assert full > 0
    assert seconds <= 5
    assert code == 128 + signal.SIGTERM
    assert unread.actions[-1] == "Logoff"
    record_property(
        "figure",
        f"a terminal unread for {pings[-1] - unread.began:.0f} s, {full} B in it: {len(pings)} heartbeats, "
        f"{latest:.2f} s apart at most, ended {seconds:.1f} s after SIGTERM",
    )
