"""How a connection stands: its phase, what comes next, and what its type knows of the session."""

from __future__ import annotations

from manager.model import Phase, Status
from tui import formats, phases, rows
from tui.details.subject import Subject
from tui.page import Writer


def write(writer: Writer, subject: Subject) -> None:
    """Write how it stands now."""
    status, now = subject.status, subject.now
    writer.begin("Now", rows.title_of(status.type))
    if subject.feedback is not None:
        writer.field("your command", subject.feedback.text, subject.feedback.tone)
    since = formats.moment(status.since, now)
    writer.field("phase", f"{status.phase.value} since {since}", phases.tone_of(status))
    if status.failure is not None:
        # It is kept until the next session has proved stable.
        writer.field("last failure" if status.phase is Phase.UP else "failure", status.failure.reason)
        if status.failure.hint:
            writer.field("what to do", status.failure.hint, "accent")
    writer.field("next", _next(status))
    if status.flap is not None:
        writer.field("rhythm", f"{status.flap.reason} · {status.flap.hint}", "warn")
    address = f" at {status.address}" if status.address else ""
    writer.field("endpoint", f"{status.endpoint}{address}")
    writer.field("group", status.group)
    if status.latency is not None:
        last = f"the last heartbeat took {formats.latency(status.latency)}"
        usual = (
            f" · usually {formats.latency(status.usual_latency)}" if status.usual_latency is not None else ""
        )
        writer.field("latency", last + usual)
    writer.field("sessions", _sessions(status, now))


def write_facts(writer: Writer, subject: Subject) -> None:
    """Write what the type knows of the session."""
    status = subject.status
    writer.begin(rows.title_of(status.type), "what the session knows")
    lines = rows.details_of(status.type, status.facts) if status.facts else []
    for label, text in lines:
        writer.field(label, text)
    if not lines:
        writer.sentence("nothing: there is no session" if not status.phase.connected else "nothing", "muted")


def _next(status: Status) -> str:
    """Return what happens by itself, and what a person can do."""
    if status.next_attempt is not None:
        number = f"attempt {status.attempt}/{status.max_attempts}" if status.attempt else "a try"
        return f"{number} at {formats.clock(status.next_attempt)} · r tries now"
    return {
        Phase.UP: "a heartbeat, as ever",
        Phase.SUSPECT: f"asked again at once; given up at {status.threshold} failures in a row",
        Phase.CONNECTING: "the attempt under way ends by itself",
        Phase.PAUSED: "nothing until p resumes it",
        Phase.STOPPED: "nothing: it is not managed now",
    }.get(status.phase, "nothing by itself · r tries now")


def _sessions(status: Status, now: float) -> str:
    told = [f"{formats.count(status.generation)} opened or tried", f"{formats.count(status.drops)} lost"]
    if status.up_since is not None and status.phase.connected:
        told.insert(0, f"this one since {formats.moment(status.up_since, now)}")
    if status.down_since is not None:
        told.append(f"down since {formats.moment(status.down_since, now)}")
    return " · ".join(told)
