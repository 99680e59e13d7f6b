"""Which lines the table has: sections by type, problems first, and folds just until everything fits.

Where it does not fit even so, the sections become one list without headings: a problem of the last type must
not stand below all those of the first, out of sight.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

import msgspec

from manager.model import Phase, Status
from tui import phases, rows
from tui.ordering import Ordering

_USUAL = Ordering()
_ALL_UP = "up"
"""Key of the fold of all that are well, whatever their types."""

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
    apart: list[Selectable] | None = None
    """What they were before equal troubles shared rows."""
    opened: int = 0
    """How many of them are there only because somebody opened a fold, or stands on what is in one."""

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
    room = height - len(top)
    if _length(sections) + len(sections) - 1 > room:
        _fold_until_it_fits(sections, room, unfolded, keep)
        closed = _length(sections) - sum(section.opened for section in sections)
        if closed > room and len(sections) > 1 and ordering.troubles_first:
            return [*top, *_worst_first(sections, room, unfolded, keep)]
    spare = room - _length(sections)
    lines = list(top)
    for number, section in enumerate(sections):
        if number and spare >= len(sections) - 1:
            lines.append(Blank())
        lines.append(Heading(section.type, tuple(phases.counts(tuple(section.statuses)))))
        lines.extend(section.lines if section.lines is not None else map(Single, section.statuses))
    return lines


def in_order(
    statuses: Sequence[Status], ordering: Ordering = _USUAL, *, in_sections: bool = True
) -> list[Status]:
    """Return connections in the order of their rows if none were folded."""
    ordered = [status for section in _sections(statuses, ordering) for status in section.statuses]
    return ordered if in_sections else ordering.apply(ordered)


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
            section.apart = section.lines
            _lay(section, unfolded, keep)


def _lay(section: _Section, unfolded: AbstractSet[str], keep: str | None) -> None:
    """Put the section's connections on lines, folded as its flags say."""
    lines: dict[str, Single | list[Status]] = {}
    equals = Counter(map(_cause, section.statuses)) if section.by_trouble else Counter()
    opened: list[str] = []
    kept_from = ""
    for status in section.statuses:
        key = _fold_key(section, status, equals, unfolded)
        if key is None or key in unfolded or status.name == keep:
            single = Single(status, key if key in unfolded else None)
            lines[single.key] = single
            if single.folds_into:
                opened.append(single.folds_into)
            else:
                kept_from = key or kept_from
            continue
        members = lines.setdefault(key, [])
        if isinstance(members, list):
            members.append(status)
    section.opened = len(opened) - len(set(opened)) + (kept_from in lines)
    section.lines = [line if isinstance(line, Single) else _folded(key, line) for key, line in lines.items()]


def _folded(key: str, members: Sequence[Status]) -> Selectable:
    if len(members) == 1:
        return Single(members[0])
    return Fold(key, "" if key.startswith(("type:", _ALL_UP)) else members[0].group, tuple(members))


def _worst_first(
    sections: Sequence[_Section], room: int, unfolded: AbstractSet[str], keep: str | None
) -> list[Selectable]:
    """Put the rows of all sections, which are folded, into one list: what is well is one fold at its end."""
    lines = [line for section in sections for line in section.apart or ()]
    if sum(map(_is_trouble, lines)) > room:
        lines = [line for section in sections for line in section.lines or ()]
    troubles = sorted(filter(_is_trouble, lines), key=lambda line: phases.place(_first(line)))
    opened = _ALL_UP in unfolded
    well: list[Status] = []
    singles: list[Selectable] = []
    for line in lines:
        if _is_trouble(line):
            continue
        if isinstance(line, Fold):
            well += line.statuses
        elif line.folds_into or (line.status.name == keep and not opened):
            singles.append(line)
        else:
            well.append(line.status)
    if opened:
        return [*troubles, *(Single(status, _ALL_UP) for status in well), *singles]
    return [*troubles, *([_folded(_ALL_UP, well)] if well else ()), *singles]


def _is_trouble(line: Selectable) -> bool:
    return not phases.well(_first(line))


def _first(line: Selectable) -> Status:
    return line.status if isinstance(line, Single) else line.statuses[0]


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
