"""Logins to Asterisk's manager interface (AMI), over panoramisk's actions and messages.

From the outside in: `driver` opens a session, `login` proves who we are, `session` is what stays,
`connection` puts panoramisk under a life cycle of ours and says what of it is replaced and why, `reader`
makes messages of bytes, `message` is what a program sees.
"""

from __future__ import annotations

from manager.drivers.ami.driver import AmiDriver
from manager.drivers.ami.message import AmiEvent, AmiReply, ListTooLongError, TooManyActionsError
from manager.drivers.ami.session import AmiSession
from manager.drivers.base import Driver, Memory
from manager.settings import AmiSettings

__all__ = [
    "AmiDriver",
    "AmiEvent",
    "AmiReply",
    "AmiSession",
    "ListTooLongError",
    "TooManyActionsError",
    "create",
]


def create(settings: AmiSettings, memory: Memory) -> Driver:  # noqa: ARG001 - AMI has nothing to remember
    """Return the driver of an AMI connection."""
    return AmiDriver(settings)
