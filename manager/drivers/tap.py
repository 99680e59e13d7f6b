"""The tap on one session's wire: what goes over it is recorded with every secret masked first."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable

from manager.drivers.base import SessionListener
from manager.secret import MASK, Secret
from manager.text import forms_of
from manager.wire import WireKind

Mask = Callable[[bytes], bytes]
"""Hides the credentials that a protocol names as such (`masking`)."""

_MASK = MASK.encode()


class Tap:
    """Passes messages on to the listener.

    A message that holds no secret is passed on as it is, after one search for each form of a secret.
    """

    __slots__ = ("_forms", "_listener", "_pattern")

    def __init__(self, listener: SessionListener, secrets: Iterable[Secret] = ()) -> None:
        self._listener = listener
        self._forms: tuple[bytes, ...] = ()
        """How the secrets of the session may stand in a message; the longest first."""
        self._pattern: re.Pattern[bytes] | None = None
        self.hide(*secrets)

    def hide(self, *secrets: Secret) -> None:
        """Mask these too from now on, wherever they stand."""
        forms = {form for secret in secrets for form in _encoded(secret)}
        # The longest first: where one is part of another, nothing of the other may stay.
        self._forms = tuple(sorted(forms.union(self._forms), key=len, reverse=True))
        self._pattern = None

    def sent(self, kind: WireKind, content: bytes | str, mask: Mask | None = None) -> None:
        """Record a message that went out; `mask` hides what the protocol itself names as credentials."""
        self._listener.wire(kind, self._masked(content, mask), sent=True)

    def received(self, kind: WireKind, content: bytes | str, mask: Mask | None = None) -> None:
        """Record a message that came in."""
        self._listener.wire(kind, self._masked(content, mask), sent=False)

    def _masked(self, content: bytes | str, mask: Mask | None) -> bytes:
        raw = content.encode(errors="backslashreplace") if isinstance(content, str) else content
        if mask is not None:
            raw = mask(raw)
        for form in self._forms:
            if form in raw:
                if self._pattern is None:
                    self._pattern = re.compile(b"|".join(map(re.escape, self._forms)))
                return self._pattern.sub(_MASK, raw)
        return raw


def _encoded(secret: Secret) -> Iterable[bytes]:
    """Yield the forms of a secret as bytes, those within a JSON string among them."""
    for form in forms_of(secret.reveal()):
        yield form.encode(errors="backslashreplace")
        yield json.dumps(form)[1:-1].encode()
        if not form.isascii():
            yield form.encode("latin-1", errors="backslashreplace")  # as a header of HTTP bears it
            yield json.dumps(form, ensure_ascii=False)[1:-1].encode(errors="backslashreplace")
