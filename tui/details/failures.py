"""The last failures, with what they mean for trying again and what a person can do."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from manager.history import SeenFailure
from manager.model import Failure, FailureClass
from tui import formats
from tui.details.subject import Subject
from tui.page import Piece, Writer

LISTED = 12
"""Failures that are told, those that are alike as one."""

MEANINGS = {
    FailureClass.TRANSIENT: "may pass by itself",
    FailureClass.OVERLOAD: "the server asks for patience",
    FailureClass.CREDENTIALS: "it refuses who we say we are",
    FailureClass.CONFIGURATION: "something is wrong here",
    FailureClass.PERMANENT: "it refuses and will go on refusing",
}


class _Alike(msgspec.Struct):
    failure: Failure
    probe: str
    first: float
    last: float
    times: int


def write(writer: Writer, subject: Subject) -> None:
    """Write the failures, the newest first; those that follow each other and are alike as one."""
    groups = _alike(subject.history.failures)[::-1]
    writer.begin("Failures", "the newest first" if len(groups) > 1 else "")
    for group in groups[:LISTED]:
        _write_group(writer, group, subject.now)
    if not groups:
        writer.sentence("none is remembered", "muted")


def _alike(failures: Sequence[SeenFailure]) -> list[_Alike]:
    groups: list[_Alike] = []
    for seen in failures:
        if groups and (groups[-1].failure, groups[-1].probe) == (seen.failure, seen.probe):
            groups[-1].last = seen.time
            groups[-1].times += 1
        else:
            groups.append(_Alike(seen.failure, seen.probe, seen.time, seen.time, 1))
    return groups


def _write_group(writer: Writer, group: _Alike, now: float) -> None:
    failure = group.failure
    when = Piece(formats.moment(group.last, now), "muted", writer.margin, 8 if writer.narrow else 13)
    at = writer.margin + 2 if writer.narrow else when.at + (when.width or 0) + 1
    times = f"  {formats.count(group.times)} times since {formats.moment(group.first, now)}"
    if writer.narrow:
        writer.draw(when)
        writer.sentence(failure.reason, "strong", at)
    else:
        writer.add(when, Piece(failure.reason, "strong", at))
    if group.times > 1:
        writer.sentence(times.strip(), "text", at)
    stage = f"at {failure.stage.value}"
    if group.probe and group.probe not in stage:
        stage += f" of a {group.probe}"
    writer.sentence(f"{failure.kind.value}, {stage}: {MEANINGS[failure.kind]}", "muted", at)
    if failure.retry_after is not None:
        writer.sentence(f"asked us to wait {formats.duration(failure.retry_after)}", "muted", at)
    if failure.hint:
        writer.sentence(failure.hint, "accent", at)
