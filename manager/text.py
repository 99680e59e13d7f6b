"""Text from outside, made fit to stand in a reason, a fact or a message: one line, plainly visible."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

from manager.secret import MASK, Secret

LONGEST_QUOTE = 120
_SHORTEST_WORD = 6


def harmless(text: str) -> str:
    """Return `text` on one line, with U+FFFD for each character that is not plainly visible.

    Those are control characters (ESC, DEL, C1 and line ends among them), format characters (bidirectional and
    zero-width ones), lone surrogates, and every space but U+0020.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )


def quoted(text: str, limit: int = LONGEST_QUOTE, secrets: Iterable[Secret] = ()) -> str:
    """Return what a peer says: harmless, at most `limit` characters, and with `***` for our own secrets.

    Secrets are looked for before the text is cut, so that no piece of one is left at its end; also as they
    stand in an address (`a%3Ab`), and in their words (`Bearer X` also as `X`).
    """
    shown = _masked(text, secrets)
    return harmless(shown if len(shown) <= limit else shown[: limit - 1] + "…")


def _masked(text: str, secrets: Iterable[Secret]) -> str:
    forms = {form for secret in secrets for form in forms_of(secret.reveal())}
    if not forms:
        return text
    # The longest first: where one is part of another, nothing of the other may stay.
    return re.sub("|".join(map(re.escape, sorted(forms, key=len, reverse=True))), MASK, text)


def forms_of(secret: str) -> set[str]:
    """Return how a secret may stand in a text: as it is, its words alone, and either within an address."""
    words = {word for word in secret.split() if len(word) >= _SHORTEST_WORD}
    plain = {secret, *words} - {""}
    return plain | {quote(form, safe="", errors="replace") for form in plain}
