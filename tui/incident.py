"""The report of an outage, in Markdown: what broke, when, what was tried, when it came back.

What comes from outside (names, hosts, reasons) is data: made harmless, hidden where names are hidden, and
escaped, so that a reader of Markdown sees it as it is and nothing else comes of it.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import msgspec

from manager.model import BudgetStatus
from tui import formats, rows
from tui.outages import Deed, Entry, Loss, Outage, What
from tui.privacy import hosts_of
from tui.sanitise import clean
from tui.verdicts import verb, who

ROWS = 500
"""Rows of the timeline at most; those that are left out are counted."""
TOGETHER = 5.0
"""Seconds within which what several connections met alike is told in one row."""
_NAMES = 4
"""Names that are told of those who share a row."""
_LONGEST = 300
"""Characters of a text from outside."""
_BEFORE = 20.0
"""Seconds before the first loss in which a refused login belongs to it."""

_SPECIAL = re.compile(r"[\\`*_\[\]<>|~#&!$^]|(?<=:)/(?=/)|(?<=www)\.", re.IGNORECASE)

_SENTENCES = {
    What.SUSPECT: "suspect: {text}",
    What.LOST: "lost: {text}",
    What.NEVER_UP: "does not come up: {text}",
    What.AGAIN: "lost again before it was stable: {text}",
    What.EXHAUSTED: "all {number} attempts failed, probed slowly from then on",
    What.BLOCKED: "blocked: {text}",
    What.WITHHELD: "no login tried: the budget of {text} is used up",
    What.ENDED: "{text} meanwhile",
}

Mask = Callable[[str], str]


def escaped(text: str) -> str:
    """Return text in Markdown that shows it as it is: no emphasis, link, table cell or HTML comes of it."""
    shown = clean(text)
    shown = shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"
    return _SPECIAL.sub(lambda match: "\\" + match[0], shown)


def length(seconds: float) -> str:
    """Return a length of time to the second: `45 s`, `6 min 32 s`, `1 d 2 h 0 min 5 s`."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    minutes, left = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (left, "s")]
    while not parts[0][0]:
        parts.pop(0)
    return " ".join(f"{number} {unit}" for number, unit in parts)


def report(
    outage: Outage,
    *,
    whole: int,
    deeds: Iterable[Deed],
    budgets: Iterable[tuple[float, BudgetStatus]],
    now: float,
    mask: Mask,
) -> str:
    """Return the report of an outage.

    Args:
        outage: what is known of it.
        whole: how many connections its group has.
        deeds: everything that was asked for; what belongs to it is chosen.
        budgets: every change of a login budget, likewise.
        now: wall time, for an outage that is not over.
        mask: returns a text from outside as the reader may see it.
    """
    return _Report(outage, whole, now, mask).text(deeds, budgets)


class _Row(msgspec.Struct, frozen=True):
    """One row of the timeline, about one connection or several."""

    time: float
    names: list[str]
    words: str


class _Report:
    def __init__(self, outage: Outage, whole: int, now: float, mask: Mask) -> None:
        self._outage = outage
        self._losses = sorted(outage.losses.values(), key=lambda loss: (loss.began, loss.status.name))
        self._whole = max(whole, len(self._losses))
        self._now = now
        self._mask = mask
        self._began = outage.began
        self._end = now if outage.ended is None else outage.ended

    def text(self, deeds: Iterable[Deed], budgets: Iterable[tuple[float, BudgetStatus]]) -> str:
        done = [deed for deed in deeds if self._is_about(deed)]
        sections = [
            self._head(),
            self._broken(),
            self._timeline(done),
            self._done(done),
            self._downtime(),
            self._logins(budgets),
            self._foot(),
        ]
        return "\n\n".join("\n".join(section) for section in sections) + "\n"

    # The sections, each a list of lines

    def _head(self) -> list[str]:
        zone = time.strftime("%Z", time.localtime(self._began))
        over = self._outage.ended is not None
        lasted = f"It lasted {length(self._end - self._began)}."
        if not over:
            lasted = f"It is not over: {length(self._end - self._began)} so far."
        return [
            f"# Outage of {self._seen(self._outage.group)}",
            "",
            f"| | local time ({escaped(zone)}) | UTC |",
            "|---|---|---|",
            self._instant("began", self._began),
            self._instant("ended" if over else "written", self._end),
            "",
            f"{lasted} Lost: {len(self._losses)} of {formats.plural(self._whole, 'connection')}.",
        ]

    def _instant(self, word: str, instant: float) -> str:
        shown = (time.strftime("%Y-%m-%d %H:%M:%S", part(instant)) for part in (time.localtime, time.gmtime))
        return f"| {word} | {' | '.join(shown)} |"

    def _broken(self) -> list[str]:
        by_reason: dict[tuple[str, str], list[Loss]] = {}
        for loss in self._losses:
            failure = loss.status.failure
            key = (failure.reason, failure.hint) if failure else ("no answer", "")
            by_reason.setdefault(key, []).append(loss)
        lines = ["## What broke", ""]
        for (reason, hint), losses in sorted(by_reason.items(), key=lambda item: -len(item[1])):
            words = f"{verb(reason)} {who([loss.status for loss in losses], self._whole)}"
            advice = f"; what helps: {self._seen(hint)}" if hint else ""
            lines.append(f"- On {self._seen(self._outage.group)}: {self._seen(words)}{advice}")
        return lines

    def _timeline(self, done: Sequence[Deed]) -> list[str]:
        # What was asked for goes before what came of it in the same instant.
        told = [*(_Row(deed.time, _names(deed), escaped(deed.words)) for deed in done), *self._together()]
        told.sort(key=lambda row: row.time)
        lines = ["## Timeline", "", "| time | connection | what |", "|---|---|---|"]
        lines += [
            f"| {self._clock(row.time)} | {self._listed(row.names)} | {row.words} |" for row in told[:ROWS]
        ]
        left_out = self._outage.left_out + max(0, len(told) - ROWS)
        if left_out:
            lines += ["", f"{formats.plural(left_out, 'more row')} left out here."]
        return lines

    def _together(self) -> list[_Row]:
        """Put what several connections met alike at the same time into one row."""
        found: list[list[Entry]] = []
        latest: dict[tuple[object, ...], list[Entry]] = {}
        for entry in sorted([*self._outage.entries, *self._returns()], key=lambda entry: entry.time):
            alike = (entry.what, entry.text, entry.first, entry.last, entry.count)
            together = latest.get(alike)
            if together is not None and entry.time - together[0].time <= TOGETHER:
                together.append(entry)
            else:
                latest[alike] = [entry]
                found.append(latest[alike])
        return [
            _Row(
                entries[0].time,
                list(dict.fromkeys(entry.connection for entry in entries)),
                self._words(entries[0], max(entry.until for entry in entries)),
            )
            for entries in found
        ]

    def _returns(self) -> Iterable[Entry]:
        """Yield that a connection was back where no attempt was seen to bring it."""
        up = {entry.connection for entry in self._outage.entries if entry.what is What.UP}
        for loss in self._losses:
            if loss.how == "back" and loss.ended is not None and loss.status.name not in up:
                yield Entry(loss.ended, loss.status.name, What.UP)

    def _words(self, entry: Entry, until: float) -> str:
        which = entry.what
        if which is What.FAILED:
            last = f", the last at {self._clock(until)}" if entry.count > 1 else ""
            return f"{_attempts(entry)} failed{last}: {self._seen(entry.text)}"
        if which is What.UP:
            return f"up again with attempt {entry.first}" if entry.first else "up again"
        return _SENTENCES[which].format(text=self._seen(entry.text), number=entry.first)

    def _done(self, done: Sequence[Deed]) -> list[str]:
        lines = ["## What was done", ""]
        if not done:
            return [*lines, "Nobody asked for anything."]
        asked = Counter((deed.words, *_names(deed)) for deed in done)
        first = {(deed.words, *_names(deed)): deed.time for deed in reversed(done)}
        for (words, *names), times in sorted(asked.items(), key=lambda item: first[item[0]]):
            often = f", {times} times" if times > 1 else ""
            instant = self._clock(first[words, *names])
            lines.append(f"- {instant} {escaped(words)}: {self._listed(names)}{often}")
        return lines

    def _downtime(self) -> list[str]:
        lines = [
            "## Downtime",
            "",
            "| connection | type | endpoint | lost | back | down for | losses | attempts |",
            "|---|---|---|---|---|---:|---:|---:|",
        ]
        for loss in self._losses:
            status = loss.status
            down = loss.downtime + (self._now - loss.down_since if loss.down_since is not None else 0.0)
            if loss.ended is None:
                back = "not yet"
            else:
                back = self._clock(loss.ended) if loss.how == "back" else escaped(loss.how)
            cells = [
                self._seen(status.name),
                escaped(rows.title_of(status.type)),
                self._seen(status.endpoint),
                self._clock(loss.began),
                back,
                length(max(0.0, down)),
                str(loss.times),
                str(loss.attempts),
            ]
            lines.append(f"| {' | '.join(cells)} |")
        return lines

    def _logins(self, budgets: Iterable[tuple[float, BudgetStatus]]) -> list[str]:
        hosts = {self._outage.group}
        for loss in self._losses:
            hosts.update(hosts_of(loss.status.endpoint))
        lines = [
            f"- {self._clock(instant)} {self._seen(budget.host)}: {budget.used} of {budget.limit}"
            f" in {formats.duration(budget.window)}"
            for instant, budget in budgets
            if budget.host in hosts and self._began - _BEFORE <= instant <= self._end
        ]
        return ["## Refused logins", "", *(lines or ["None."])]

    def _foot(self) -> list[str]:
        missing = (
            " Some of it was not seen and is told from how things stood after."
            if self._outage.partial
            else ""
        )
        written = time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(self._now))
        return [f"Written by trunkline at {escaped(written)} from the events of its manager.{missing}"]

    # Its parts

    def _is_about(self, deed: Deed) -> bool:
        if not self._began - 1.0 <= deed.time <= self._end:
            return False
        if deed.connection is not None:
            return deed.connection in self._outage.losses
        return deed.group in (None, self._outage.group)

    def _seen(self, text: str) -> str:
        return escaped(self._mask(clean(text)))

    def _listed(self, names: Sequence[str]) -> str:
        shown = ", ".join(self._seen(name) for name in names[:_NAMES])
        more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
        return f"{shown}{more}" if names else "all"

    def _clock(self, instant: float) -> str:
        then, day = time.localtime(instant), time.localtime(self._began)
        return time.strftime("%H:%M:%S" if then[:3] == day[:3] else "%Y-%m-%d %H:%M:%S", then)


def _names(deed: Deed) -> list[str]:
    return [name for name in (deed.connection or deed.group,) if name]


def _attempts(entry: Entry) -> str:
    if not entry.first and not entry.last:
        return "a slow probe" if entry.count == 1 else f"{entry.count} slow probes"
    if entry.first == entry.last:
        return f"attempt {entry.first}"
    return f"attempts {entry.first} to {entry.last}"
