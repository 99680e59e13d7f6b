"""What the doctor found out, as text of at most 80 columns: what is well in short, the rest step by step."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from manager.doctor import Diagnosis, Examination, Finding, Report, Step
from tui import formats
from tui.sanitise import clean

WIDTH = 80
_OK, _BAD, _NONE = "ok", "FAIL", "-"
_MARGIN = 6
_UNIT = re.compile(r"(\d) (ms|s|min)\b")


def text_of(report: Report, *, verbose: bool = False) -> str:
    """Return all of a report; `verbose` tells every step of what is well too."""
    blocks = [_opening(report)]
    blocks += [list(_diagnosis(each, verbose=verbose)) for each in report.connections]
    blocks.append(list(_conclusion(report)))
    return "\n\n".join("\n".join(map(clean, block)) for block in blocks)


def _opening(report: Report) -> list[str]:
    if report.asked:
        how = f"{report.asked} was asked; nobody is logged in a second time"
    elif report.held_by:
        how = f"in use by {report.held_by}, which cannot be asked; nobody is logged in a second time"
    elif report.logged_in:
        how = "each connection is logged in to once, within the login budget of its host"
    else:
        how = "nobody is logged in"
    return _wrapped(f"{report.config}: {how}", indent=0)


def _diagnosis(each: Diagnosis, *, verbose: bool) -> Iterator[str]:
    mark = _OK if each.well else _BAD
    title = f"{mark:<{_MARGIN}}{each.name} ({each.type})"
    if each.phase is not None:
        title += f" is {each.phase}, health {each.score}"
    yield from _wrapped(title, indent=0, below=_MARGIN)
    for finding in each.findings:
        yield from _finding(finding)
    said = " ".join(finding.do for finding in each.findings)
    for examination in each.examinations:
        yield from _examination(examination, verbose=verbose, said=said)


def _finding(finding: Finding) -> Iterator[str]:
    yield from _wrapped(f"{finding.topic}: {finding.says}")
    if finding.do:
        yield from _labelled("do", finding.do)


def _examination(examination: Examination, *, verbose: bool, said: str) -> Iterator[str]:
    """Yield how far one endpoint was come to; what to do is not told again where it is `said`."""
    if examination.failure is None and not verbose:
        done = ", ".join(filter(None, map(_in_short, examination.steps)))
        yield from _wrapped(f"{examination.endpoint}: {done}")
        return
    stop = f" stops at: {examination.stops_at}" if examination.stops_at else ""
    yield from _wrapped(f"{examination.endpoint}{stop}")
    for step in examination.steps:
        yield from _step(step)
    hint = examination.failure.hint if examination.failure is not None else ""
    if hint and hint not in said:
        yield from _labelled("do", hint)


def _in_short(step: Step) -> str:
    if step.ok is None or step.name == "route":
        return f"{step.name} {step.detail}"
    if step.name == "check":
        return step.detail if "check" in step.detail else f"check: {step.detail}"
    return step.name if step.seconds is None else f"{step.name} {formats.latency(step.seconds)}"


def _step(step: Step) -> Iterator[str]:
    mark = {True: _OK, False: _BAD, None: _NONE}[step.ok]
    took = "" if step.seconds is None else formats.latency(step.seconds)
    start = f"{'':{_MARGIN}}{mark:<6}{step.name:<11}{took:>7}"
    if not step.detail:
        yield start.rstrip()
        return
    yield from _filled(step.detail, first=f"{start}  ", rest=" " * (len(start) + 2))


def _conclusion(report: Report) -> Iterator[str]:
    ill = [each.name for each in report.connections if not each.well]
    number = len(report.connections)
    if ill:
        yield from _wrapped(f"{len(ill)} of {number} not well: {', '.join(ill)}", indent=0)
    else:
        yield f"{'it is' if number == 1 else f'all {number} are'} well" + (
            "" if report.logged_in or report.asked else ", as far as can be seen without a login"
        )
    if report.health is not None and report.health < 100:
        costs = ", ".join(f"{points} for {name}" for name, points in report.shares.items())
        yield from _wrapped(f"health of all: {report.health} ({report.band}); it has lost {costs}", indent=0)


def _labelled(label: str, text: str) -> list[str]:
    return _filled(text, first=f"{'':{_MARGIN}}{label:<6}", rest=" " * (_MARGIN + 6))


def _wrapped(text: str, *, indent: int = _MARGIN, below: int | None = None) -> list[str]:
    return _filled(text, first=" " * indent, rest=" " * (indent + 2 if below is None else below))


def _filled(text: str, *, first: str, rest: str) -> list[str]:
    """Break a text into lines; a number and its unit stay together."""
    together = _UNIT.sub("\\1\N{NO-BREAK SPACE}\\2", clean(text))
    lines = textwrap.wrap(
        together, WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False
    )
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


def exit_code(report: Report) -> int:
    """Return 0 where all is well, 1 where something is not, 3 where no login could be tried."""
    if not all(each.well for each in report.connections):
        return 1
    return 3 if report.held_by else 0
