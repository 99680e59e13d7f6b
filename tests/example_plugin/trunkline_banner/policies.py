"""A preset: `policy = "impatient"`."""

from __future__ import annotations

IMPATIENT = {
    "base_delay": 0.1,
    "max_delay": 0.5,
    "jitter": 0,
    "heartbeat_interval": 0.5,
    "heartbeat_timeout": 0.4,
    "suspect_timeout": 0.2,
    "stable_after": 0.5,
}
