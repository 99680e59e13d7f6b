"""Which lines the table has: sections by type, problems first, and folds just until everything fits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

import msgspec

from manager.model import Phase, Status
from tui import phases, rows
from tui.ordering import Ordering

_USUAL = Ordering()

MIN_EQUAL_TROUBLES = 3
"""Equal troubles of one host from which on they may share a row."""


class Blank(msgspec.Struct, frozen=True):
    """An empty line before a section."""


class Note(msgspec.Struct, frozen=True):
    """A sentence above all sections."""

    text: str


class Heading(msgspec.Struct, frozen=True):
    """The heading of a section, with how many stand where."""

    type: str
    counts: tuple[tuple[Phase, int], ...]


class Single(msgspec.Struct, frozen=True):
    """One connection; `folds_into` is the key of the fold that it was taken out of, if it was."""

    status: Status
    folds_into: str | None = None

    @property
    def key(self) -> str:
        """What the cursor remembers it by."""
        return f"connection:{self.status.name}"


class Fold(msgspec.Struct, frozen=True):
    """Several connections that share a row."""

    key: str
    where: str
    """The host, empty for all hosts of a type."""
    statuses: tuple[Status, ...]


TableLine = Blank | Note | Heading | Single | Fold
Selectable = Single | Fold


class _Section(msgspec.Struct):
    type: str
    statuses: list[Status]
    by_host: bool = False
    by_type: bool = False
    by_trouble: bool = False
    lines: list[Selectable] | None = None
    """None until it is laid."""

    @property
    def length(self) -> int:
        """How many lines it takes, with its heading; one that is not laid has not folded anything."""
        return 1 + len(self.statuses if self.lines is None else self.lines)


def arrange(
    statuses: Sequence[Status],
    height: int,
    *,
    unfolded: AbstractSet[str] = frozenset(),
    keep: str | None = None,
    note: str = "",
    ordering: Ordering = _USUAL,
) -> list[TableLine]:
    """Arrange connections for a table of `height` lines.

    Args:
        statuses: the connections, in the order of their configuration.
        height: how many lines can be seen at once.
        unfolded: keys of folds that the operator opened.
        keep: name of the connection under the cursor; it stays a row of its own.
        note: a sentence to put above all.
        ordering: in which order the rows of a section stand.
    """
    sections = _sections(statuses, ordering)
    top: list[TableLine] = [Note(note)] if note else []
    if len(top) + _length(sections) + len(sections) - 1 > height:
        _fold_until_it_fits(sections, height - len(top), unfolded, keep)
    spare = height - len(top) - _length(sections)
    lines = list(top)
    for number, section in enumerate(sections):
        if number and spare >= len(sections) - 1:
            lines.append(Blank())
        lines.append(Heading(section.type, tuple(phases.counts(tuple(section.statuses)))))
        lines.extend(section.lines if section.lines is not None else map(Single, section.statuses))
    return lines


def in_order(statuses: Sequence[Status], ordering: Ordering = _USUAL) -> list[Status]:
    """Return connections in the order of their rows if none were folded."""
    return [status for section in _sections(statuses, ordering) for status in section.statuses]


def _sections(statuses: Sequence[Status], ordering: Ordering) -> list[_Section]:
    by_type: dict[str, list[Status]] = {}
    for status in statuses:
        by_type.setdefault(status.type, []).append(status)
    return [_Section(name, ordering.apply(by_type[name])) for name in sorted(by_type, key=rows.section_order)]


def _length(sections: Sequence[_Section]) -> int:
    return sum(section.length for section in sections)


def _fold_until_it_fits(
    sections: Sequence[_Section], height: int, unfolded: AbstractSet[str], keep: str | None
) -> None:
    largest_first = sorted(sections, key=lambda section: -len(section.statuses))
    for step in ("by_host", "by_type", "by_trouble"):
        for section in largest_first:
            if _length(sections) <= height:
                return
            setattr(section, step, True)
            _lay(section, unfolded, keep)


def _lay(section: _Section, unfolded: AbstractSet[str], keep: str | None) -> None:
    """Put the section's connections on lines, folded as its flags say."""
    lines: dict[str, Single | list[Status]] = {}
    equals = Counter(map(_cause, section.statuses)) if section.by_trouble else Counter()
    for status in section.statuses:
        key = _fold_key(section, status, equals, unfolded)
        if key is None or key in unfolded or status.name == keep:
            single = Single(status, key if key in unfolded else None)
            lines[single.key] = single
            continue
        members = lines.setdefault(key, [])
        if isinstance(members, list):
            members.append(status)
    section.lines = [line if isinstance(line, Single) else _folded(key, line) for key, line in lines.items()]


def _folded(key: str, members: Sequence[Status]) -> Selectable:
    if len(members) == 1:
        return Single(members[0])
    return Fold(key, "" if key.startswith("type:") else members[0].group, tuple(members))


def _fold_key(
    section: _Section,
    status: Status,
    equals: Mapping[tuple[str, ...], int],
    unfolded: AbstractSet[str],
) -> str | None:
    """Return the key of the fold that this connection may go into, None where it is shown in any case."""
    if phases.well(status):
        host = f"host:{section.type}:{status.group}"
        # What was opened by host is not swept away because it now takes more room.
        if section.by_type and host not in unfolded:
            return f"type:{section.type}:up"
        return host if section.by_host else None
    if not section.by_trouble:
        return None
    if status.phase in (Phase.PAUSED, Phase.STOPPED):
        return f"type:{section.type}:{status.phase.value}"
    cause = _cause(status)
    return f"trouble:{section.type}:{':'.join(cause)}" if equals[cause] >= MIN_EQUAL_TROUBLES else None


def _cause(status: Status) -> tuple[str, ...]:
    reason = status.failure.reason if status.failure else ""
    return (status.group, str(phases.place(status)), reason)
