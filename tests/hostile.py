"""Text that a terminal would obey, or that would put what stands beside it out of place."""

from __future__ import annotations

HOSTILE = [
    "\x1b[31m",
    "\x1b]52;c;aGFjaw==\x07",
    "\x1b]0;title\x1b\\",
    "\x9b2J",
    "\x9d52;c;eA==\x9c",
    "\x7f\x08",
    "\u202egnp",
    "\u2066x\u2069",
    "[/",
    "[bold red]",
    "\r\n\x00",
    "\u200b\ufeff",
    "e\u0301" * 8,
    "\N{CJK UNIFIED IDEOGRAPH-6771}" * 40,
    "w" * 900,
]
