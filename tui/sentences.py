"""One line of the event log for each event worth one."""

from __future__ import annotations

from functools import singledispatch

from manager.events import (
    Acknowledged,
    Added,
    BandChanged,
    BudgetChanged,
    Changed,
    ClockJumped,
    Commanded,
    ConnectionEvent,
    DoubtedBySibling,
    EndpointChanged,
    Event,
    FactsChanged,
    FailedOver,
    Flapping,
    ListenerDetached,
    LoginWithheld,
    MaxAttemptsReached,
    Muted,
    ProbeAnswered,
    ProbeFailed,
    Reconnected,
    Recovered,
    Reloaded,
    ReloadFailed,
    Removed,
    Reported,
    SpareChanged,
    Stable,
    Stalled,
    StateChanged,
    Steady,
    TimesChanged,
    Unmuted,
    WokenByOperator,
    WokenByPeek,
    WokenBySibling,
    event_name,
)
from manager.model import Phase, Status
from tui import formats, phases, rows
from tui.log.entry import Level, LogLine


@singledispatch
def log_line(event: Event) -> LogLine:
    """Return the line of an event; one without a sentence of its own is told by its name."""
    return LogLine(event.time, "", "event", "muted", event_name(type(event)), Level.DETAIL)


@log_line.register
def _state(event: StateChanged) -> LogLine:
    status = event.status
    return _line(
        event, status.phase.value, phases.TONES[status.phase], _phase_sentence(status, event.previous)
    )


@log_line.register
def _probe_failed(event: ProbeFailed) -> LogLine:
    status = event.status
    text = f"{event.failure.reason} · {status.failures} of {status.threshold}"
    return _line(event, "missed", "warn", text)


@log_line.register
def _recovered(event: Recovered) -> LogLine:
    tries = f" and {formats.plural(event.attempts, 'attempt')}" if event.attempts else ""
    return _line(event, "recovered", "good", f"back after {formats.duration(event.downtime)}{tries}")


@log_line.register
def _max_attempts(event: MaxAttemptsReached) -> LogLine:
    return _line(
        event, "exhausted", "bad", f"all {event.attempts} attempts failed · tried slowly from now on"
    )


@log_line.register
def _withheld(event: LoginWithheld) -> LogLine:
    return _line(event, "withheld", "warn", f"no login tried: the budget of {event.host} is used up")


@log_line.register
def _woken(event: WokenBySibling) -> LogLine:
    return _line(event, "woken", "muted", f"{event.sibling} is back · not waiting any longer")


@log_line.register
def _peeked(event: WokenByPeek) -> LogLine:
    return _line(event, "woken", "muted", f"{event.status.endpoint} answers again · not waiting any longer")


@log_line.register
def _skipped(event: WokenByOperator) -> LogLine:
    return _line(event, "skipped", "muted", "the rest of the countdown · not waiting any longer")


@log_line.register
def _acknowledged(event: Acknowledged) -> LogLine:
    known = event.status.acknowledged is not None
    return _line(event, "noted", "accent", "acknowledged" if known else "no longer acknowledged")


@log_line.register
def _muted(event: Muted) -> LogLine:
    text = f"until {formats.minute(event.mute.until, event.time)}"
    return _told(event, event.mute.group, "muted", "accent", text)


@log_line.register
def _unmuted(event: Unmuted) -> LogLine:
    text = "its time is over" if event.expired else "ended before its time"
    return _told(event, event.group, "unmuted", "accent", text)


@log_line.register
def _commanded(event: Commanded) -> LogLine:
    text = event.command if event.connection else f"{event.command} all"
    return _told(event, event.connection or "", "command", "accent", text)


@log_line.register
def _doubted(event: DoubtedBySibling) -> LogLine:
    return _line(event, "asked", "muted", f"{event.sibling} was lost · asked for a sign of life at once")


@log_line.register
def _flapping(event: Flapping) -> LogLine:
    flap = event.status.flap
    text = f"{flap.reason} · {flap.hint}" if flap else "comes and goes"
    return _line(event, "flapping", "warn", text)


@log_line.register
def _steady(event: Steady) -> LogLine:
    return _line(event, "steady", "good", f"has outlived what it was flapping of: {event.outlived.reason}")


@log_line.register
def _reported(event: Reported) -> LogLine:
    return _line(event, "report", "accent", event.text)


@log_line.register
def _added(event: Added) -> LogLine:
    return _line(event, "added", "muted", event.status.endpoint)


@log_line.register
def _removed(event: Removed) -> LogLine:
    return _line(event, "removed", "muted", event.status.endpoint)


@log_line.register
def _reconnected(event: Reconnected) -> LogLine:
    number = len(event.connections)
    who = event.connections[0] if number == 1 else f"all {number} that were lost"
    verb = "is" if number == 1 else "are"
    text = f"{who} {verb} back after {formats.duration(event.downtime)}"
    return _told(event, "", "reconnected", "good", text)


@log_line.register
def _band(event: BandChanged) -> LogLine:
    number = "nothing counts" if event.health is None else f"{event.health} %"
    text = f"{event.band.value}, was {event.previous.value} · {number}"
    return _told(event, "", "health", phases.BAND_TONES[event.band], text)


@log_line.register
def _budget(event: BudgetChanged) -> LogLine:
    budget = event.budget
    text = f"{budget.used} of {budget.limit} refused logins in {formats.duration(budget.window)}"
    if budget.next_free is not None:
        text += f" · next login {formats.clock(budget.next_free)}"
    return _told(event, budget.host, "logins", "warn" if budget.used else "muted", text)


@log_line.register
def _moved(event: EndpointChanged) -> LogLine:
    return _line(event, "moved", "accent", f"now on {event.status.endpoint}, before on {event.previous}")


@log_line.register
def _failed_over(event: FailedOver) -> LogLine:
    status = event.status
    if event.failure is None:
        return _line(event, "home", "good", f"the spare on {status.endpoint} is in use from now on")
    text = f"the spare on {status.endpoint} took over: {event.failure.reason}"
    return _line(event, "failover", "warn", text)


@log_line.register
def _spare(event: SpareChanged) -> LogLine:
    spare = event.status.spare
    if spare is None:
        return _detail(event, "spare", "none stands by")
    if spare.phase is Phase.CONNECTING:
        return _detail(event, "spare", f"opens on {spare.endpoint}")
    if spare.phase is Phase.UP:
        return _line(event, "spare", "muted", f"stands by on {spare.endpoint}")
    reason = f": {spare.failure.reason}" if spare.failure else ""
    return _line(event, "spare", "warn", f"{spare.phase.value} on {spare.endpoint}{reason}")


@log_line.register
def _changed(event: Changed) -> LogLine:
    return _line(event, "changed", "muted", "other settings · opened anew with them")


@log_line.register
def _reloaded(event: Reloaded) -> LogLine:
    counts = ((event.added, "added"), (event.removed, "removed"), (event.changed, "changed"))
    told = [f"{len(names)} {word}" for names, word in counts if names]
    text = ", ".join(told) or "nothing has changed"
    return _told(event, "", "reloaded", "accent", f"settings: {text}")


@log_line.register
def _reload_failed(event: ReloadFailed) -> LogLine:
    return _told(event, "", "settings", "bad", f"not taken up, nothing has changed: {event.reason}")


@log_line.register
def _clock(event: ClockJumped) -> LogLine:
    parts = []
    if event.suspended:
        parts.append(f"this machine slept for {formats.duration(event.suspended)}")
    if event.stepped:
        direction = "forward" if event.stepped > 0 else "back"
        parts.append(f"its clock was set {direction} by {formats.duration(abs(event.stepped))}")
    return _told(event, "", "clock", "warn", f"{' and '.join(parts)} · everything is checked now")


@log_line.register
def _stalled(event: Stalled) -> LogLine:
    text = f"nothing went on for {formats.duration(event.seconds)} · held up at {event.where}"
    return _told(event, event.connection, "stalled", "bad", text)


@log_line.register
def _detached(event: ListenerDetached) -> LogLine:
    text = f"raised {formats.plural(event.errors, 'error')} and is no longer called"
    return _told(event, event.listener, "listener", "bad", text)


@log_line.register
def _answered(event: ProbeAnswered) -> LogLine:
    latency = event.status.latency
    took = f" in {formats.latency(latency)}" if event.probe == "heartbeat" and latency is not None else ""
    return _detail(event, "answered", " · ".join(filter(None, (event.probe + took, event.finding))))


@log_line.register
def _facts(event: FactsChanged) -> LogLine:
    return _detail(event, "facts", rows.facts_of(event.status.type, event.status.facts))


@log_line.register
def _stable(event: Stable) -> LogLine:
    return _detail(event, "stable", "attempts count from nothing again")


@log_line.register
def _times(event: TimesChanged) -> LogLine:
    return _detail(event, "clock", "its times are told by the clock as it is now")


def _line(event: ConnectionEvent, word: str, tone: str, text: str) -> LogLine:
    return _told(event, event.connection, word, tone, text)


def _detail(event: ConnectionEvent, word: str, text: str) -> LogLine:
    return LogLine(event.time, event.connection, word, "muted", text, Level.DETAIL)


def _told(event: Event, subject: str, word: str, tone: str, text: str) -> LogLine:
    # An attempt that is under way is no trouble yet, whatever colour it has.
    trouble = tone in ("warn", "bad") and word != Phase.CONNECTING.value
    return LogLine(event.time, subject, word, tone, text, Level.PROBLEM if trouble else Level.CHANGE)


def _phase_sentence(status: Status, previous: Phase) -> str:
    reason = status.failure.reason if status.failure else ""
    if status.phase is Phase.UP:
        told = rows.facts_of(status.type, status.facts)
        return (
            "answers again"
            if previous is Phase.SUSPECT
            else " · ".join(filter(None, (status.endpoint, told)))
        )
    if status.phase is Phase.SUSPECT:
        return f"{reason or 'no answer'} · asked again at once"
    if status.phase is Phase.CONNECTING:
        number = f"attempt {status.attempt}/{status.max_attempts} · " if status.attempt else ""
        return f"{number}{status.endpoint}"
    if status.phase is Phase.PAUSED:
        return "closed until it is resumed"
    if status.phase is Phase.STOPPED:
        return reason or "closed"
    return _wait_sentence(status, reason)


def _wait_sentence(status: Status, reason: str) -> str:
    if status.phase is Phase.WAITING and status.attempt:
        what = f"{formats.duration(status.wait)} to attempt {status.attempt}/{status.max_attempts}"
    elif status.next_attempt is not None:
        what = f"next try {formats.clock(status.next_attempt)}"
    else:
        what = "no more tries by itself"
    hint = status.failure.hint if status.failure and status.phase is Phase.BLOCKED else ""
    # A wait counts down to its reason; a refusal begins with it.
    order = (what, reason) if status.phase is Phase.WAITING else (reason, hint, what)
    return " · ".join(filter(None, order))
