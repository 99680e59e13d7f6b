"""The policies that trunkline comes with, by the name that `policy = "…"` of a configuration chooses."""

from __future__ import annotations

from collections.abc import Mapping

from manager.settings import Policy

PRESETS: Mapping[str, Policy] = {
    "default": Policy(),
    # RFC 5626 §4.5 waits min(1800, 30 · 2^failures), of which chance takes up to half. Its first failure
    # already doubles the base time of 30 s, hence 60 before attempt 1.
    "rfc5626": Policy(base_delay=60.0, max_delay=1800.0, jitter=0.5, cooldown=1800.0),
    # Eight tries in the first half minute, then one every 5 s for ten minutes: for a server of one's own that
    # bears it. A hung peer is noticed after 12 s instead of 35. The login budget stays as it is.
    "aggressive": Policy(
        base_delay=0.5,
        max_delay=5.0,
        max_attempts=125,
        heartbeat_interval=8.0,
        heartbeat_timeout=4.0,
        suspect_timeout=2.0,
        health_interval=15.0,
        cooldown=30.0,
    ),
    # While a server stays down a tenth of the tries of `default`, for one that is shared, far away or paid by
    # the message. Heartbeats stay below the minute after which many NAT gateways forget a connection.
    "gentle": Policy(
        base_delay=5.0,
        max_delay=300.0,
        jitter=0.5,
        connect_timeout=30.0,
        heartbeat_interval=50.0,
        heartbeat_timeout=20.0,
        suspect_timeout=10.0,
        health_interval=300.0,
        cooldown=900.0,
        start_rate=5.0,
    ),
}
