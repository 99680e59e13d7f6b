"""The settings that count, and where each was written down."""

from __future__ import annotations

from itertools import groupby

from manager.sources import BUILT_IN
from tui import formats
from tui.details.subject import Subject
from tui.page import Piece, Writer


def write(writer: Writer, subject: Subject) -> None:
    """Write every setting with its value and its source; those that somebody chose stand out."""
    chosen = sum(row.source != BUILT_IN for row in subject.settings)
    writer.begin(
        "Settings", f"{formats.count(chosen)} chosen, the others built-in" if subject.settings else ""
    )
    for section, rows in groupby(subject.settings, key=lambda row: row.section):
        writer.sentence(section, "accent")
        for row in rows:
            tone = "text" if row.source != BUILT_IN else "muted"
            key = Piece(row.key, tone, writer.margin + 2, None if writer.narrow else 26)
            if writer.narrow:
                writer.draw(key)
                writer.sentence(f"{row.value or 'not set'} · {row.source}", tone, writer.margin + 4)
            else:
                value = Piece(row.value or "not set", tone, key.at + 27, min(34, writer.width - 58))
                writer.add(key, value, Piece(row.source, "muted", value.at + (value.width or 0) + 1))
    if not subject.settings:
        writer.sentence("not known", "muted")
