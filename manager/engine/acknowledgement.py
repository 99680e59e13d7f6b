"""Whether an operator's word that a trouble is known still stands: until it is over, or worse than it was."""

from __future__ import annotations

from manager.model import Phase, Status

_SEVERITY = {Phase.UP: 0, Phase.SUSPECT: 2, Phase.WAITING: 3, Phase.PARKED: 4, Phase.BLOCKED: 5}
_MINOR = 1
"""Up, but slow, or dropping in a rhythm."""
_WELL = 0


class Acknowledgement:
    """Follows how bad the trouble of one connection is."""

    def __init__(self) -> None:
        self._severity = _WELL
        self._given_for = _WELL

    @property
    def needed(self) -> bool:
        """Whether there is a trouble to be acknowledged."""
        return self._severity > _WELL

    def give(self) -> None:
        """Acknowledge the trouble as bad as it is now."""
        self._given_for = self._severity

    def stands(self, status: Status) -> bool:
        """Take the newest status in; return whether what was given still stands with it.

        A flap is no end of a trouble: it is over when the session is stable.
        """
        severity = self._severity = self._severity_of(status)
        if not status.phase.counts or severity > self._given_for:
            return False
        return severity == self._given_for or not status.stable

    def _severity_of(self, status: Status) -> int:
        if not status.phase.counts:
            return _WELL
        if status.phase is Phase.CONNECTING:
            # A slow probe of a parked or blocked connection makes its trouble no smaller.
            return max(self._severity, _SEVERITY[Phase.WAITING]) if status.failure else _WELL
        if status.phase is Phase.UP:
            return _MINOR if status.costs or status.flap is not None else _WELL
        return _SEVERITY[status.phase]
