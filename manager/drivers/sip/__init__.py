"""Registrations at a SIP registrar: the driver, and the parts without IO that it is made of.

`address`, `message`, `framing` and `digest` read and write what is on the wire; `transaction`,
`registration`, `exchange`, `memory`, `refusal` and `uas` decide; `lookup`, `transport`, `websocket` and
`flow` touch the network; `session` is one registration, and `driver` opens it.
"""

from __future__ import annotations

from manager.drivers.base import Driver, Memory
from manager.settings import SipSettings


def create(settings: SipSettings, memory: Memory) -> Driver:
    """Return the driver of a connection."""
    # Late: whoever needs only a part without IO (the lab) does not pay for the rest.
    from manager.drivers.sip.driver import SipDriver  # noqa: PLC0415 - loaded when first used

    return SipDriver(settings, memory)
