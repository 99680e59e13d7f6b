"""The signs of the screen, in two sets: Unicode, and ASCII where a terminal's widths are in doubt."""

from __future__ import annotations

import os
from collections.abc import Mapping

import msgspec

from manager.model import Phase

MEANINGS: Mapping[Phase, str] = {
    Phase.UP: "logged in, registered, subscribed: usable",
    Phase.SUSPECT: "up, but the last heartbeat or check failed; asked again at once",
    Phase.CONNECTING: "an attempt is under way; it ends by itself after 15 s",
    Phase.WAITING: "lost; the countdown ends with the next attempt",
    Phase.PARKED: "the last attempt failed; tried again slowly until it answers",
    Phase.BLOCKED: "refused in a way that trying again will not change: mend it, then r",
    Phase.PAUSED: "closed by an operator; p takes it up again",
    Phase.STOPPED: "not managed now",
}

_DIGITS = {
    "0": ("┏━┓", "┃ ┃", "┗━┛"),
    "1": (" ╻ ", " ┃ ", " ╹ "),
    "2": ("╺━┓", "┏━┛", "┗━╸"),
    "3": ("╺━┓", " ━┫", "╺━┛"),
    "4": ("╻ ╻", "┗━┫", "  ╹"),
    "5": ("┏━╸", "┗━┓", "╺━┛"),
    "6": ("┏━╸", "┣━┓", "┗━┛"),
    "7": ("╺━┓", "  ┃", "  ╹"),
    "8": ("┏━┓", "┣━┫", "┗━┛"),
    "9": ("┏━┓", "┗━┫", "╺━┛"),
    "?": ("╺━┓", " ┏┛", " ╹ "),
}
_ASCII_DIGITS = {
    "0": (" _ ", "| |", "|_|"),
    "1": ("   ", " | ", " | "),
    "2": (" _ ", " _|", "|_ "),
    "3": (" _ ", " _|", " _|"),
    "4": ("   ", "|_|", "  |"),
    "5": (" _ ", "|_ ", " _|"),
    "6": (" _ ", "|_ ", "|_|"),
    "7": (" _ ", "  |", "  |"),
    "8": (" _ ", "|_|", "|_|"),
    "9": (" _ ", "|_|", " _|"),
    "?": (" _ ", " _|", " . "),
}
_TO_ASCII = str.maketrans(
    "·…─━╸⏎“”‹›—–’␛▏↑↓×→←▶◀█▓▒░│┌┐└┘┤├┬┴┼",  # noqa: RUF001 - that is what they are
    '-~-=-<""<>--\'^_^vx><><#?~.|+++++++++',
)

_KEY_NAMES = {"⏎": "enter", "↑": "up", "↓": "down", "←": "left", "→": "right"}


class Glyphs(msgspec.Struct, frozen=True):
    """One set of signs."""

    phases: Mapping[Phase, str]
    digits: Mapping[str, tuple[str, str, str]]
    marked: str
    news: str
    ascii_only: bool

    def key(self, name: str) -> str:
        """Return what stands for a key: its sign, or its name where the sign would be taken for another."""
        return _KEY_NAMES.get(name, name) if self.ascii_only else name

    def plain(self, text: str) -> str:
        """Return `text` as this set can show it: of the same width, in ASCII alone where it must be."""
        if not self.ascii_only or text.isascii():
            return text
        return text.translate(_TO_ASCII).encode("ascii", "replace").decode("ascii")


UNICODE = Glyphs(
    phases={
        Phase.UP: "●",
        Phase.SUSPECT: "◐",
        Phase.CONNECTING: "▸",
        Phase.WAITING: "↻",
        Phase.PARKED: "▲",
        Phase.BLOCKED: "■",
        Phase.PAUSED: "‖",
        Phase.STOPPED: "○",
    },
    digits=_DIGITS,
    marked="✓",
    news="•",
    ascii_only=False,
)

ASCII = Glyphs(
    phases={
        Phase.UP: "+",
        Phase.SUSPECT: "?",
        Phase.CONNECTING: ">",
        Phase.WAITING: "~",
        Phase.PARKED: "!",
        Phase.BLOCKED: "X",
        Phase.PAUSED: "=",
        Phase.STOPPED: "o",
    },
    digits=_ASCII_DIGITS,
    marked="x",
    news="*",
    ascii_only=True,
)


def choose(environment: Mapping[str, str] = os.environ) -> Glyphs:
    """Return the set that the terminal of this environment can be trusted with.

    Python itself sets `LC_CTYPE=C.UTF-8` where the locale is plain C (PEP 538): that says nothing of the
    terminal.
    """
    if environment.get("TERM") == "linux":
        return ASCII
    locale = environment.get("LC_ALL") or environment.get("LC_CTYPE") or environment.get("LANG") or ""
    coerced = locale == "C.UTF-8" and not environment.get("LC_ALL") and environment.get("LANG", "") in _PLAIN
    utf8 = locale.lower().replace("-", "").endswith("utf8")
    return UNICODE if utf8 and not coerced else ASCII


_PLAIN = ("", "C", "POSIX")
