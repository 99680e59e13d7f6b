"""Where in a text the words are that were searched for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache


@lru_cache(maxsize=8)
def pattern_of(words: tuple[str, ...]) -> re.Pattern[str]:
    """Return what finds these words in whatever case, the longest first; nothing for no words."""
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or "(?!)", re.IGNORECASE)


def pieces(text: str, words: tuple[str, ...]) -> Iterator[tuple[str, bool]]:
    """Yield a text in pieces, and of each whether it was searched for."""
    done = 0
    for match in pattern_of(words).finditer(text) if words else ():
        if match.start() > done:
            yield text[done : match.start()], False
        yield match.group(), True
        done = match.end()
    if done < len(text) or not text:
        yield text[done:], False
