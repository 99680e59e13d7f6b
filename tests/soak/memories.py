"""What a manager remembers of each connection, made short.

A memory has a bound, but one that ten minutes do not fill looks like a leak for as long. With short ones,
what still grows after the second day or minute is what has no bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

from manager import chronicle, wirering

_SHORT = (
    (chronicle, "CHANGES", 8),
    (chronicle, "FAILURES", 4),
    (chronicle, "SAMPLES", 8),
    (wirering, "RING_LIMIT", 2048),
)


@contextmanager
def short_memories() -> Iterator[None]:
    with ExitStack() as stack:
        for module, name, most in _SHORT:
            assert getattr(module, name) > most
            stack.enter_context(mock.patch.object(module, name, most))
        yield
