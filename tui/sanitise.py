"""Makes text from outside harmless: what a terminal would obey is shown instead."""

from __future__ import annotations

_LONGEST = 4096
"""Characters of one text that are looked at; no line of a screen holds more."""


def clean(text: str) -> str:
    """Return `text` with every character that is not plainly visible replaced by a visible form.

    Escape sequences, C0 and C1 controls, line ends, bidirectional controls and zero-width characters are
    among them: ESC becomes `␛`, U+202E its number in brackets. Spaces of every kind become a space.
    """
    if text.isprintable() and len(text) <= _LONGEST:
        return text
    return "".join(map(_visible, text[:_LONGEST]))


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    if character in "\t\xa0" or (code > 0x7F and character.isspace() and code not in (0x85, 0x2028, 0x2029)):
        return " "
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    return f"<{code:02X}>"
