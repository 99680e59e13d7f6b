"""What a command would do to what is up, said before it is done."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from manager.model import Status
from tui import formats


def calls_on(statuses: Iterable[Status]) -> int | None:
    """Return how many calls the servers of these connections carry; None where none of them tells.

    Two logins on one server count the same calls.
    """
    by_server: dict[str, int] = {}
    for status in statuses:
        calls = status.facts.get("calls")
        if status.phase.connected and isinstance(calls, int) and not isinstance(calls, bool):
            by_server[status.endpoint] = max(calls, by_server.get(status.endpoint, 0))
    return sum(by_server.values()) if by_server else None


def of_reopening(statuses: Collection[Status]) -> str:
    """Return `9 of 14 are up, 4 calls on their servers go on`; nothing where none is up.

    A call is not part of a login or a registration and does not end with it.
    """
    up = sum(status.phase.connected for status in statuses)
    if not up:
        return ""
    sentence = f"{formats.count(up)} of {formats.count(len(statuses))} {'is' if up == 1 else 'are'} up"
    calls = calls_on(statuses)
    if calls is None:
        return sentence
    if not calls:
        return f"{sentence}, no calls on their servers"
    return f"{sentence}, {formats.plural(calls, 'call')} on their servers {'goes' if calls == 1 else 'go'} on"
