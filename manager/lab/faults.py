"""What a lab server can be told to do wrong."""

from __future__ import annotations

import enum


class Fault(enum.StrEnum):
    """A way to be out of order that lasts until it is taken back; the value is what people read."""

    REFUSE = "the service is gone: sessions are cut and the port refuses connections"
    ACCEPT_AND_CLOSE = "new connections are accepted and closed at once"
    HANG = "frozen: connections are accepted, then nothing is read and nothing answered, on old ones too"
    HANG_AFTER_LOGIN = "logins work, then everything falls silent, heartbeats too; the connection stays open"
    CLOSE_IN_HANDSHAKE = "connections are closed in the middle of the handshake"
    WRONG_PASSWORD = "every credential is refused"  # noqa: S105 - the name of a fault
    SLOW = "every answer comes late"
    GARBAGE = "bytes that belong to no protocol are sent in place of answers"
    TRUNCATE = "answers are cut in the middle, and the connection closed"
    RESET = "connections are reset, old ones and new ones"
    OVERLOAD = "new logins are turned away: there is no room for more"

    @property
    def label(self) -> str:
        """A few words that name it: `hang after login`."""
        return self.name.lower().replace("_", " ")
