"""What goes over AMI, as frozen records: events, replies, and the bytes of an action."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from manager.errors import TrunklineError
from manager.secret import Secret

Headers = tuple[tuple[str, str], ...]
"""The headers of a message in the order they came."""

FieldValue = str | Sequence[str] | Secret
"""Value of a header to send; a sequence is sent as so many headers of one name."""

_UNSENDABLE = re.compile("[\r\n\0\ud800-\udfff]")

MAX_ACTION = 64 * 1024
"""Bytes of an action; Asterisk itself takes 1,024 bytes a line and 128 lines."""


class TooManyActionsError(TrunklineError):
    """As many actions as a session allows are under way already; this one was not sent."""


class ListTooLongError(TrunklineError):
    """The answer to an action is longer than what a session holds in memory."""


@dataclass(frozen=True, slots=True, repr=False)
class AmiMessage(Mapping[str, str | tuple[str, ...]]):
    """Headers, looked up without regard to case.

    A key gives its value, or a tuple of values where the header came several times; `Output`, which holds a
    line of what a command printed, always gives a tuple. A line without a colon stands under the empty key.
    """

    headers: Headers
    _values: dict[str, str | tuple[str, ...]] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        collected: dict[str, list[str]] = {}
        for name, value in self.headers:
            collected.setdefault(name.lower(), []).append(value)
        values = {
            name: tuple(found) if len(found) > 1 or name == "output" else found[0]
            for name, found in collected.items()
        }
        object.__setattr__(self, "_values", values)

    def __getitem__(self, key: str) -> str | tuple[str, ...]:
        return self._values[key.lower()]

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key.lower() in self._values

    def __iter__(self) -> Iterator[str]:
        spelled = {name.lower(): name for name, _ in reversed(self.headers)}
        return iter([spelled[key] for key in self._values])

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        """Name the message only: the values of some (`AuthDetail`) are passwords of the PBX."""
        return f"<{type(self).__name__} with {len(self.headers)} headers>"

    def first(self, key: str, default: str = "") -> str:
        """Return the value of a header, the first where there are several, `default` where there is none."""
        values = self._values.get(key.lower(), default)
        return values if isinstance(values, str) else values[0]

    @property
    def action_id(self) -> str:
        """The action that this belongs to; empty for none."""
        return self.first("ActionID")


@dataclass(frozen=True, slots=True, repr=False)
class AmiEvent(AmiMessage):
    """Something that Asterisk told."""

    @property
    def name(self) -> str:
        """Which event it is: `Newchannel`."""
        return self.first("Event")


@dataclass(frozen=True, slots=True, repr=False)
class AmiReply(AmiMessage):
    """The answer to an action."""

    ok: bool
    """Whether Asterisk did it (`Response: Success`, `Follows` or `Goodbye`)."""
    events: tuple[AmiEvent, ...] = ()
    """The items of a list, with the event that completed it as the last; empty for other answers."""

    @property
    def text(self) -> str:
        """What Asterisk says to it: `Permission denied`."""
        return self.first("Message")

    @property
    def output(self) -> tuple[str, ...]:
        """Lines that a command printed; empty for other actions."""
        return tuple(value for name, value in self.headers if name.lower() == "output")


def encode(fields: Mapping[str, FieldValue]) -> bytes:
    """Return the bytes of an action, `Action` and `ActionID` first, so that any error can name them.

    Raises:
        ValueError: a name or value would not stay one header line, `Action` is missing, a name is given
            twice, or the whole is longer than `MAX_ACTION`.
    """
    named = {name.lower(): (name, value) for name, value in fields.items()}
    if len(named) != len(fields):
        raise ValueError("an action has each header once; give several values as a sequence")
    if "action" not in named:
        raise ValueError("an action has a header Action")
    first = [named.pop(name) for name in ("action", "actionid") if name in named]
    if not all(isinstance(value, str) and value for _, value in first):
        raise ValueError("Action and ActionID are one text each and not empty")
    lines = [_line(name, value) for name, values in (*first, *named.values()) for value in _each(values)]
    message = "".join([*lines, "\r\n"]).encode()
    if len(message) > MAX_ACTION:
        raise ValueError(f"an action has at most {MAX_ACTION} bytes")
    return message


def _each(values: FieldValue) -> tuple[str, ...]:
    if isinstance(values, Secret):
        return (values.reveal(),)
    return (values,) if isinstance(values, str) else tuple(values)


def _line(name: str, value: str) -> str:
    if not name.strip() or ":" in name or is_unsendable(name):
        raise ValueError("the name of a header holds no colon and no line end, and is not empty")
    if is_unsendable(value):
        raise ValueError(f"the value of {name} holds a line end, a zero or what is no Unicode text")
    return f"{name}: {value}\r\n"


def is_unsendable(text: str) -> bool:
    """Whether a text would end a header line before its time, or cannot be put into UTF-8."""
    return _UNSENDABLE.search(text) is not None
