"""Settings of before, a JavaScript object in milliseconds, made into a file of ours with a note a line.

The object may be bare JSON, or stand in a line such as `const config = { … };`, with comments, single quotes,
names without quotes and trailing commas (JSON5). Nothing is dropped in silence: what has no meaning here is
named, by its name alone, for its value may be a secret.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from manager.bounds import BOUNDS
from manager.config.mistakes import ConfigError, Mistake
from manager.errors import TrunklineError
from manager.settings import Policy
from manager.text import harmless

SECONDS = {
    "baseDelay": "base_delay",
    "maxDelay": "max_delay",
    "connectionTimeout": "connect_timeout",
    "heartbeatInterval": "heartbeat_interval",
    "healthCheckInterval": "health_interval",
}
"""What is in milliseconds there and in seconds here."""
COUNTS = {"maxReconnectAttempts": "max_attempts", "unhealthyThreshold": "unhealthy_threshold"}
NAMES = COUNTS | SECONDS
"""Every name of before that has a meaning here, and its name here."""

_MAX_CHARACTERS = 64 * 1024
_COMMENTS = r"(?:\s|//[^\n]*(?:\n|$)|/\*.*?\*/)*"
_WORD = r"[A-Za-z_$][\w$]*"
_OPENING = re.compile(
    rf"{_COMMENTS}(?P<head>(?:export\s+)?(?:const|let|var)\s+{_WORD}(?:\s*:\s*{_WORD})?\s*=|export\s+default\b"
    rf"|(?:module\.exports|exports\.{_WORD}|exports|{_WORD})\s*=)",
    re.DOTALL,
)
"""What may stand before an object in a file of JavaScript or TypeScript."""
_END = re.compile(
    rf"(?P<end>(?:;|\bas\s+const\b\s*;?){_COMMENTS}"
    rf"(?:(?:module\.exports\s*=|export\s+default\b)\s*{_WORD}\s*;?)?){_COMMENTS}$",
    re.DOTALL,
)
"""What may stand behind it."""
_PLACE = re.compile(r"^<string>:(?P<line>\d+) (?P<what>.*) at column (?P<column>\d+)$", re.DOTALL)
_TWICE = re.compile(r'^Duplicate key "(?P<name>.*)" found in object$', re.DOTALL)
_OBJECT = "an object with names and numbers as they stand: { maxReconnectAttempts: 15, baseDelay: 1000 }"
_HINT = (
    "mend the file; numbers stand for themselves there, without arithmetic and without names of other values"
)
_SEPARATED = re.compile(
    r"""(?P<text>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|//[^\n]*|/\*.*?\*/|[A-Za-z_$][\w$]*)
|\d+(?:_\d+)+""",
    re.DOTALL | re.VERBOSE,
)
"""A number with separators (`10_000`); or what has to be passed over on the way to one."""
_SHARE = 0.4
"""Of a heartbeat's interval: what its deadline is made to be where it would not fit otherwise."""
_CONNECTION = """
# A file needs a connection; put yours in the place of this one (`trunkline config example` shows more).
[connections.example]
type = "ami"
endpoints = ["ami://127.0.0.1:5038"]
username = "monitor"
password = { env = "EXAMPLE_SECRET" }
"""


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """What old settings have become."""

    text: str
    """A file that can be used as it is."""
    unsupported: tuple[str, ...]
    """Names that have no meaning here, dotted where they stand in an object; none of them is in the file."""


def migrate(path: Path) -> Migration:
    """Read a file of old settings and return what it is here.

    Raises:
        ConfigError: it is no such object, or a value is no number; it tells every mistake.
        TrunklineError: it cannot be read.
    """
    text = _read(path)
    found = _parse(path, text)
    mistakes: list[Mistake] = []
    taken = list(_taken(found, text, mistakes))
    if mistakes:
        raise ConfigError(path, tuple(mistakes), hint=_HINT)
    taken += _made_to_fit({each.name: each.value for each in taken})
    unsupported = tuple(_unsupported(found))
    return Migration(text=_file(path, taken, unsupported), unsupported=unsupported)


@dataclass(frozen=True, slots=True)
class _Taken:
    """A number as it is here, and how it came to be."""

    name: str
    value: float
    note: str


def _read(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            content = stream.read(_MAX_CHARACTERS + 1)
    except OSError as error:
        raise TrunklineError(f"cannot read {path}: {error.strerror or 'an error'}") from None
    if len(content) > _MAX_CHARACTERS:
        raise _unusable(path, "more than 64 KiB", _OBJECT)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _unusable(path, "bytes that are not UTF-8", "text in UTF-8", line) from None


def _parse(path: Path, text: str) -> dict[str, Any]:
    import json5  # noqa: PLC0415 - whoever migrates nothing does not pay for it

    try:
        found = json5.loads(_bare(text), allow_duplicate_keys=False)
    except RecursionError:
        raise _unusable(path, "objects within objects without end", _OBJECT) from None
    except ValueError as error:
        raise ConfigError(path, (_syntax(str(error), text),), hint=_HINT) from None
    if not isinstance(found, dict):
        raise _unusable(path, "something that is no object", _OBJECT)
    return found


def _bare(text: str) -> str:
    """Return the object without what may stand around it; every place in it stays the same."""
    opening = _OPENING.match(text)
    if opening is not None:
        text = text[: opening.start("head")] + _blank(opening["head"]) + text[opening.end("head") :]
    end = _END.search(text)
    if end is not None:
        text = text[: end.start("end")] + _blank(end["end"]) + text[end.end("end") :]
    return _SEPARATED.sub(_joined, text)


def _joined(found: re.Match[str]) -> str:
    """Return a number without its separators, with as many blanks behind it; anything else as it is."""
    if found["text"] is not None:
        return found[0]
    return found[0].replace("_", "").ljust(len(found[0]))


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


def _syntax(message: str, text: str) -> Mistake:
    twice = _TWICE.match(message)
    if twice is not None:
        name = twice["name"]
        lines = _lines_of(name, text)
        found = "this name once more"
        if len(lines) > 1:
            found += f"; the first is in line {lines[0]}"
        return Mistake(line=lines[-1] if lines else None, key=name, found=found, expected="each name once")
    place = _PLACE.match(message)
    if place is None:
        return Mistake(found="nothing", expected=_OBJECT)
    what = place["what"][:1].lower() + place["what"][1:]
    if what == "unexpected end of input":
        what = "the end of the file, before the object was closed"
        return Mistake(line=int(place["line"]), found=what, expected=_OBJECT)
    return Mistake(line=int(place["line"]), found=f"{what}, at column {place['column']}", expected=_OBJECT)


def _taken(found: Mapping[str, Any], text: str, mistakes: list[Mistake]) -> Iterator[_Taken]:
    """Yield what has a meaning here; note what is no number."""
    for old, new in NAMES.items():
        if old not in found or found[old] is None:
            continue
        value = _number(found[old])
        if value is None or math.isnan(value):
            expected = "a number" if old in COUNTS else "a number of milliseconds"
            line = next(iter(_lines_of(old, text)), None)
            mistakes.append(Mistake(line=line, key=old, found=_kind_of(found[old]), expected=expected))
            continue
        yield _converted(old, new, value)


def _number(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            value = float(value.replace("_", "no digit"))
        except ValueError:
            return None
    return float(value) if isinstance(value, int | float) else None


def _converted(old: str, new: str, value: float) -> _Taken:
    """Make a number one of ours, within its bounds, and say what was done to it."""
    bound = BOUNDS[new]
    unit, scale = ("", 1) if old in COUNTS else (" ms", 1000)
    note = f"{old}: {_plain(value)}{unit}"
    exact = value / scale
    places = 0 if old in COUNTS else 3
    rounded = exact if math.isinf(exact) else round(exact, places)
    if rounded != exact:
        note += f", rounded to {'a whole number' if old in COUNTS else 'milliseconds'}"
    low = bound.low if not bound.above_low else 0.001
    fitting = min(max(rounded, low), bound.high)
    if fitting != rounded:
        change, limit = ("lowered", "most") if fitting < rounded else ("raised", "least")
        note += f", {change} to the {limit} that is possible here"
    return _Taken(new, fitting, note)


def _made_to_fit(numbers: Mapping[str, float]) -> Iterator[_Taken]:
    """Yield what has to change beside them, so that no two contradict each other."""
    defaults = msgspec.structs.asdict(Policy())
    base, longest = (numbers.get(name, defaults[name]) for name in ("base_delay", "max_delay"))
    if longest < base:
        yield _Taken("max_delay", base, "raised to base_delay, which is the shortest of the waits")
    interval, timeout = numbers.get("heartbeat_interval", math.inf), defaults["heartbeat_timeout"]
    if timeout >= interval:
        timeout = max(round(interval * _SHARE, 4), 0.0001)
        yield _Taken("heartbeat_timeout", timeout, "new: a heartbeat is answered before the next one is due")
    if defaults["suspect_timeout"] > timeout:
        yield _Taken("suspect_timeout", timeout, "new: no longer than heartbeat_timeout")


def _unsupported(found: Mapping[str, Any], within: str = "") -> Iterator[str]:
    for name, value in found.items():
        if within or name not in NAMES:
            if isinstance(value, dict) and value:
                yield from _unsupported(value, f"{within}{name}.")
            else:
                yield harmless(f"{within}{name}")


def _file(path: Path, taken: list[_Taken], unsupported: tuple[str, ...]) -> str:
    numbers = {each.name: each for each in taken}  # what was made to fit stands in for what was not
    rows = [(f"{each.name} = {_plain(each.value)}", each.note) for each in numbers.values()]
    width = max((len(setting) for setting, _ in rows), default=0)
    lines = [f"# Made by `trunkline config migrate` of {harmless(path.name)}. Times are in seconds here.", ""]
    lines += ["[defaults]", *(f"{setting:<{width}}  # {note}" for setting, note in rows)]
    lines += ["", "# Waits are shortened by up to a fifth, by chance, so that not all come back at once:"]
    lines += ["# jitter = 0 makes them as exact as they were."]
    if unsupported:
        lines += ["", "# Without a meaning here, and left out:", *map(_left_out, unsupported)]
    return "\n".join(lines) + "\n" + _CONNECTION


def _left_out(name: str) -> str:
    within, _, last = name.rpartition(".")
    if last in NAMES:
        return f"#   {name} (it has one, but not within {within})"
    close = difflib.get_close_matches(last, NAMES, n=1, cutoff=0.75)
    return f"#   {name}" + (f" (perhaps {close[0]} is meant)" if close else "")


def _lines_of(name: str, text: str) -> list[int]:
    """Return the lines in which a name is given a value."""
    text = re.sub(r"//[^\n]*|/\*.*?\*/", lambda comment: _blank(comment[0]), text, flags=re.DOTALL)
    pattern = re.compile(rf"(?<![\w$.])[\"']?{re.escape(name)}[\"']?\s*:")
    return [text.count("\n", 0, match.start()) + 1 for match in pattern.finditer(text)]


def _kind_of(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return "a string that is no number"
    if isinstance(value, float):
        return "NaN"
    return "an array" if isinstance(value, list) else "an object"


def _plain(value: float) -> str:
    """Return a number as TOML and people write it: `15`, `1.5`, `0.001`."""
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return str(int(value)) if value == int(value) else f"{value:.4f}".rstrip("0")


def _unusable(path: Path, found: str, expected: str, line: int | None = None) -> ConfigError:
    return ConfigError(path, (Mistake(line=line, found=found, expected=expected),), hint=_HINT)
