"""Flapping: sessions that come up and end by themselves, again and again, and what their rhythm says. No IO.

Three sessions in a row that end at the same age, or after the same silence, have one cause:

- Nothing was heard since they came up, or for longer than ever before: an idle timeout on the way. A
  heartbeat that comes sooner keeps it from striking.
- They have survived longer silences, those between two heartbeats: it is their age. Sessions may last no
  longer (a token that expires, a proxy's limit), or heartbeats do not count as traffic there. A shorter
  interval cures neither.
- Not even the first heartbeat is answered: a hung server, or a NAT or firewall that forgets them sooner.

Sessions that are given up here end by our own clock, whose regularity says nothing. The same holds for those
that end with a heartbeat: whoever is dead since long is noticed then. Many losses in a short time that fit
nothing of this are named as such.

Heard is what answers a heartbeat or a refresh, and every message; a health check is not, as some types have
none to send.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from manager.model import Failure, FailureClass, Flap, FlapCause, Stage
from manager.settings import Policy

CONSECUTIVE = 3
"""Sessions in a row that make a rhythm."""
SHORTEST = 5.0
"""Seconds that each of them has lasted at least: nobody's idle timeout is shorter."""
MANY = 5
"""Losses that are flapping by their number…"""
WINDOW = 600.0
"""…within this many seconds."""
OUTLIVED = 1.5
"""A session that is so many times as old as the longest of a rhythm does not follow it…"""
LEAST_OUTLIVED = 60.0
"""…if it has reached this many seconds."""
_INFORMATIVE = 4.0
"""From so many heartbeat intervals on, ends that come with a heartbeat do not agree by chance."""
_SAFE = 2.0 / 3.0
"""Share of an idle timeout after which a heartbeat is in time."""

_OURS = (Stage.HEARTBEAT, Stage.CHECK, Stage.REFRESH)
_PASSING = (FailureClass.TRANSIENT, FailureClass.OVERLOAD)
_USUAL = {
    60: "nginx and AWS's ALB",
    240: "Azure's load balancer",
    350: "AWS's NLB and NAT gateway",
    600: "Google Cloud",
}
"""Whose default it is, by seconds."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How one session ended by itself. Times in seconds."""

    at: float
    """On the monotonic clock."""
    age: float
    """From up to the end."""
    silence: float
    """From what was heard last to the end; the whole age where nothing was."""
    longest_silence: float
    """The longest one before that, which it has survived; 0 where nothing was heard."""
    answered: bool
    """Whether a heartbeat was answered."""
    stage: Stage

    @property
    def idle(self) -> bool:
        """Whether the silence at the end was clearly longer than any that the session has survived."""
        longest = self.longest_silence
        return self.silence > longest and not agree((self.silence, longest))


def recognise(endings: Sequence[Ending], policy: Policy) -> Flap | None:
    """Return what the last endings have in common; None where they are no flapping.

    Args:
        endings: of sessions in a row, the oldest first.
        policy: the numbers that they were kept up by.
    """
    latest = endings[-CONSECUTIVE:]
    if len(latest) == CONSECUTIVE and all(ending.age >= SHORTEST for ending in latest):
        rhythm = _rhythm(latest, policy)
        if rhythm is not None:
            return rhythm
    many = endings[-MANY:]
    if len(many) == MANY and many[-1].at - many[0].at <= WINDOW:
        return _irregular(many)
    return None


def agree(times: Iterable[float]) -> bool:
    """Whether times in seconds are the same, but for what a sweep of a server or a slow network adds."""
    values = sorted(times)
    longest = values[-1]
    return longest - values[0] <= max(0.5, min(1.0, 0.05 * longest), 0.03 * longest)


class FlapWatch:
    """Follows the sessions of one connection and holds what it has recognised in them."""

    __slots__ = ("_answered", "_began_at", "_endings", "_heard_at", "_longest_silence", "_policy", "flap")

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._began_at: float | None = None
        """When the session came up; None without one."""
        self._heard_at = 0.0
        self._longest_silence = 0.0
        self._answered = False
        self._endings: tuple[Ending, ...] = ()
        """The last ones, the oldest first."""
        self.flap: Flap | None = None
        """What has been recognised, until a session has clearly outlived it."""

    def begins(self, now: float) -> None:
        """Note that a session is up."""
        self._began_at = self._heard_at = now
        self._longest_silence, self._answered = 0.0, False

    def heard(self, now: float) -> None:
        """Note a sign of life of the peer."""
        self._longest_silence = max(self._longest_silence, now - self._heard_at)
        self._heard_at = now

    def answered(self, now: float) -> None:
        """Note an answered heartbeat, and see whether the session has outlived what was recognised."""
        self._answered = True
        self.heard(now)
        if self.flap is not None and self._began_at is not None and self._outlives(now - self._began_at):
            self._forget()

    def ended(self, failure: Failure | None, now: float) -> None:
        """Note the end of the session; without a failure it was ended here, which is no loss."""
        began_at, self._began_at = self._began_at, None
        if began_at is None or not self._policy.flap_watch:
            return
        age = now - began_at
        if self._outlives(age) or (failure is None and self._disproves(age)):
            self._forget()
        if failure is None or failure.kind not in _PASSING:
            return
        silence = now - self._heard_at
        ending = Ending(now, age, silence, self._longest_silence, self._answered, failure.stage)
        self._endings = (*self._endings, ending)[-MANY:]
        self._take(recognise(self._endings, self._policy))

    def _take(self, found: Flap | None) -> None:
        """Keep to what is recognised already, unless this is another rhythm."""
        known = self.flap
        if known is None or (found is not None and found.after is not None and not _same(known, found)):
            self.flap = found

    def _outlives(self, age: float) -> bool:
        if self.flap is None:
            return False
        least = WINDOW if self.flap.cause is FlapCause.IRREGULAR else LEAST_OUTLIVED
        return age >= least and self._disproves(age)

    def _disproves(self, age: float) -> bool:
        return age > OUTLIVED * max((ending.age for ending in self._endings), default=0.0)

    def _forget(self) -> None:
        self._endings, self.flap = (), None


def _same(known: Flap, found: Flap) -> bool:
    return (
        known.cause is found.cause
        and known.after is not None
        and found.after is not None
        and agree((known.after, found.after))
    )


def _rhythm(latest: Sequence[Ending], policy: Policy) -> Flap | None:
    last = latest[-1]
    same_age = agree(ending.age for ending in latest)
    if any(ending.stage in _OURS for ending in latest):
        unanswered = all(ending.stage is Stage.HEARTBEAT and not ending.answered for ending in latest)
        return _unanswered(last.age, policy) if same_age and unanswered else None
    if all(ending.idle for ending in latest) and agree(ending.silence for ending in latest):
        return _idle(last.silence, policy)
    if same_age and not any(_by_our_clock(ending, policy) for ending in latest):
        return _aged(last.age)
    return None


def _by_our_clock(ending: Ending, policy: Policy) -> bool:
    """Whether it ended with a heartbeat, so that its age is a multiple of the interval in any case."""
    interval = policy.heartbeat_interval
    with_heartbeat = ending.answered and agree((ending.silence, interval))
    return with_heartbeat and ending.age < _INFORMATIVE * interval


def _idle(seconds: float, policy: Policy) -> Flap:
    reason = f"drops after {_span(seconds)} of silence, likely by an idle timeout of a proxy or NAT"
    usual = next((whose for value, whose in _USUAL.items() if agree((seconds, value))), None)
    if usual is not None:
        reason += f" (the default of {usual})"
    interval = int(_SAFE * seconds)
    hint = f"heartbeat_interval = {interval} or less keeps it open"
    if interval <= policy.heartbeat_timeout:
        hint += ", with a heartbeat_timeout below it"
    hint += "; if it drops all the same, sessions may last no longer there"
    return Flap(cause=FlapCause.IDLE_TIMEOUT, after=seconds, reason=reason, hint=hint)


def _aged(seconds: float) -> Flap:
    return Flap(
        cause=FlapCause.SESSION_AGE,
        after=seconds,
        reason=f"drops after {_span(seconds)} each time, though it is not idle",
        hint="sessions may last no longer there (a token expires, a proxy's limit, a planned restart), or "
        "heartbeats do not count as traffic; a shorter heartbeat_interval would not help",
    )


def _unanswered(seconds: float, policy: Policy) -> Flap:
    return Flap(
        cause=FlapCause.NO_HEARTBEAT,
        after=seconds,
        reason="comes up each time, but not even its first heartbeat is answered",
        hint="the server hangs after the login, or a NAT or firewall forgets the connection within "
        f"{_span(policy.heartbeat_interval)}: a shorter heartbeat_interval would tell which",
    )


def _irregular(many: Sequence[Ending]) -> Flap:
    seconds = many[-1].at - (many[0].at - many[0].age)
    return Flap(
        cause=FlapCause.IRREGULAR,
        reason=f"lost {len(many)} times in {_span(seconds)}",
        hint="in no rhythm that would tell the cause: an unsteady link, or a server that restarts; the log "
        "has the reason of each loss",
    )


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"
