"""The terminal's clipboard: what can be offered to it (OSC 52). Whether it takes it, nobody can say."""

from __future__ import annotations

import base64

LIMIT = 74_994
"""Characters of base64 that are sent to a terminal at most: what xterm and tmux take."""


def fits(text: str) -> bool:
    """Whether a terminal's clipboard takes so much."""
    return len(text) <= LIMIT and len(base64.b64encode(text.encode())) <= LIMIT
