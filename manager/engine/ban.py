"""Whether a host that stopped answering has probably banned us. No IO.

fail2ban and its like read in a log that logins were refused, and then have the firewall drop or turn away
every packet of ours. To us the host answers a login with a refusal, and from then on not at all. So does one
that was switched off in that moment, hence "probably"; but whoever has not mended the credentials should hear
of the ban first.

What speaks against it is heeded: somebody was answered since, and later than a ban takes to strike; or no
other host answers either, and it is our own network that is gone. Connections that are turned away look like
a server that was stopped, so that takes two ports of the host, and another host that answers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec.structs import replace

from manager.drivers.failures import CONNECTION_REFUSED, NO_ROUTE
from manager.endpoint import Endpoint
from manager.model import Failure, Stage

REFUSALS = 2
"""Refused logins from which on a ban is probable."""
STRIKES_WITHIN = 10.0
"""Seconds from a refusal until a ban is in force: its log is read every second or so."""
PORTS = 2
"""Ports of a host that turn connections away."""

_UNCONNECTED = (Stage.SECRET, Stage.LOOKUP, Stage.CONNECT)


class Bans:
    """Which hosts answer and which do not, as the last attempts have shown."""

    def __init__(self) -> None:
        self._answered_at: dict[str, float] = {}
        """By host, when it answered last."""
        self._answers: dict[str, bool] = {}
        """By host, whether it did at the last attempt."""
        self._turned_away: dict[str, set[tuple[int | None, str]]] = {}
        """By host, the ports that have turned us away since."""

    def answered(self, host: str, now: float) -> None:
        """Note that a host has said something, be it a refusal."""
        self._answered_at[host] = now
        self._answers[host] = True
        self._turned_away.pop(host, None)

    def judged(
        self, endpoint: Endpoint, failure: Failure, refusals: Sequence[float], window: float, now: float
    ) -> Failure:
        """Return what ended an attempt, in words about a ban where one is probable.

        Args:
            endpoint: what was tried.
            failure: why it did not succeed.
            refusals: when logins were refused on its host within the window, the last one last.
            window: how long refusals count, in seconds.
            now: on the monotonic clock.
        """
        host = endpoint.host
        silent, turned_away = _is_silence(endpoint, failure), failure.reason == CONNECTION_REFUSED
        if not silent and not (turned_away and failure.stage is Stage.CONNECT):
            if failure.stage not in _UNCONNECTED:
                self.answered(host, now)
            return failure
        self._answers[host] = False
        ports = self._turned_away.setdefault(host, set())
        if turned_away:
            ports.add((endpoint.port, endpoint.transport))
        if len(refusals) < REFUSALS or self._answered_at.get(host, -math.inf) > refusals[-1] + STRIKES_WITHIN:
            return failure
        others = [answers for other, answers in self._answers.items() if other != host]
        if silent and (any(others) or not others):
            return _banned(host, failure, len(refusals), window, "it stopped answering")
        if turned_away and any(others) and len(ports) >= PORTS:
            return _banned(host, failure, len(refusals), window, f"it turns us away on {len(ports)} ports")
        return failure


def _is_silence(endpoint: Endpoint, failure: Failure) -> bool:
    """Whether nothing came back; over UDP, where nothing is connected, that shows in the handshake."""
    if failure.stage is Stage.HANDSHAKE and endpoint.transport not in ("", "udp"):
        return False
    if failure.stage not in (Stage.CONNECT, Stage.HANDSHAKE):
        return False
    return failure.reason.startswith("no answer") or failure.reason == NO_ROUTE


def _banned(host: str, failure: Failure, number: int, window: float, what: str) -> Failure:
    reason = f"probably banned: {number} logins were refused on {host} in {window / 60:g} min, then {what}"
    hint = (
        f"on {host}, `fail2ban-client status` tells and `fail2ban-client unban` lifts it; mend the refused "
        f"credentials first; without a ban it is: {failure.reason}"
    )
    return replace(failure, reason=reason, hint=hint)
