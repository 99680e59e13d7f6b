"""What is wrong with a configuration file, said so that it can be mended at once."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import msgspec

from manager.errors import TrunklineError
from manager.text import harmless

_WIDTH = 80
_LABEL = "    {:<10}"
_LOOK_AGAIN = "mend the file; `trunkline check` looks at it again"
_BARE = re.compile(r"[A-Za-z0-9_-]+")


class Mistake(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong in a configuration file."""

    line: int | None = None
    """Line in the file, from 1; None where it is about the file as a whole."""
    key: str = ""
    """Dotted name: `connections.pbx1-ami.password`."""
    found: str
    """What stands there; never a secret."""
    expected: str
    nearest: str = ""
    """The valid name or word that comes closest to one that is not."""
    command: str = ""
    """What to run to mend it."""

    def __str__(self) -> str:
        """Say all of it in a few lines of at most 80 columns; only a command is never broken."""
        where = [f"line {self.line}"] if self.line is not None else []
        if self.key:
            where.append(self.key)
        lines = ["  " + harmless(", ".join(where) or "the file")]
        lines += _labelled("found", self.found) + _labelled("expected", self.expected)
        if self.nearest:
            lines += _labelled("perhaps", self.nearest)
        if self.command:
            lines.append(_LABEL.format("run") + harmless(self.command))
        return "\n".join(lines)


class ConfigError(TrunklineError):
    """A configuration file that cannot be used, with every mistake in it."""

    def __init__(self, path: Path, mistakes: tuple[Mistake, ...], hint: str = _LOOK_AGAIN) -> None:
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        super().__init__(f"{path}: {count}", hint)
        self.path = path
        self.mistakes = mistakes

    @property
    def summary(self) -> str:
        """The first mistake, and how many more there are."""
        first = self.mistakes[0]
        where = ", ".join(filter(None, (f"line {first.line}" if first.line else "", first.key)))
        rest = len(self.mistakes) - 1
        more = f" · {rest} more" if rest else ""
        return harmless(f"{self.path.name}: {where or 'the file'}: found {first.found}") + more

    def __str__(self) -> str:
        """List the mistakes in the order of the file."""
        return "\n\n".join([harmless(super().__str__()), *map(str, self.mistakes)])


def dotted(place: tuple[str | int, ...]) -> str:
    """Return a place as it would be written in TOML: `connections."pbx 1".endpoints[0]`."""
    parts: list[str] = []
    for part in place:
        if isinstance(part, int):
            parts.append(f"[{part}]")
            continue
        name = part if _BARE.fullmatch(part) else '"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"'
        parts.append(f".{name}" if parts else name)
    return "".join(parts)


def _labelled(label: str, text: str) -> list[str]:
    indent = _LABEL.format("")
    return textwrap.wrap(
        harmless(text),
        width=_WIDTH,
        initial_indent=_LABEL.format(label),
        subsequent_indent=indent,
        break_long_words=True,
        break_on_hyphens=False,
    ) or [_LABEL.format(label)]
