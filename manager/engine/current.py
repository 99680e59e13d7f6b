"""The session in use: what it says and what its watch sees, as it reaches the status and the pool."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from manager.drivers.base import Session
from manager.engine.clock import Clock
from manager.engine.flap import FlapWatch
from manager.engine.held import Held
from manager.engine.pool import Pool
from manager.engine.status import StatusWriter
from manager.engine.vigil import Vigil
from manager.model import Facts, Failure, Phase
from manager.wire import Record


class Current:
    """Hears the session of one connection that is in use or being opened, and observes its watch."""

    __slots__ = (
        "_clock",
        "_deliver",
        "_pool",
        "_proved",
        "_writer",
        "flaps",
        "generation",
        "record",
        "session",
        "vigil",
    )

    def __init__(
        self,
        writer: StatusWriter,
        pool: Pool,
        clock: Clock,
        flaps: FlapWatch,
        *,
        deliver: Callable[[str, object], None],
        record: Record,
        proved: Callable[[], None],
    ) -> None:
        self._writer = writer
        self._pool = pool
        self._clock = clock
        self.flaps = flaps
        """What the rhythm of its sessions says."""
        self._deliver = deliver
        self.record = record
        self._proved = proved
        self.generation = 0
        """Number of the session in use or being opened."""
        self.session: Session | None = None
        """The usable session, if there is one."""
        self.vigil: Vigil | None = None
        """The watch over it."""

    def take_over(self, held: Held, failure: Failure | None) -> None:
        """Hear a spare from now on, and its predecessor no more; `failure` is what ended that, if any did."""
        self._pool.take_over(held.use)
        self.generation += 1
        self.flaps.begins(self._clock.monotonic())
        self.session, self.vigil = held.session, held.vigil
        held.listener.hand_over(self)
        self._writer.failed_over(
            held.session,
            held.use.endpoint,
            self._pool.address,
            generation=self.generation,
            failure=failure,
        )
        self._writer.flapping(self.flaps.flap)
        held.vigil.promote(self)
        if held.vigil.stable:
            self.proved()

    # --- what its listener passes on --------------------------------------------------------------------

    @property
    def listening(self) -> bool:
        """Whether a session is in use or being opened: what is said after its end is dropped."""
        phase = self._writer.status.phase
        return phase is Phase.CONNECTING or phase.connected

    def ordered(self, addresses: Sequence[str]) -> list[str]:
        """Return the addresses of the endpoint as the pool would have them tried."""
        return self._pool.ordered(addresses, self._clock.monotonic())

    def using(self, address: str) -> None:
        """Note at which address the session is opened."""
        self._pool.using(address)

    def facts_changed(self) -> None:
        """Show the facts of the session anew."""
        if self.session is not None:
            self._writer.facts_changed(self.session)

    def refreshed(self, failure: Failure | None) -> None:
        """Count a refresh."""
        if self.vigil is not None:
            self.vigil.refreshed(failure)

    def reported(self, report: str, text: str, fields: Facts) -> None:
        """Publish what the session noticed."""
        self._writer.reported(report, text, fields)

    def received(self, message: object) -> None:
        """Hand a message of the peer on."""
        self.flaps.heard(self._clock.monotonic())
        self._deliver(self._writer.status.name, message)

    # --- what its watch sees ----------------------------------------------------------------------------

    def heartbeat_answered(self, latency: float) -> None:
        """Show a heartbeat's round trip."""
        if self.session is not None and self.vigil is not None:
            self.flaps.answered(self._clock.monotonic())
            self._pool.measured(latency)
            self._writer.heartbeat_answered(self.session, latency, self.vigil.failures)
            self._writer.flapping(self.flaps.flap)

    def check_answered(self, finding: str) -> None:
        """Show what a check found."""
        if self.session is not None and self.vigil is not None:
            self._writer.check_answered(self.session, finding, self.vigil.failures)

    def refresh_answered(self) -> None:
        """Show that a refresh worked."""
        if self.session is not None and self.vigil is not None:
            self.flaps.heard(self._clock.monotonic())
            self._writer.refresh_answered(self.session, self.vigil.failures)

    def probe_failed(self, probe: str, failure: Failure) -> None:
        """Show a failed heartbeat, check or refresh."""
        if self.vigil is not None:
            self._writer.probe_failed(probe, failure, self.vigil.failures)

    def proved(self) -> None:
        """Tell that the session has held long enough."""
        self._proved()
